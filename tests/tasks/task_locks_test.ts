import assert from "node:assert/strict";
import type { Lock } from "../../src/messages/lock.ts";
import type { Incoming, Outgoing } from "../../src/messages/packets.ts";
import { Topics } from "../../src/messages/topics.ts";
import { Task } from "../../src/tasks/task.ts";
import { TaskLocks } from "../../src/tasks/task_locks.ts";
import { pause, until } from "../harness/waiting.ts";

const TOPICS = new Topics("ansible", "test");
const TOPIC = TOPICS.lock("web");

/** A task that was accepted at a second of a day. */
function task(id: string, second: number, lock: string | null = "web"): Task {
  const request = { task_id: id, playbook: "p", inventory: "i", lock };
  const created = new Task(
    {
      request: request as unknown as Task["request"],
      extraVars: null,
      refusal: null,
      scheduledFor: null,
    },
    { payload: new Uint8Array(), properties: {} },
    { createdAt: new Date(Date.UTC(2026, 0, 1, 0, 0, second)) },
  );
  created.queue();
  return created;
}

/** One topic at a time, in one order for all. */
class Group {
  readonly retained = new Map<string, Incoming>();
  readonly published: Outgoing[] = [];
  readonly seats: Seat[] = [];

  publish(message: Outgoing): void {
    this.published.push(message);
    const incoming: Incoming = {
      topic: message.topic,
      payload: new TextEncoder().encode(String(message.payload)),
      retained: false,
      properties: message.properties ?? {},
    };
    this.retained.set(message.topic, incoming);
    this.seats.forEach((seat) => seat.receive(incoming));
  }

  /** What stands on the topic of the lock. */
  get standing(): Lock {
    return JSON.parse(
      new TextDecoder().decode(this.retained.get(TOPIC)!.payload),
    );
  }
}

/** A worker with its queue and its slots, as far as locks are concerned. */
class Seat implements Disposable {
  readonly waiting: Task[] = [];
  readonly active = new Set<Task>();
  readonly lost: string[] = [];
  readonly locks: TaskLocks;
  readonly #group: Group;
  readonly #subscribed = new Set<string>();
  isCutOff = false;

  constructor(
    group: Group,
    readonly id: string,
    { slots = 1, isGone = () => false, leaseMs = 60_000 }: {
      slots?: number;
      isGone?(claim: Lock): boolean;
      leaseMs?: number;
    } = {},
  ) {
    this.#group = group;
    group.seats.push(this);
    this.locks = new TaskLocks({
      channel: {
        lookUp: async (topic) => {
          if (this.isCutOff) await new Promise(() => {});
          await Promise.resolve();
          this.#subscribed.add(topic);
          const there = group.retained.get(topic);
          if (there) this.receive({ ...there, retained: true });
        },
        unsubscribe: (topic) => {
          this.#subscribed.delete(topic);
          return Promise.resolve();
        },
        publish: async (message) => {
          await Promise.resolve();
          group.publish(message);
        },
      },
      connected: () => Promise.resolve(),
      topics: TOPICS,
      workerId: id,
      instance: () => `${id}-instance`,
      isGone,
      leaseMs,
      log: {
        debug() {},
        info() {},
        warn() {},
        error: (text) => assert.fail(text),
      },
      waiting: () => this.waiting.filter(({ lock }) => lock !== null),
      isActive: (one) => this.active.has(one),
      startable: () => Math.max(0, slots - this.active.size),
      startNext: () => this.startNext(),
      publish() {},
      onLost: (one, why) => {
        this.lost.push(`${one.id}: ${why}`);
        this.end(one);
      },
    });
  }

  add(one: Task): void {
    this.waiting.push(one);
    this.startNext();
    this.locks.update();
  }

  startNext(): void {
    const next = this.waiting.find((one) => this.locks.admits(one));
    if (!next) return;
    this.waiting.splice(this.waiting.indexOf(next), 1);
    this.active.add(next);
  }

  end(one: Task): void {
    this.active.delete(one);
    this.startNext();
    this.locks.update();
  }

  receive(message: Incoming): void {
    if (this.#subscribed.has(message.topic)) {
      this.locks.receive("web", message);
    }
  }

  runs(one: Task): Promise<void> {
    return until(`${one.id} runs`, () => Promise.resolve(this.active.has(one)));
  }

  [Symbol.dispose](): void {
    this.locks[Symbol.dispose]();
  }
}

Deno.test("locks: a task without one starts, and nothing is said or asked", () => {
  const group = new Group();
  using seat = new Seat(group, "w1");
  const one = task("t", 0, null);
  seat.add(one);
  assert.ok(seat.active.has(one));
  assert.deepEqual(group.published, []);
});

Deno.test("locks: of those that wait the longest waiting has it next, in whichever worker", async () => {
  const group = new Group();
  using one = new Seat(group, "w1");
  using two = new Seat(group, "w2");
  const [first, second, third] = [task("a", 0), task("c", 2), task("b", 1)];
  one.add(first);
  await one.runs(first);
  assert.equal(group.standing.state, "held");
  one.add(second);
  two.add(third);
  await pause(0.02);
  assert.equal(third.progress.current_task, "waits for lock web");
  assert.equal(two.active.size, 0);
  one.end(first);
  await two.runs(third);
  assert.equal(one.active.size, 0);
  assert.equal(group.standing.task_id, "b");
  two.end(third);
  await one.runs(second);
  one.end(second);
  await until("free", () => Promise.resolve(group.standing.state === "free"));
  assert.equal(group.standing.generation, 3);
});

Deno.test("locks: what a process held that is no more is taken over", async () => {
  const group = new Group();
  using one = new Seat(group, "w1");
  const first = task("a", 0);
  one.add(first);
  await one.runs(first);
  let isGone = false;
  using two = new Seat(group, "w2", { isGone: () => isGone });
  // It says nothing any more.
  group.seats.shift();
  const second = task("b", 1);
  two.add(second);
  await pause(0.02);
  assert.equal(two.active.size, 0);
  isGone = true;
  two.locks.update();
  await two.runs(second);
});

Deno.test("locks: a worker that is not heard for too long ends what runs with one", async () => {
  const group = new Group();
  using seat = new Seat(group, "w1", { leaseMs: 100 });
  const one = task("a", 0);
  seat.add(one);
  await seat.runs(one);
  await pause(0.3);
  assert.deepEqual(seat.lost, [], "it is heard");
  seat.isCutOff = true;
  await until("its end", () => Promise.resolve(seat.lost.length > 0));
  assert.match(
    seat.lost[0]!,
    /^a: the broker could not be reached for so long/,
  );
  // It would come late, and hide who has it by then.
  assert.equal(group.standing.state, "held");
});

Deno.test("locks: what somebody puts back after it was given back is taken away again", async () => {
  const group = new Group();
  using seat = new Seat(group, "w1");
  const one = task("a", 0);
  seat.add(one);
  await seat.runs(one);
  const held = group.published.at(-1)!;
  seat.end(one);
  await until("free", () => Promise.resolve(group.standing.state === "free"));
  group.publish(held);
  await until(
    "free again",
    () => Promise.resolve(group.standing.state === "free"),
  );
});

Deno.test("locks: the holder says so again when somebody empties its topic", async () => {
  const group = new Group();
  using seat = new Seat(group, "w1");
  const one = task("a", 0);
  seat.add(one);
  await seat.runs(one);
  group.publish({ topic: TOPIC, payload: "", qos: 1, retain: true });
  await until("held", () => {
    const there = group.retained.get(TOPIC)!;
    return Promise.resolve(there.payload.length > 0);
  });
  assert.equal(group.standing.task_id, "a");
});
