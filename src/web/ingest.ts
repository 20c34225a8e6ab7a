/**
 * The page's session at the broker: what the group says goes into the database,
 * and what is there of workers is kept at hand.
 *
 * The session is the database's own, by an id that is in it, and the broker
 * keeps it while the page is away: messages are answered when they were written
 * down. What is retained is asked for again with each connection, at QoS 0 (see
 * `client/connection.ts`), and is written down in the order of time when all of
 * it is there.
 *
 * @module
 */
import { eventSchema } from "../messages/event.ts";
import { outputSchema } from "../messages/output.ts";
import type { Delivery, Outgoing } from "../messages/packets.ts";
import { readAs } from "../messages/presence.ts";
import { type Rejected, rejectedSchema } from "../messages/rejected.ts";
import {
  receivedStatusSchema,
  type TaskStatus,
} from "../messages/task_status.ts";
import type { Topics } from "../messages/topics.ts";
import { GroupView } from "../client/group_view.ts";
import type { Log } from "../log.ts";
import { type Broker, MqttConnection, Quiet } from "../mqtt/mod.ts";
import type { Database } from "./database.ts";
import type { Recorder } from "./recorder.ts";

/** Messages that the broker may send before one is answered. */
const RECEIVE_MAXIMUM = 1000;

/** How long the broker keeps the session while the page is away: a week. */
const SESSION_SECONDS = 7 * 24 * 3600;

const looseEvent = eventSchema.loose();
const looseOutput = outputSchema.loose();
const looseRejected = rejectedSchema.loose();

/** What is to be known beside what is written down. */
export interface IngestEvents {
  /** A worker has come, has gone, or has other work; a lock is another's. */
  onWorkers(): void;
  /** The connection is there, or is lost. */
  onConnection(isConnected: boolean): void;
  /** A status of a task was written down. */
  onStatus(status: TaskStatus): void;
  /** A message was rejected by a worker. */
  onRejected(rejected: Rejected): void;
}

/** The session. */
export class Ingest implements AsyncDisposable {
  /** The workers and the locks. */
  readonly view: GroupView;
  readonly #topics: Topics;
  readonly #recorder: Recorder;
  readonly #log: Log;
  readonly #events: IngestEvents;
  readonly #connection: MqttConnection;
  readonly #quiet = new Quiet();
  /** Retained statuses, until all are there; null: they are. */
  #retained: TaskStatus[] | null = [];
  #passedOver = 0;

  /** It is not connected yet. */
  constructor(
    { broker, topics, database, recorder, log, ...events }: {
      broker: Broker;
      topics: Topics;
      database: Database;
      recorder: Recorder;
      log: Log;
    } & IngestEvents,
  ) {
    this.view = new GroupView(topics);
    this.#topics = topics;
    this.#recorder = recorder;
    this.#log = log;
    this.#events = events;
    this.#connection = new MqttConnection({
      broker,
      clientId: clientIdOf(database, topics),
      sessionExpiry: SESSION_SECONDS,
      receiveMaximum: RECEIVE_MAXIMUM,
      onConnect: ({ present }) => this.#subscribe(present),
      onReady: () => {
        log.info(
          "connected to the broker; what the group says is written down",
        );
        events.onConnection(true);
      },
      onLost: (reason) => {
        log.warn(`the connection to the broker is lost: ${reason}`);
        events.onConnection(false);
      },
      onTakenOver: () =>
        log.error(
          "another page uses the same session at the broker: this database, or a copy of it, is in use twice. Stop one of the two",
        ),
      onDelivery: (delivery) => this.#receive(delivery),
    });
  }

  /** Whether the broker is connected. */
  get isConnected(): boolean {
    return this.#connection.ready;
  }

  /**
   * Connects, and goes on trying.
   *
   * @throws {BrokerUnsuitableError} the broker cannot be used
   */
  connect(): Promise<void> {
    return this.#connection.connect();
  }

  /**
   * Publishes a message.
   *
   * @throws {PublishError} the broker refused it
   * @throws {ConnectionLostError} whether it has it is not known
   */
  publish(message: Outgoing): Promise<void> {
    return this.#connection.publish(message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#recorder.flush();
    await this.#connection[Symbol.asyncDispose]();
  }

  async #subscribe(present: boolean): Promise<void> {
    const { group, allStatuses, allPresences, allLoads, allLocks, rejected } =
      this.#topics;
    this.#retained = [];
    const subscribe = this.#connection.subscribe.bind(this.#connection);
    await Promise.all([
      subscribe(`${group}/tasks/+/events`, { qos: 1 }),
      subscribe(`${group}/tasks/+/output`, { qos: 1 }),
      subscribe(rejected, { qos: 1 }),
      ...[allStatuses, allPresences, allLoads, allLocks].flatMap((topic) => [
        subscribe(topic, { qos: 0 }),
        subscribe(topic, { qos: 1, retained: false }),
      ]),
    ]);
    await this.#quiet.settle();
    const retained = this.#retained;
    this.#retained = null;
    retained.sort((a, b) => a.created_at < b.created_at ? -1 : 1);
    for (const status of retained) {
      this.#recorder.put({ kind: "status", status });
    }
    this.#recorder.flush();
    this.#log.debug("what is retained was received", {
      statuses: retained.length,
      session_present: present,
    });
  }

  #receive(delivery: Delivery): void {
    const { topic, payload } = delivery;
    this.#quiet.receive(delivery);
    const about = this.#topics.parse(topic);
    const answer = () => delivery.answer();
    switch (about?.kind) {
      case "status": {
        const status = readAs(receivedStatusSchema, payload);
        if (status?.task_id !== about.taskId) return this.#passOver(delivery);
        // What comes while they are asked for is retained, too, or soon will be.
        if (this.#retained !== null && delivery.retained) {
          this.#retained.push(status);
          return answer();
        }
        return this.#recorder.put({ kind: "status", status }, () => {
          answer();
          this.#events.onStatus(status);
        });
      }
      case "events": {
        const event = readAs(looseEvent, payload);
        if (event?.task_id !== about.taskId) return this.#passOver(delivery);
        return this.#recorder.put({ kind: "event", event }, answer);
      }
      case "output": {
        const output = readAs(looseOutput, payload);
        if (output?.task_id !== about.taskId) return this.#passOver(delivery);
        return this.#recorder.put({ kind: "output", output }, answer);
      }
      case "rejected": {
        const rejected = readAs(looseRejected, payload);
        if (rejected && !delivery.retained) this.#events.onRejected(rejected);
        return answer();
      }
      default: {
        const change = this.view.receive(delivery);
        if (change) this.#events.onWorkers();
        return answer();
      }
    }
  }

  /** What is empty was cleared; what does not fit its schema is somebody's mistake. */
  #passOver(delivery: Delivery): void {
    delivery.answer();
    if (delivery.payload.length === 0) return;
    this.#passedOver++;
    // The first, and then fewer and fewer: whoever sends them sends many.
    if (Math.log2(this.#passedOver) % 1 !== 0) return;
    this.#log.warn("a message that fits no schema is passed over", {
      topic: delivery.topic,
      passed_over: this.#passedOver,
    });
  }
}

/** The id of the session: one for each database and group. */
function clientIdOf(database: Database, { group }: Topics): string {
  const name = `client_id ${group}`;
  const known = database.get<{ value: string }>(
    "SELECT value FROM settings WHERE name = ?",
    name,
  );
  if (known) return known.value;
  const id = `ansible-worker-web-${crypto.randomUUID().slice(0, 13)}`;
  database.run("INSERT INTO settings VALUES (?, ?)", name, id);
  return id;
}
