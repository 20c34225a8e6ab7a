/**
 * A group of any size on a simulated broker, and what its tasks cost.
 *
 * Nothing goes wrong here: no fault, no slow connection, no busy disk.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Topics } from "../../src/messages/topics.ts";
import { MOSQUITTO } from "./broker/behaviour.ts";
import { Broker } from "./broker/broker.ts";
import { after, pass, reset, virtualNow } from "./clock.ts";
import { configOf, GROUP, PREFIX } from "./configuration.ts";
import { IdleTime } from "./idle_time.ts";
import { Ledger } from "./ledger.ts";
import { Road } from "./network.ts";
import type { PlannedTask } from "./plan.ts";
import { WorkerProcess } from "./process.ts";
import { Random } from "./random.ts";

/** How many tasks there are for each worker. */
const TASKS_EACH = 30;

/** How many there are at least: with few, chance decides. */
const MIN_TASKS = 300;

/** How long a task takes on average, in seconds: from half to one and a half. */
const SECONDS = 1;

/** How much sooner tasks come than a saturated group can run them. */
const OVERLOAD = 4;

/** Between the starts of two workers, in milliseconds. */
const START_MS = 50;

/** After so many milliseconds a worker has started, and said all it has to say. */
const SETTLE_MS = 15_000;

/** Of the one run that each measurement is. */
const SEED = 1;

/** What tasks have cost. */
export interface TaskCost {
  /** Packets of the broker for each task, in and out. */
  packets: number;
  /**
   * For how long tasks waited while a worker was idle that could have run them,
   * in milliseconds; from the publication to the start, so that it includes what
   * accepting and starting a task takes in any case.
   */
  waited: { median: number; p99: number; max: number };
  /** Packets for each task, by direction, command and topic. */
  byKind: Record<string, number>;
}

/** Runs tasks in a group, of workers with one slot. */
export async function measureTasks(
  load: "saturated" | "half-idle",
  size: number,
): Promise<TaskCost> {
  const group = new Group(size);
  await group.start();
  const random = new Random(SEED, "tasks", size);
  const count = Math.max(MIN_TASKS, TASKS_EACH * size);
  const perSecond = size / SECONDS * (load === "saturated" ? OVERLOAD : 0.5);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const id = `t${i}`;
    group.tasks.set(id, {
      id,
      seconds: SECONDS * random.between(0.5, 1.5),
      outcome: "success",
    });
    // As strangers send them, who do not know of each other.
    at += -Math.log(1 - random.next()) * 1000 / perSecond;
    after(at, null, () => group.ask(id));
  }
  const before = group.broker.packets;
  group.kinds.clear();
  await group.untilAllEnded();
  return {
    packets: (group.broker.packets - before) / count,
    waited: group.idleTime.waits(),
    byKind: Object.fromEntries(
      [...group.kinds].sort(([, a], [, b]) => b - a)
        .map(([kind, times]) => [kind, times / count]),
    ),
  };
}

/** What a worker is sent that starts in a group. */
export interface Sent {
  packets: number;
  bytes: number;
}

/** Starts one more worker in an idle group. */
export async function measureNewcomer(
  size: number,
): Promise<{
  untilReady: Sent;
  afterwards: Sent;
  readyAfterMs: number;
  byKind: Record<string, number>;
}> {
  const group = new Group(size);
  await group.start();
  const sent = { packets: 0, bytes: 0 };
  group.kinds.clear();
  const since = virtualNow();
  group.startOne(`w${size + 1}`, (packet) => {
    sent.packets++;
    sent.bytes += packet.length;
  });
  const isReady = () =>
    group.broker.retained(group.topics.load(`w${size + 1}`)) !== undefined;
  await pass(since + SETTLE_MS, isReady);
  const readyAfterMs = virtualNow() - since;
  const untilReady = { ...sent };
  await pass(since + SETTLE_MS);
  return {
    byKind: Object.fromEntries(group.kinds),
    readyAfterMs,
    untilReady,
    afterwards: {
      packets: sent.packets - untilReady.packets,
      bytes: sent.bytes - untilReady.bytes,
    },
  };
}

class Group {
  readonly topics = new Topics(PREFIX, GROUP);
  readonly tasks = new Map<string, PlannedTask>();
  /** Packets by direction, command and topic. */
  readonly kinds = new Map<string, number>();
  readonly broker: Broker;
  readonly idleTime: IdleTime;
  readonly #ledger = new Ledger(this.topics);
  readonly #size: number;

  constructor(size: number) {
    reset(SEED);
    this.#size = size;
    this.idleTime = new IdleTime(size, virtualNow);
    this.#ledger.onRun = (id, ran) => this.idleTime.started(id, ran);
    this.broker = new Broker({
      behaviour: MOSQUITTO,
      random: new Random(SEED, "broker"),
      time: { now: virtualNow, after: (ms, action) => after(ms, null, action) },
      onMessage: (message) => this.#ledger.said(message),
      onPacket: (_clientId, direction, what) => {
        const words = what().split(" ");
        const topic = words.map((word) => this.topics.parse(word))
          .find((found) => found !== null);
        const kind = `${direction} ${words[0]} ${topic?.kind ?? ""}`.trim();
        this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
      },
    });
  }

  /** Starts all of them, one after the other. */
  async start(): Promise<void> {
    for (let i = 0; i < this.#size; i++) {
      after(START_MS * i, null, () => this.startOne(`w${i + 1}`));
    }
    await pass(START_MS * this.#size + SETTLE_MS);
  }

  /** Starts one, which runs until the end. */
  startOne(workerId: string, onSent = (_packet: Uint8Array) => {}): void {
    new WorkerProcess({
      seed: SEED,
      workerId,
      number: 1,
      config: configOf(workerId, {
        slots: 1,
        queueSize: MIN_TASKS,
        whenFull: "reject",
        events: false,
        signed: false,
        pieces: 0,
      }),
      journal: null,
      road: new Road(),
      broker: () => (link) => {
        const { send } = link;
        this.broker.accept(Object.assign(link, {
          send: (packet: Uint8Array) => {
            onSent(packet);
            send(packet);
          },
        }));
      },
      tasks: this.tasks,
      busyDisk: 0,
      ledger: this.#ledger,
      log: null,
      onStep: () => {},
      onExit: (how) => {
        throw new Error(`${workerId} ${how}`);
      },
    });
  }

  /** Publishes the request of a task. */
  ask(id: string): void {
    this.idleTime.asked(id);
    this.broker.publish({
      topic: this.topics.tasks,
      payload: Buffer.from(JSON.stringify({
        task_id: id,
        playbook: "site.yml",
        inventory: "hosts.ini",
      })),
      qos: 2,
      retain: false,
      properties: {},
    });
  }

  /** Until all tasks have a final status, and all is said. */
  async untilAllEnded(): Promise<void> {
    const open = new Set(this.tasks.keys());
    let next = 0;
    await pass(Infinity, () => {
      if (virtualNow() < next) return false;
      next = virtualNow() + 100;
      for (const id of open) {
        if (this.#ledger.task(id).finals.size > 0) open.delete(id);
      }
      return open.size === 0;
    });
    await pass(virtualNow() + 1000);
  }
}
