/**
 * A commit that can be run: its checkout, and the launchers in it.
 *
 * It is **current**, or for one run only; whoever runs on it holds it. When it is
 * neither current nor held, its launchers end.
 *
 * @module
 */
import type { Ansible } from "../ansible/mod.ts";
import type { TaskRequest } from "../messages/task_request.ts";
import type { PinnedRunner } from "../tasks/ports.ts";

/** A commit with its launchers. */
export class Checkout {
  /** Its full id. */
  readonly commit: string;
  /** What runs playbooks there. */
  readonly ansible: Ansible;
  readonly #onGone: () => void;
  #holds = 0;
  #isRetired = false;

  /**
   * Not held by anybody.
   *
   * @param options.onGone nobody needs it any more
   */
  constructor(
    commit: string,
    { ansible, onGone }: { ansible: Ansible; onGone(): void },
  ) {
    this.commit = commit;
    this.ansible = ansible;
    this.#onGone = onGone;
  }

  /** Holds it for one run. */
  pin(): PinnedRunner {
    const { ansible, commit } = this;
    let isHeld = true;
    this.#holds++;
    return {
      revision: commit,
      refusal: null,
      run: (request, options) => ansible.run(unpinned(request), options),
      [Symbol.dispose]: () => {
        if (isHeld) this.#holds--;
        isHeld = false;
        this.#end();
      },
    };
  }

  /** It is not current any more. */
  retire(): void {
    this.#isRetired = true;
    this.ansible.retire();
    this.#end();
  }

  #end(): void {
    if (!this.#isRetired || this.#holds > 0) return;
    this.#onGone();
    void this.ansible[Symbol.asyncDispose]();
  }
}

/** The request as the directory of the commit that it asks for sees it. */
export function unpinned(request: TaskRequest): TaskRequest {
  return { ...request, revision: undefined };
}
