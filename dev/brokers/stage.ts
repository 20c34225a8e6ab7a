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
import { keptPromises } from "../../tests/harness/verdict.ts";
import { until } from "../../tests/harness/waiting.ts";
import { Worker, type WorkerOptions } from "../../tests/harness/worker.ts";
import type { ReadyBroker, RunningBroker, Settings } from "./kind.ts";

/** How long nothing may end before it is said that nothing will, in seconds. */
const QUIET_SECONDS = 25;

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
   * Waits until all tasks have ended, for as long as one ends now and then.
   * Then none of them has run twice, what ran agrees with what was said, and the
   * broker keeps the final status of each.
   *
   * @param expected how many tasks end in which state
   */
  async allEnd(
    ids: readonly string[],
    expected: Record<string, number>,
  ): Promise<void> {
    await this.#ended(ids);
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
      await until(KEPT_SECONDS, "", () => left.size === 0).catch(() => {
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

  /** How often each state is the newest of a task. */
  get states(): string {
    const newest = new Map<string, string>();
    const messages = this.#clients.flatMap(({ messages }) => messages);
    for (const { topic, text } of messages) {
      if (/\/tasks\/[^/]+\/status$/.test(topic)) newest.set(topic, text);
    }
    return told([...newest.values()]) || "no task has a status";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #ended(ids: readonly string[]): Promise<void> {
    const newest = new Map<string, string>();
    const left = new Set(ids);
    let since = performance.now();
    const read = ({ topic, text }: Message) => {
      const id = topic.split("/").at(-2)!;
      if (topic !== `${this.client.base}/tasks/${id}/status`) return;
      newest.set(id, text);
      if (isFinal(text) && left.delete(id)) since = performance.now();
    };
    this.client.messages.forEach(read);
    const stop = this.client.listen(read);
    try {
      while (left.size > 0) {
        if (performance.now() - since > QUIET_SECONDS * 1000) {
          throw new Error(
            `${left.size} of ${ids.length} tasks have no end: ${
              told([...left].map((id) => newest.get(id)))
            }`,
          );
        }
        await until(1, "", () => left.size === 0).catch(() => {});
      }
    } finally {
      stop();
    }
  }
}

function newProject(): Promise<Project> {
  return Project.create({ "fails.yml": FAILS, two: localHosts("h1", "h2") });
}

function isFinal(text: string): boolean {
  return text !== "" && JSON.parse(text).completed_at !== null;
}

/** How often each state is the newest: `2 queued, 1 without any status`. */
function told(texts: (string | undefined)[]): string {
  const states = texts.map((text) =>
    text ? JSON.parse(text).state as string : "without any status"
  );
  return Object.entries(Object.groupBy(states, (state) => state))
    .map(([state, all]) => `${all!.length} ${state}`).join(", ");
}
