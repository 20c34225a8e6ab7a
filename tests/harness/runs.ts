/**
 * Runs without a worker: Ansible as the worker has it, in this process. What
 * needs no broker is tried with this in a tenth of the time.
 *
 * @module
 */
import {
  Ansible,
  type AnsibleOptions,
  type RunOptions,
  type RunOutcome,
} from "../../src/ansible/ansible.ts";
import type { Policy } from "../../src/ansible/refusal.ts";
import { taskRequestSchema } from "../../src/messages/task_request.ts";
import type { Progress } from "../../src/messages/task_status.ts";
import type { Project } from "./project.ts";

/** How runs are made. */
export interface RunsOptions extends Partial<Omit<AnsibleOptions, "policy">> {
  /** What requests may ask for; it may be changed later. */
  policy?: Partial<Policy>;
  /** Variables beside those of the project. */
  env?: Record<string, string>;
}

/** What became of a run. */
export interface Ended extends RunOutcome {
  /** What it has printed, both streams. */
  text: string;
  /** Every number that was told on the way. */
  told: Progress[];
}

/** Launchers, and what they have logged. */
export class Runs implements AsyncDisposable {
  /** Lines of the log. */
  readonly log: string[];
  /** Why launchers were replaced. */
  readonly replaced: string[];
  readonly ansible: Ansible;

  private constructor(
    ansible: Ansible,
    { log, replaced }: { log: string[]; replaced: string[] },
  ) {
    this.ansible = ansible;
    this.log = log;
    this.replaced = replaced;
  }

  /** Starts the launchers. */
  static async start(
    project: Project,
    { env, policy, ...options }: RunsOptions = {},
  ): Promise<Runs> {
    const log: string[] = [];
    const replaced: string[] = [];
    const line = (message: string, fields?: Record<string, unknown>) =>
      log.push(`${message} ${fields?.error ?? ""}`.trim());
    const ansible = await Ansible.start({
      playbookDirectory: project.directory,
      inventoryDirectory: project.directory,
      secretFiles: [],
      slots: 1,
      killGraceSeconds: 1,
      environment: {
        PATH: Deno.env.get("PATH") ?? "",
        ...project.environment("w1"),
        ...env,
      },
      policy: () => ({
        inline_inventory: true,
        extra_vars_allow: [],
        max_timeout: 600,
        max_forks: 50,
        max_verbosity: 4,
        force_check_mode: false,
        ...policy,
      }),
      secrets: { vault_identity_list: [] },
      log: { debug: line, warn: line },
      observer: {
        launcherStarted() {},
        launcherReplaced: (reason) => replaced.push(reason),
      },
      ...options,
    });
    return new Runs(ansible, { log, replaced });
  }

  /** Begins a run. */
  begin(
    playbook: string,
    { extraVars, ...request }: Record<string, unknown> = {},
    options: Partial<RunOptions> = {},
  ) {
    let text = "";
    const told: Progress[] = [];
    const run = this.ansible.run(
      taskRequestSchema.parse({
        task_id: playbook,
        playbook,
        inventory: "hosts",
        ...request,
      }),
      {
        extraVars: extraVars === undefined ? null : JSON.stringify(extraVars),
        onProgress: (progress) => void told.push(progress),
        output: {
          limit: 1 << 20,
          onOutput: (printed) => void (text += printed.text),
        },
        ...options,
      },
    );
    const ended = run.finished.then((outcome): Ended => ({
      ...outcome,
      text,
      told,
    }));
    return { ended, end: run.end };
  }

  /** Runs a playbook to its end. */
  run(
    playbook: string,
    request: Record<string, unknown> = {},
  ): Promise<Ended> {
    return this.begin(playbook, request).ended;
  }

  /** Ends the launchers. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.ansible[Symbol.asyncDispose]();
  }
}
