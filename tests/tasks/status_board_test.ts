/**
 * Who has a task, where messages cross: a real broker cannot be made to deliver
 * to one client and not yet to the other, so this one is a fake that does.
 */
import type { Outgoing } from "../../src/messages/packets.ts";
import assert from "node:assert/strict";
import { StatusBoard } from "../../src/tasks/status_board.ts";
import { Task } from "../../src/tasks/task.ts";
import { Topics } from "../../src/messages/topics.ts";

const LOG = { debug() {}, info() {}, warn() {}, error() {} };
const TOPICS = new Topics("ansible", "test");

/** One topic, whose order is the broker's; each client reads when it is told. */
class Broker {
  retained: Outgoing | null = null;
  readonly members = new Map<string, Member>();

  publish(message: Outgoing): void {
    this.retained = message;
    for (const member of this.members.values()) {
      if (member.subscribed) member.unread.push(message);
    }
  }
}

/** A worker. */
class Member {
  readonly board: StatusBoard;
  readonly unread: Outgoing[] = [];
  subscribed = false;
  readonly #broker: Broker;

  constructor(broker: Broker, id: string) {
    this.#broker = broker;
    broker.members.set(id, this);
    this.board = new StatusBoard({
      channel: {
        subscribe: (_topic, { retained }) => {
          this.subscribed = true;
          if (retained !== false && broker.retained) {
            this.#receive(broker.retained, true);
          }
          return Promise.resolve();
        },
        unsubscribe: () => {
          this.subscribed = false;
          return Promise.resolve();
        },
        publish: (message) => {
          broker.publish(message);
          return Promise.resolve();
        },
      },
      connected: () => Promise.resolve(),
      topics: TOPICS,
      workerId: id,
      instance: id,
      retentionSeconds: 0,
      windowSeconds: 3600,
      responses: { send() {} },
      log: LOG,
      onGone() {},
    });
  }

  /** Reads so many of the messages that wait for it; all, if left out. */
  read(most = Infinity): boolean {
    const some = this.unread.length > 0;
    for (let i = 0; i < most && this.unread.length > 0; i++) {
      this.#receive(this.unread.shift()!, false);
    }
    return some;
  }

  task(): Task {
    const task = new Task(
      {
        request: { task_id: "t", playbook: "p", inventory: "i" },
        extraVars: null,
      } as ConstructorParameters<typeof Task>[0],
      {
        topic: TOPICS.tasks,
        payload: new Uint8Array(),
        properties: {},
        redelivered: false,
        retained: false,
        release: () => Promise.resolve(),
      },
    );
    task.queue();
    return task;
  }

  #receive({ topic, payload, properties }: Outgoing, retained: boolean): void {
    const bytes = new TextEncoder().encode(payload as string);
    this.board.receive("t", {
      topic,
      payload: bytes,
      retained,
      properties: properties ?? {},
    });
  }
}

/** Lets everybody read until there is nothing left to read. */
async function settle(broker: Broker): Promise<void> {
  for (let quiet = 0; quiet < 5;) {
    await Promise.resolve();
    const read = [...broker.members.values()].map((member) => member.read());
    quiet = read.includes(true) ? 0 : quiet + 1;
  }
}

const NEW = { redelivered: false, from: null };

/** A worker that holds the task, and another that looked before it did. */
async function held() {
  const broker = new Broker();
  const stranger = new Member(broker, "stranger");
  const holder = new Member(broker, "holder");
  assert.equal((await stranger.board.look("t", NEW)).judgement, "take");
  assert.equal((await holder.board.look("t", NEW)).judgement, "take");
  const taking = holder.board.take(holder.task());
  holder.read();
  assert.ok(await taking);
  return { broker, stranger, holder, from: holder.board.token("t")! };
}

Deno.test("status board: a stranger's attempt takes no task from the peer that it is offered to", async () => {
  const { broker, stranger, holder, from } = await held();
  const peer = new Member(broker, "peer");
  const offered = { redelivered: false, from };
  assert.equal((await peer.board.look("t", offered)).judgement, "take");

  const attempt = stranger.board.take(stranger.task());
  peer.read(1);
  const taken = peer.board.take(peer.task());
  await settle(broker);

  assert.equal(await attempt, false);
  assert.equal(await taken, true);
  assert.equal(holder.board.token("t"), null);
  assert.equal(
    broker.retained!.properties!.user!.token,
    peer.board.token("t"),
  );
});

for (const first of ["the holder", "the peer"]) {
  Deno.test(`status board: a task that is taken back is taken once, by ${first} if it is first`, async () => {
    const { broker, holder, from } = await held();
    const peer = new Member(broker, "peer");
    const offered = { redelivered: false, from };
    const look = peer.board.look("t", offered);
    assert.equal((await look).judgement, "take");
    const steps = [
      () => holder.board.retake(holder.task()),
      () => peer.board.take(peer.task()),
    ];
    if (first === "the peer") steps.reverse();
    const results = [];
    for (const step of steps) {
      results.push(step());
      // Until it has published.
      for (let i = 0; i < 20; i++) await Promise.resolve();
    }
    await settle(broker);
    assert.deepEqual(await Promise.all(results), [true, false]);
    const winner = first === "the peer" ? peer : holder;
    assert.equal(
      broker.retained!.properties!.user!.token,
      winner.board.token("t"),
    );
  });
}

Deno.test("status board: a stranger's attempt takes no task from the next process of its dead holder", async () => {
  const { broker, stranger } = await held();
  broker.members.delete("holder");
  const next = new Member(broker, "holder");
  const again = { redelivered: true, from: null };
  assert.equal((await next.board.look("t", again)).judgement, "take");
  const attempt = stranger.board.take(stranger.task());
  const taken = next.board.take(next.task());
  await settle(broker);
  assert.deepEqual([await attempt, await taken], [false, true]);
  assert.equal(broker.retained!.properties!.user!.token, next.board.token("t"));
});

Deno.test("status board: a task that was refused is known to be, when its message is delivered again", async () => {
  const broker = new Broker();
  const first = new Member(broker, "holder");
  assert.equal((await first.board.look("t", NEW)).judgement, "take");
  const task = first.task();
  task.end({ state: "failed", error: "queue full (1)" });
  await first.board.publish(task);
  const next = new Member(broker, "holder");
  const again = { redelivered: true, from: null };
  assert.equal((await next.board.look("t", again)).judgement, "stale");
});
