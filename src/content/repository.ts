/**
 * The repository as the worker sees it: what git does there is done by playbooks
 * of the program's own (`../ansible/python/content/`), one at a time.
 *
 * Below `content.directory`, each commit has a checkout of its own, whose name it
 * gets when it is complete; and `current` is a link to the one that was in use
 * last.
 *
 * @module
 */
import { basename, join } from "node:path/posix";
import { runOwnPlaybook } from "../ansible/mod.ts";
import type { Config } from "../config/mod.ts";
import { pause } from "../deadline.ts";

/** How long git may take for one look, in milliseconds. */
const LOOK_MS = 15 * 60_000;

/** How long it may take to remember a commit, and to remove others. */
const SETTLE_MS = 30_000;

/** How long git may take to answer the doctor, in milliseconds. */
const REACH_MS = 60_000;

/** A commit, by its full id. */
const COMMIT = /^([0-9a-f]{40}|[0-9a-f]{64})$/;

/** The configuration of the content. */
export type ContentConfig = NonNullable<Config["content"]>;

/** What is needed to look at a repository. */
export interface RepositoryOptions {
  content: ContentConfig;
  worker: Pick<
    Config["worker"],
    "playbook_directory" | "inventory_directory"
  >;
  /** The environment of what runs there. */
  environment: Record<string, string>;
}

/** What is wanted of a look. */
export interface Look {
  /** The tag or commit that is wanted; null for that of the ref. */
  revision: string | null;
  /** The commit of the ref at the last look; null for none. */
  known: string | null;
  /** Whether the repository is asked, or only what was fetched before. */
  fetch: boolean;
  /** Whether it has to be reached from the ref; it has to, if left out. */
  reachable?: boolean;
  /** How long it may take, in milliseconds. */
  limitMs?: number;
}

/** A repository, and its checkouts. */
export class Repository implements AsyncDisposable {
  readonly #options: RepositoryOptions;
  readonly #closing = new AbortController();
  #last: Promise<unknown> = Promise.resolve();

  /** Looks at nothing by itself. */
  constructor(options: RepositoryOptions) {
    this.#options = options;
  }

  /** Where playbooks and inventories of a commit are. */
  directoriesOf(
    commit: string,
  ): { playbookDirectory: string; inventoryDirectory: string } {
    const { worker } = this.#options;
    const checkout = join(this.#checkouts, commit);
    return {
      playbookDirectory: join(checkout, worker.playbook_directory),
      inventoryDirectory: join(checkout, worker.inventory_directory),
    };
  }

  /** The commit that was in use last, if its checkout is there. */
  async lastUsed(): Promise<string | null> {
    try {
      const link = join(this.#options.content.directory, "current");
      const commit = basename(await Deno.readLink(link));
      if (!COMMIT.test(commit)) return null;
      return (await Deno.stat(join(this.#checkouts, commit))).isDirectory
        ? commit
        : null;
    } catch {
      return null;
    }
  }

  /** The commits that have a checkout, those that were made last first. */
  async commits(): Promise<string[]> {
    const found: { name: string; made: number }[] = [];
    try {
      for await (const { name } of Deno.readDir(this.#checkouts)) {
        if (!COMMIT.test(name)) continue;
        const { mtime } = await Deno.stat(join(this.#checkouts, name));
        found.push({ name, made: mtime?.getTime() ?? 0 });
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return found.sort((a, b) => b.made - a.made).map(({ name }) => name);
  }

  /**
   * Looks, and makes the checkout that is wanted if there is none.
   *
   * @returns the commit of the ref, and that of the checkout
   * @throws {OwnPlaybookError} it could not be had; nothing is changed
   */
  async look(
    { revision, known, fetch, reachable = true, limitMs = LOOK_MS }: Look,
  ): Promise<{ head: string; commit: string }> {
    const { content, environment, worker } = this.#options;
    const found = await this.#next(() =>
      this.#run("look", limitMs, {
        revision,
        known,
        fetch,
        reachable,
        playbook_directory: worker.playbook_directory,
        inventory_directory: worker.inventory_directory,
        requirements: content.requirements,
        signers: content.trusted_signers ?? null,
        user_config: environment.ANSIBLE_CONFIG ?? "",
      })
    );
    return { head: String(found.head), commit: String(found.revision) };
  }

  /**
   * Remembers which commit is in use, and removes other checkouts.
   *
   * @param decide asked when it is its turn; null: there is nothing to be done
   * @throws {OwnPlaybookError} it could not be done
   */
  async settle(
    decide: () => Promise<{ commit: string; remove: string[] } | null>,
  ): Promise<void> {
    await this.#next(async () => {
      const todo = await decide();
      if (todo === null) return;
      const { commit, remove } = todo;
      await this.#run("settle", SETTLE_MS, { revision: commit, remove });
    });
  }

  /**
   * Whether it can be reached now; nothing is written.
   *
   * @returns the version of git, and the commit of the ref, "" if there is none
   * @throws {OwnPlaybookError} it cannot
   */
  async reach(): Promise<{ git: string; head: string }> {
    const found = await this.#next(() => this.#run("reach", REACH_MS, {}));
    return { git: String(found.git), head: String(found.head) };
  }

  /** Ends what git does; settles when nothing runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    // What is only a moment's work goes on.
    this.#closing.abort("the worker is stopping");
    await this.#last;
  }

  get #checkouts(): string {
    return join(this.#options.content.directory, this.#checkoutsName);
  }

  /** With what is installed into it, it is another one. */
  get #checkoutsName(): string {
    return this.#options.content.requirements
      ? "commits-with-requirements"
      : "commits";
  }

  /** One after the other: all use what was fetched. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(async () => {
      // Whoever has waited for the last one goes on before this begins.
      await pause(0);
      return await work();
    });
    this.#last = done.catch(() => {});
    return done;
  }

  async #run(
    playbook: "look" | "settle" | "reach",
    limitMs: number,
    variables: Record<string, unknown>,
  ): Promise<Record<string, unknown>> {
    const { content, environment } = this.#options;
    const { directory, repository, ref } = content;
    // The doctor's own: a worker may be at work in the same directory, or there
    // may be none yet.
    const socket = playbook === "reach"
      ? `/tmp/ansible-worker-${crypto.randomUUID()}/socket`
      : join(directory, "credential", "socket");
    const limit = new AbortController();
    const timer = setTimeout(
      () => limit.abort(`it took more than ${limitMs / 1000} s`),
      limitMs,
    );
    try {
      return await runOwnPlaybook(`content/${playbook}.yml`, {
        environment,
        variables: {
          directory,
          checkouts: this.#checkoutsName,
          repository,
          ref,
          credential: credentialOf(content),
          credential_socket: socket,
          git_environment: gitEnvironment(content, socket),
          ...variables,
        },
        signal: playbook === "settle"
          ? limit.signal
          : AbortSignal.any([this.#closing.signal, limit.signal]),
      });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** What git's credential helpers are told (git-credential(1)). */
function credentialOf(
  { repository, username, password }: ContentConfig,
): string | null {
  if (password === undefined) return null;
  const { protocol, host } = new URL(repository);
  return [
    `protocol=${protocol.slice(0, -1)}`,
    `host=${host}`,
    `username=${username}`,
    `password=${password}`,
  ].join("\n") + "\n";
}

/** Variables for git; none of them has a secret in it. */
function gitEnvironment(
  { password, ssh_key_file, ssh_known_hosts_file }: ContentConfig,
  socket: string,
): Record<string, string> {
  const settings: [string, string][] = [
    // What is on the disk stays there, whatever happens to the power.
    ["core.fsync", "all"],
    // It ends with the look.
    ["gc.autoDetach", "false"],
    ["advice.detachedHead", "false"],
    ...(password === undefined ? [] : [
      // The user's own are not asked; a password is in memory only.
      ["credential.helper", ""],
      ["credential.helper", `cache --timeout=900 --socket=${quoted(socket)}`],
    ] as [string, string][]),
  ];
  const ssh = [
    ...(ssh_key_file === undefined
      ? []
      : ["-i", ssh_key_file, "-o", "IdentitiesOnly=yes"]),
    ...(ssh_known_hosts_file === undefined
      ? []
      : ["-o", `UserKnownHostsFile=${ssh_known_hosts_file}`]),
  ];
  return {
    // Nobody is there to be asked.
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "true",
    SSH_ASKPASS_REQUIRE: "never",
    // A server that has fallen silent is given up.
    GIT_HTTP_LOW_SPEED_LIMIT: "1",
    GIT_HTTP_LOW_SPEED_TIME: "60",
    ...(ssh.length > 0 && {
      GIT_SSH_COMMAND: [
        "ssh",
        "-o",
        "BatchMode=yes",
        "-o",
        "ConnectTimeout=30",
        "-o",
        "ServerAliveInterval=30",
        ...ssh,
      ].map(quoted).join(" "),
    }),
    GIT_CONFIG_COUNT: String(settings.length),
    ...Object.fromEntries(
      settings.flatMap(([key, value], i) => [
        [`GIT_CONFIG_KEY_${i}`, key],
        [`GIT_CONFIG_VALUE_${i}`, value],
      ]),
    ),
  };
}

/** A word for a shell, by which git runs such commands. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
