/**
 * A git repository of a test's own: a bare one, as a server has it, and a clone
 * in which commits are made.
 *
 * @module
 */

/** Whom its commits are of, and no configuration of this machine's user. */
const ENVIRONMENT = {
  GIT_AUTHOR_NAME: "tester",
  GIT_AUTHOR_EMAIL: "tester@example.com",
  GIT_COMMITTER_NAME: "tester",
  GIT_COMMITTER_EMAIL: "tester@example.com",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_SYSTEM: "/dev/null",
};

/** A repository. */
export class GitRepository {
  /** The bare one. */
  readonly path: string;
  readonly #clone: string;

  private constructor(path: string) {
    this.path = path;
    this.#clone = `${path}-clone`;
  }

  /** Makes one at a path, with a first commit on `main`. */
  static async create(
    path: string,
    files: Record<string, string>,
  ): Promise<GitRepository> {
    const made = new GitRepository(path);
    await git(["init", "-q", "--bare", "-b", "main", path]);
    await git(["clone", "-q", path, made.#clone]);
    await made.git("checkout", "-q", "-b", "main");
    await made.commit(files);
    return made;
  }

  /** Runs git in the clone; returns what it prints. */
  git(...args: string[]): Promise<string> {
    return git(["-C", this.#clone, ...args]);
  }

  /** Writes files; null removes one. */
  async write(files: Record<string, string | null>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      const file = `${this.#clone}/${name}`;
      if (text === null) await Deno.remove(file, { recursive: true });
      else {
        await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), {
          recursive: true,
        });
        await Deno.writeTextFile(file, text);
      }
    }
  }

  /**
   * Commits files, and pushes.
   *
   * @param options further arguments of `git commit`
   * @returns the commit
   */
  async commit(
    files: Record<string, string | null>,
    ...options: string[]
  ): Promise<string> {
    await this.write(files);
    await this.git("add", "--all");
    await this.git(
      "commit",
      "-q",
      "--allow-empty",
      "-m",
      "a change",
      ...options,
    );
    await this.push();
    return await this.head();
  }

  /** The commit of the clone. */
  async head(): Promise<string> {
    return (await this.git("rev-parse", "HEAD")).trim();
  }

  /** Has the bare one say what the clone says. */
  async push(): Promise<void> {
    await this.git("push", "-q", "--force", "--follow-tags", "origin", "HEAD");
  }
}

/** Runs git; returns what it prints. */
export async function git(args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("git", {
    args,
    env: ENVIRONMENT,
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  if (success) return text.decode(stdout);
  throw new Error(`git ${args.join(" ")}: ${text.decode(stderr)}`);
}
