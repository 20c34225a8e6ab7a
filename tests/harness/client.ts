/**
 * A controller: publishes requests, and records everything of a group. What
 * workers have published has to be valid by the schemas that the program
 * prints; that is asserted when the controller leaves.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import mqtt from "mqtt";
import type { IClientOptions, MqttClient } from "mqtt";
import type { TaskStatus } from "../../src/messages/task_status.ts";
import { CHECK_PROPERTY } from "../../src/mqtt/mod.ts";
import { objection, schemaOf } from "./printed_schemas.ts";
import { PATIENCE, until, within } from "./waiting.ts";

/**
 * How many publications may be under way at once, where the broker's Receive
 * Maximum (3.2.2.3.3) allows as many: mosquitto's is 20.
 */
const MAX_IN_FLIGHT = 15;

/** A message as it was seen. */
export interface Message {
  topic: string;
  text: string;
  retained: boolean;
  user: Record<string, string>;
  /** When it was seen, in milliseconds of `performance.now()`. */
  at: number;
}

/** What a controller may say in a request beside the required fields. */
export type Request = { task_id: string } & Record<string, unknown>;

/** What tests have published where workers do, which need not be valid. */
const byTests = new Set<string>();

/** A controller that sees everything below a topic prefix. */
export class Client implements AsyncDisposable {
  readonly messages: Message[] = [];
  readonly base: string;
  /** A connection of its own: publishing must not wait for watching. */
  readonly publisher: MqttClient;
  readonly #watcher: MqttClient;
  readonly #listeners = new Set<(message: Message) => void>();
  /** How many messages of each kind were compared with their schema. */
  readonly checked = new Map<string, number>();
  readonly #objections: string[] = [];
  /** Publications that wait for others to be acknowledged. */
  readonly #turns: (() => void)[] = [];
  readonly #maxInFlight: number;
  #underWay = 0;
  #holds = 0;

  private constructor(
    base: string,
    { publisher, watcher }: { publisher: Connected; watcher: Connected },
  ) {
    this.publisher = publisher.client;
    this.#watcher = watcher.client;
    this.base = base;
    this.#maxInFlight = Math.min(publisher.receiveMaximum, MAX_IN_FLIGHT);
    this.#watcher.on("message", (topic, payload, packet) => {
      const message: Message = {
        topic,
        text: payload.toString(),
        retained: packet.retain,
        user: { ...packet.properties?.userProperties } as Record<
          string,
          string
        >,
        at: performance.now(),
      };
      this.messages.push(message);
      this.#check(message);
      for (const listener of [...this.#listeners]) listener(message);
    });
  }

  static async connect(
    port: number,
    options: {
      prefix?: string;
      group?: string;
      mqtt?: Partial<IClientOptions>;
    } = {},
  ): Promise<Client> {
    const { prefix = "ansible", group = "test" } = options;
    // A session that outlives a restart of the broker: nothing is to be missed.
    const connection = () =>
      connect(port, {
        clean: false,
        clientId: `client-${crypto.randomUUID().slice(0, 8)}`,
        properties: { sessionExpiryInterval: 3600 },
        ...options.mqtt,
      });
    const [publisher, watcher] = await Promise.all([
      connection(),
      connection(),
    ]);
    const client = new Client(`${prefix}/${group}`, { publisher, watcher });
    await watcher.client.subscribeAsync(`${prefix}/#`, { qos: 2 });
    return client;
  }

  /** Publishes a task request. */
  async submit(request: Request, properties = {}): Promise<void> {
    await this.publish(`${this.base}/tasks`, JSON.stringify(request), {
      qos: 2,
      properties,
    });
  }

  /** Publishes anything. */
  async publish(
    topic: string,
    payload: string | Uint8Array,
    options: { qos?: 0 | 1 | 2; retain?: boolean; properties?: object } = {},
  ): Promise<void> {
    // What is more than the broker takes at a time, it drops.
    if (this.#mayPublish) this.#underWay++;
    else await new Promise<void>((resolve) => this.#turns.push(resolve));
    if (schemaOf(topic)) byTests.add(`${topic} ${Buffer.from(payload)}`);
    try {
      await this.publisher.publishAsync(
        topic,
        typeof payload === "string" ? payload : Buffer.from(payload),
        { qos: options.qos ?? 1, ...options },
      );
    } finally {
      this.#underWay--;
      this.#goOn();
    }
  }

  /** Publishes nothing more until the function that it returns is called. */
  hold(): () => void {
    this.#holds++;
    return () => {
      this.#holds--;
      this.#goOn();
    };
  }

  /** Settles when all that was published is acknowledged. */
  unacknowledged(): Promise<void> {
    return until("the acknowledgements", () => this.#underWay === 0);
  }

  /** Asks for the end of a task. */
  cancel(taskId: string, reason?: string): Promise<void> {
    return this.publish(
      `${this.base}/tasks/${taskId}/cancel`,
      reason === undefined ? "" : JSON.stringify({ reason }),
    );
  }

  /** The first message, past or to come, that fits. */
  message(
    what: string,
    fits: (message: Message) => boolean,
    seconds = PATIENCE,
  ): Promise<Message> {
    const past = this.messages.find(fits);
    if (past) return Promise.resolve(past);
    const { promise, resolve } = Promise.withResolvers<Message>();
    const listener = (message: Message) => {
      if (fits(message)) resolve(message);
    };
    this.#listeners.add(listener);
    return within(
      () =>
        `${what}; the last messages were:\n${
          this.messages.slice(-15).map(({ topic, text }) =>
            `${topic} ${text.slice(0, 300)}`
          ).join("\n")
        }`,
      promise,
      seconds,
    ).finally(() => this.#listeners.delete(listener));
  }

  /** The first status of a task, past or to come, that fits. */
  async status(
    taskId: string,
    fits: (status: TaskStatus) => boolean,
    seconds = PATIENCE,
  ): Promise<TaskStatus> {
    const topic = `${this.base}/tasks/${taskId}/status`;
    const { text } = await this.message(
      `a status of ${taskId}`,
      (message) =>
        message.topic === topic && message.text !== "" &&
        fits(JSON.parse(message.text)),
      seconds,
    );
    return JSON.parse(text);
  }

  /** The final status of a task. */
  final(taskId: string, seconds = PATIENCE): Promise<TaskStatus> {
    return this.status(
      taskId,
      ({ completed_at }) => completed_at !== null,
      seconds,
    );
  }

  /** Submits a request and waits for its final status. */
  async run(request: Request, seconds = PATIENCE): Promise<TaskStatus> {
    await this.submit(request);
    return await this.final(request.task_id, seconds);
  }

  /** Calls back with each message, until the function that it returns is called. */
  listen(listener: (message: Message) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Every status of a task that has been seen. */
  history(taskId: string): TaskStatus[] {
    const topic = `${this.base}/tasks/${taskId}/status`;
    return this.messages.filter((message) =>
      message.topic === topic && message.text !== ""
    ).map(({ text }) => JSON.parse(text));
  }

  /** What was rejected. */
  rejected(): Record<string, unknown>[] {
    return this.messages.filter(({ topic }) =>
      topic === `${this.base}/rejected`
    ).map(({ text }) => JSON.parse(text));
  }

  /** The retained message on a topic, asked for now; null for none. */
  async retained(port: number, topic: string): Promise<string | null> {
    return (await this.allRetained(port, topic)).get(topic) ?? null;
  }

  /** The retained messages on all topics of a filter, asked for now. */
  async allRetained(
    port: number,
    filter: string,
  ): Promise<Map<string, string>> {
    const client = await open(port);
    const found = new Map<string, string>();
    client.on(
      "message",
      (topic, payload) => found.set(topic, payload.toString()),
    );
    await client.subscribeAsync(filter, { qos: 0 });
    await client.unsubscribeAsync(filter);
    await client.endAsync(true);
    return found;
  }

  /** The ids of the tasks that a worker has, by its records. */
  async records(port: number, workerId: string): Promise<string[]> {
    const filter = `${this.base}/workers/${workerId}/queue/+`;
    const found = await this.allRetained(port, filter);
    return [...found.keys()].map((topic) => topic.split("/").at(-1)!)
      .filter((id) => !id.startsWith("!"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([
      this.publisher.endAsync(true),
      this.#watcher.endAsync(true),
    ]);
    assert.deepEqual(this.#objections, [], "valid by the printed schemas");
  }

  get #mayPublish(): boolean {
    return this.#holds === 0 && this.#underWay < this.#maxInFlight;
  }

  /** Whoever's turn it is counts at once: nobody else has the place meanwhile. */
  #goOn(): void {
    while (this.#mayPublish && this.#turns.length > 0) {
      this.#underWay++;
      this.#turns.shift()!();
    }
  }

  #check({ topic, text, user }: Message): void {
    const schema = schemaOf(topic);
    // An empty message clears a retained one.
    if (!schema || text === "" || byTests.has(`${topic} ${text}`)) return;
    // The doctor's trials are no messages of workers, and workers pass them over.
    if (CHECK_PROPERTY in user) return;
    this.checked.set(schema, (this.checked.get(schema) ?? 0) + 1);
    let wrong: string | null;
    try {
      wrong = objection(schema, JSON.parse(text));
    } catch {
      wrong = "it is no JSON";
    }
    if (wrong) this.#objections.push(`${topic} ${text}: ${wrong}`);
  }
}

/** Opens an MQTT 5 connection, and goes on trying. */
export async function open(
  port: number,
  options: Partial<IClientOptions> = {},
): Promise<MqttClient> {
  return (await connect(port, options)).client;
}

/** A connection, and what the broker has said of it. */
interface Connected {
  client: MqttClient;
  receiveMaximum: number;
}

function connect(
  port: number,
  options: Partial<IClientOptions>,
): Promise<Connected> {
  const client = mqtt.connect({
    host: "127.0.0.1",
    port,
    protocolVersion: 5,
    reconnectPeriod: 100,
    ...options,
  });
  client.on("error", () => {});
  return new Promise((resolve) =>
    client.once("connect", ({ properties }) => {
      const stream = client.stream as { setNoDelay?(on: boolean): void };
      stream.setNoDelay?.(true);
      resolve({ client, receiveMaximum: properties?.receiveMaximum ?? 65_535 });
    })
  );
}
