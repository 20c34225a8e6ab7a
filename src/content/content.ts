/**
 * Playbooks from a git repository: which commit is in use, and what takes its
 * place.
 *
 * A commit is used when its checkout is complete and a launcher of each slot
 * waits in it; until then, and whatever goes wrong, the one before stays in use.
 * A run sees the commit that was in use at its start, or the one that its request
 * names, from its beginning to its end.
 *
 * @module
 */
import { type Ansible, OwnPlaybookError } from "../ansible/mod.ts";
import type { ContentState } from "../messages/presence.ts";
import type { TaskRequest } from "../messages/task_request.ts";
import { cutToBytes } from "../messages/task_status.ts";
import { quote } from "../quote.ts";
import type { Log, PinnedRunner } from "../tasks/ports.ts";
import { Checkout } from "./checkout.ts";
import { Looking } from "./looking.ts";
import type { ContentConfig, Repository } from "./repository.ts";

/** How long the first look may take where there is something to go on with. */
const FIRST_LOOK_MS = 30_000;

/** How long after a change what is not needed is removed, in milliseconds. */
const TIDY_MS = 2000;

/** How long a problem may be, in bytes: it is told with the presence. */
const MAX_PROBLEM_BYTES = 1000;

/** What content needs. */
export interface ContentOptions {
  content: ContentConfig;
  repository: Repository;
  log: Log;
  slots: number;
  /** Starts the launchers of so many slots, of which the first is ready. */
  startAnsible(
    directories: { playbookDirectory: string; inventoryDirectory: string },
    options: { slots: number },
  ): Promise<Ansible>;
}

/** Playbooks from a repository. */
export class Content implements AsyncDisposable {
  /** Called when `state` is another one. */
  onChange: () => void = () => {};
  readonly #options: ContentOptions;
  readonly #looking: Looking;
  /** Commits that are held, or are about to be, and how often. */
  readonly #used = new Map<string, number>();
  readonly #open = new Set<Checkout>();
  /** Set before anybody gets to see this. */
  #current!: Checkout;
  #since = new Date();
  /** The commit of the ref, if that is the one in use. */
  #head: string | null = null;
  #problem: string | null = null;
  #isClosed = false;
  #tidying: ReturnType<typeof setTimeout> | undefined;

  private constructor(options: ContentOptions) {
    this.#options = options;
    this.#looking = new Looking({
      seconds: options.content.refresh,
      look: () => this.#look(),
    });
  }

  /**
   * Begins with what is in the repository now or, where that cannot be had, with
   * what was in use last.
   *
   * @throws {OwnPlaybookError | AnsibleUnusableError} there is neither
   */
  static async begin(options: ContentOptions): Promise<Content> {
    const { content, log, repository } = options;
    const last = await repository.lastUsed();
    let problem: string;
    try {
      const { commit, head } = await repository.look({
        revision: null,
        known: null,
        fetch: true,
        ...(last !== null && { limitMs: FIRST_LOOK_MS }),
      });
      return await Content.#with(options, { commit, head, problem: null });
    } catch (error) {
      if (last === null) throw error;
      problem = problemOf(error, content);
    }
    // What was trusted once need not be trusted now.
    if (content.trusted_signers !== undefined) {
      try {
        const look = { revision: last, known: null, fetch: false };
        await repository.look({ ...look, reachable: false });
      } catch (error) {
        throw new OwnPlaybookError(
          `${problem}; and what was in use last cannot be used: ${
            problemOf(error, content)
          }`,
        );
      }
    }
    log.warn(`${problem}; what was in use last is used: ${last}`);
    return await Content.#with(options, { commit: last, head: null, problem });
  }

  static async #with(
    options: ContentOptions,
    { commit, head, problem }: {
      commit: string;
      head: string | null;
      problem: string | null;
    },
  ): Promise<Content> {
    const { content, log, slots } = options;
    const self = new Content(options);
    self.#current = await self.#start(commit, { slots });
    self.#since = new Date();
    self.#head = head;
    self.#problem = problem;
    log.info(`playbooks from git: ${commit} of ${content.ref} is in use`);
    void self.#tidyNow();
    if (problem === null) self.#looking.next();
    else self.#looking.atOnce();
    return self;
  }

  /** The version of ansible-core. */
  get version(): string {
    return this.#current.ansible.version;
  }

  /** See `Ansible.health()`. */
  health(): string | null {
    return this.#current.ansible.health();
  }

  /** Where it stands. */
  get state(): ContentState {
    return {
      revision: this.#current.commit,
      ref: this.#options.content.ref,
      since: this.#since.toISOString(),
      problem: this.#problem,
    };
  }

  /** Looks at the repository at once. */
  lookAtOnce(): void {
    this.#looking.atOnce();
  }

  /**
   * Why a request cannot be run, in one sentence; null if it can. That of one for
   * a certain commit is known when it starts.
   */
  refusal(request: TaskRequest): Promise<string | null> {
    return request.revision === undefined
      ? this.#current.ansible.refusal(request)
      : Promise.resolve(null);
  }

  /** Holds the commit that a run of this request sees. */
  async pin({ revision }: TaskRequest): Promise<PinnedRunner> {
    if (revision === undefined || revision === this.#current.commit) {
      return this.#current.pin();
    }
    try {
      const commit = await this.#find(revision);
      try {
        if (commit === this.#current.commit) return this.#current.pin();
        const checkout = await this.#start(commit, { slots: 1 });
        const pinned = checkout.pin();
        checkout.retire();
        return pinned;
      } finally {
        this.#release(commit);
      }
    } catch (error) {
      return {
        revision: null,
        refusal: `revision ${quote(revision)} cannot be run: ${
          problemOf(error, this.#options.content)
        }`,
        run() {
          throw new TypeError("Cannot run what is refused");
        },
        [Symbol.dispose]() {},
      };
    }
  }

  /** Ends everything that runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#looking[Symbol.dispose]();
    clearTimeout(this.#tidying);
    // What is in use now is what the next start goes on with.
    if (this.#tidying !== undefined) void this.#tidyNow();
    await Promise.all([
      this.#options.repository[Symbol.asyncDispose](),
      ...[...this.#open].map(({ ansible }) => ansible[Symbol.asyncDispose]()),
    ]);
  }

  /** The commit that a name stands for; it has a checkout, and is used. */
  async #find(revision: string): Promise<string> {
    const { repository } = this.#options;
    const look = async (fetch: boolean) => {
      const found = await repository.look({ revision, known: null, fetch });
      this.#use(found.commit);
      return found.commit;
    };
    // What was fetched has nearly all that is asked for.
    return await look(false).catch(() => look(true));
  }

  async #look(): Promise<void> {
    const { content, repository } = this.#options;
    try {
      const { commit, head } = await repository.look({
        revision: null,
        known: this.#head,
        fetch: true,
      });
      if (commit !== this.#current.commit) await this.#switchTo(commit);
      this.#head = head;
      this.#say(null);
    } catch (error) {
      this.#say(problemOf(error, content));
    }
  }

  async #switchTo(commit: string): Promise<void> {
    const { content, log, slots } = this.#options;
    this.#use(commit);
    try {
      const next = await this.#start(commit, { slots });
      await next.ansible.untilPrepared();
      const before = this.#current;
      this.#current = next;
      this.#since = new Date();
      log.info(
        `playbooks from git: ${commit} of ${content.ref} is in use; before it was ${before.commit}`,
      );
      before.retire();
      this.onChange();
    } finally {
      this.#release(commit);
    }
    this.#tidy();
  }

  /** A checkout with its launchers, of which the first is ready. */
  async #start(
    commit: string,
    { slots }: { slots: number },
  ): Promise<Checkout> {
    const { repository, startAnsible } = this.#options;
    const ansible = await startAnsible(repository.directoriesOf(commit), {
      slots,
    });
    const checkout: Checkout = new Checkout(commit, {
      ansible,
      onGone: () => this.#forget(checkout),
    });
    this.#open.add(checkout);
    this.#use(commit);
    if (this.#isClosed) await ansible[Symbol.asyncDispose]();
    return checkout;
  }

  #forget(checkout: Checkout): void {
    if (!this.#open.delete(checkout)) return;
    this.#release(checkout.commit);
    this.#tidy();
  }

  #use(commit: string): void {
    this.#used.set(commit, (this.#used.get(commit) ?? 0) + 1);
  }

  #release(commit: string): void {
    const left = (this.#used.get(commit) ?? 0) - 1;
    if (left > 0) this.#used.set(commit, left);
    else this.#used.delete(commit);
  }

  /** Remembers what is in use, and removes what nobody needs, in a moment. */
  #tidy(): void {
    if (this.#isClosed) return;
    // The first tasks on a commit are not to share the processor with that.
    this.#tidying ??= setTimeout(() => void this.#tidyNow(), TIDY_MS);
  }

  async #tidyNow(): Promise<void> {
    const { content, log, repository } = this.#options;
    try {
      await repository.settle(async () => {
        this.#tidying = undefined;
        const all = await repository.commits();
        // Whoever has found a commit meanwhile has said so.
        const remove = all.filter((commit) => !this.#used.has(commit))
          .slice(content.keep);
        const { commit } = this.#current;
        return remove.length > 0 || await repository.lastUsed() !== commit
          ? { commit, remove }
          : null;
      });
    } catch (error) {
      if (this.#isClosed) return;
      log.warn(
        `cannot clear up in "${content.directory}": ${
          problemOf(error, content)
        }`,
      );
    }
  }

  #say(problem: string | null): void {
    if (problem === this.#problem || this.#isClosed) return;
    const { log } = this.#options;
    this.#problem = problem;
    if (problem === null) log.info("playbooks from git: all is well again");
    else {
      log.warn(
        `playbooks from git: ${problem}; ${this.#current.commit} stays in use`,
      );
    }
    this.onChange();
  }
}

/** What went wrong, on one line, without the password. */
export function problemOf(
  error: unknown,
  { password }: Pick<ContentConfig, "password">,
): string {
  const text = error instanceof Error ? error.message : String(error);
  const hidden = password === undefined
    ? text
    : text.replaceAll(password, "***")
      .replaceAll(encodeURIComponent(password), "***");
  return cutToBytes(hidden.replace(/\s+/g, " ").trim(), MAX_PROBLEM_BYTES);
}
