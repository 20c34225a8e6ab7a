/**
 * What a scenario plays on: a broker, a project, a controller, and workers as
 * users start them.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { TaskStatus } from "../../src/messages/task_status.ts";
import { Client, type Message, open } from "../../tests/harness/client.ts";
import { at } from "../../tests/harness/client_program.ts";
import { localHosts, Project } from "../../tests/harness/project.ts";
import { allFinal, keptPromises } from "../../tests/harness/verdict.ts";
import { until } from "../../tests/harness/waiting.ts";
import { Worker, type WorkerOptions } from "../../tests/harness/worker.ts";
import type { ReadyBroker, RunningBroker, Settings } from "./kind.ts";

/**
 * After how long without a message it is said that no more will come, in seconds.
 * Whatever a scenario waits for, it waits no longer.
 */
const SILENCE_SECONDS = 40;

/** How long a broker may take to give what it keeps, in seconds. */
const KEPT_SECONDS = 10;

const FAILS = `
- hosts: all
  gather_facts: false
  tasks:
    - name: go wrong
      fail:
        msg: on purpose
`;

/** What one scenario has for itself. */
export class Stage implements AsyncDisposable {
  readonly broker: RunningBroker;
  /** What is left of others on a broker that is not ours is in other groups. */
  readonly group: string;
  readonly project: Project;
  readonly client: Client;
  /** All that were started, in order. */
  readonly workers: Worker[] = [];
  readonly #clients: Client[];
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: Pick<Stage, "broker" | "group" | "project" | "client">,
    stack: AsyncDisposableStack,
  ) {
    this.broker = parts.broker;
    this.group = parts.group;
    this.project = parts.project;
    this.client = parts.client;
    this.#clients = [parts.client];
    this.#stack = stack;
  }

  static async create(ready: ReadyBroker, settings: Settings): Promise<Stage> {
    await using stack = new AsyncDisposableStack();
    const broker = stack.use(await ready.start(settings));
    const group = `g-${crypto.randomUUID().slice(0, 8)}`;
    const project = stack.use(await newProject());
    const client = stack.use(await Client.connect(broker.port, { group }));
    return new Stage({ broker, group, project, client }, stack.move());
  }

  /** A worker that is ready, and ends with the rest. */
  async worker(
    id: string,
    options: Partial<WorkerOptions> = {},
  ): Promise<Worker> {
    const worker = await Worker.spawn({
      project: this.project,
      port: this.broker.port,
      id,
      ...options,
      worker: { group_name: this.group, ...options.worker },
    });
    // A scenario that was given up goes on until it notices.
    if (this.#stack.disposed) await worker.kill();
    this.workers.push(this.use(worker));
    await worker.logged("ready for tasks");
    return worker;
  }

  /** Something more that ends with the rest. */
  use<T extends AsyncDisposable>(thing: T): T {
    return this.#stack.use(thing);
  }

  /** A directory of playbooks and a controller, for another topic prefix. */
  async under(prefix: string): Promise<{ project: Project; client: Client }> {
    const project = this.use(await newProject());
    const client = this.use(
      await Client.connect(this.broker.port, { prefix, group: this.group }),
    );
    this.#clients.push(client);
    return { project, client };
  }

  /** The arguments of client commands that name the broker and the group. */
  get at(): string[] {
    return at(this.broker.port, this.group);
  }

  /**
   * Waits until all tasks have ended. Then none of them has run twice, what ran agrees with what was said, and the
   * broker keeps the final status of each.
   *
   * @param expected how many tasks end in which state
   */
  async allEnd(
    ids: readonly string[],
    expected: Record<string, number>,
  ): Promise<void> {
    await allFinal(this.client, ids);
    assert.deepEqual(
      await keptPromises(this.project, this.client, ids),
      expected,
    );
    await this.kept(ids);
  }

  /** Asserts that what the broker keeps of each task is a final status. */
  async kept(ids: readonly string[]): Promise<void> {
    const left = new Set(ids);
    const reader = await open(this.broker.port);
    try {
      reader.on("message", (topic, payload) => {
        const id = topic.split("/").at(-2)!;
        if (isFinal(payload.toString())) left.delete(id);
        else left.add(id);
      });
      // Brokers may send what they keep long after the SUBACK.
      await reader.subscribeAsync(`${this.client.base}/tasks/+/status`, {
        qos: 0,
      });
      await until("", () => left.size === 0, KEPT_SECONDS).catch(() => {
        throw new Error(
          `the broker keeps no final status of ${left.size} of ${ids.length} tasks`,
        );
      });
    } finally {
      await reader.endAsync(true);
    }
  }

  /**
   * Submits until there is a status, as docs/operations.md asks of a controller
   * for the moments in which no worker may have subscribed.
   */
  async insist(request: { task_id: string }): Promise<TaskStatus> {
    for (let attempt = 1;; attempt++) {
      await this.client.submit(request);
      try {
        return await this.client.status(request.task_id, () => true, 2);
      } catch (error) {
        if (attempt === 10) throw error;
      }
    }
  }

  /** Rejects when nothing has been published for long; never resolves. */
  silence(): Promise<never> {
    return new Promise((_, reject) => {
      let seen = -1;
      let since = 0;
      const timer = setInterval(() => {
        const now = this.#seen().length;
        if (now !== seen) since = performance.now();
        seen = now;
        if (performance.now() - since > SILENCE_SECONDS * 1000) {
          reject(new Error(`nothing was published for ${SILENCE_SECONDS} s`));
        }
      }, 1000);
      this.#stack.defer(() => clearInterval(timer));
    });
  }

  /** How often each state is the newest of a task. */
  get states(): string {
    const newest = new Map<string, string>();
    for (const { topic, text } of this.#seen()) {
      if (/\/tasks\/[^/]+\/status$/.test(topic)) newest.set(topic, text);
    }
    return told([...newest.values()]) || "no task has a status";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  #seen(): Message[] {
    return this.#clients.flatMap(({ messages }) => messages);
  }
}

function newProject(): Promise<Project> {
  return Project.create({ "fails.yml": FAILS, two: localHosts("h1", "h2") });
}

function isFinal(text: string): boolean {
  return text !== "" && JSON.parse(text).completed_at !== null;
}

/** How often each state is there: `1 running, 2 queued`. */
function told(texts: string[]): string {
  const states = texts.filter((text) => text !== "")
    .map((text) => JSON.parse(text).state as string);
  return Object.entries(Object.groupBy(states, (state) => state))
    .map(([state, all]) => `${all!.length} ${state}`).join(", ");
}
