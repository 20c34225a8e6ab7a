/**
 * Who has a task, where messages cross: a real broker cannot be made to deliver
 * to one client and not yet to the other, so this one is a fake that does.
 */
import {
  ConnectionClosedError,
  type Outgoing,
} from "../../src/messages/packets.ts";
import assert from "node:assert/strict";
import { Journal } from "../../src/tasks/journal.ts";
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
  /** Whether somebody has taken over what it had. */
  wasLost = false;
  readonly contested: string[] = [];
  readonly #broker: Broker;
  #isClosed = false;

  constructor(broker: Broker, id: string, instance = id) {
    this.#broker = broker;
    broker.members.set(id, this);
    this.board = new StatusBoard({
      channel: {
        lookUp: () => {
          if (this.#isClosed) {
            return Promise.reject(new ConnectionClosedError("closed"));
          }
          this.subscribed = true;
          if (broker.retained) this.#receive(broker.retained, true);
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
      journal: new Journal({
        file: null,
        topics: TOPICS,
        workerId: id,
        windowSeconds: 3600,
        log: LOG,
      }),
      instance,
      retentionSeconds: 0,
      windowSeconds: 3600,
      responses: { follow() {}, send() {} },
      log: LOG,
      onGone: () => this.wasLost = true,
      onContested: (task) => this.contested.push(task.id),
    });
  }

  /** It stops: nothing can be asked of the broker any more. */
  close(): void {
    this.#isClosed = true;
  }

  /** Reads so many of the messages that wait for it; all, if left out. */
  read(most = Infinity): boolean {
    const some = this.unread.length > 0;
    for (let i = 0; i < most && this.unread.length > 0; i++) {
      this.#receive(this.unread.shift()!, false);
    }
    return some;
  }

  /** The task, as it is from its first acceptance on. */
  task(createdAt: Date): Task {
    const task = new Task(
      {
        request: { task_id: "t", playbook: "p", inventory: "i" },
        extraVars: null,
        refusal: null,
        scheduledFor: null,
      } as ConstructorParameters<typeof Task>[0],
      { payload: new Uint8Array(), properties: {} },
      { createdAt },
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

/** When the holder has accepted the task, and when others would have. */
const FIRST = new Date("2026-05-04T12:00:00.000Z");
const LATER = new Date("2026-05-04T12:00:01.000Z");

/** A worker that holds the task, and another that looked before it did. */
async function held() {
  const broker = new Broker();
  const stranger = new Member(broker, "a-stranger");
  const holder = new Member(broker, "holder");
  assert.equal((await stranger.board.look("t", () => NEW)).judgement, "take");
  assert.equal((await holder.board.look("t", () => NEW)).judgement, "take");
  const taking = holder.board.take(holder.task(FIRST), null);
  holder.read();
  assert.ok(await taking);
  return { broker, stranger, holder, from: holder.board.token("t")! };
}

Deno.test("status board: of two that take a task at once the one that accepted it first has it", async () => {
  for (const isFirst of [true, false]) {
    const { broker, stranger, holder } = await held();
    const attempt = stranger.board.take(
      stranger.task(isFirst ? LATER : new Date(FIRST.getTime() - 1000)),
      null,
    );
    await settle(broker);
    assert.equal(await attempt, !isFirst);
    const winner = isFirst ? holder : stranger;
    assert.equal(
      (isFirst ? stranger : holder).board.token("t"),
      null,
    );
    assert.notEqual(winner.board.token("t"), null);
    assert.equal(
      broker.retained!.properties!.user!.token,
      winner.board.token("t"),
    );
  }
});

Deno.test("status board: of two that accepted a task in one millisecond exactly one has it", async () => {
  const { broker, stranger, holder } = await held();
  const attempt = stranger.board.take(stranger.task(FIRST), null);
  await settle(broker);
  assert.equal(await attempt, true, "the lower token");
  assert.equal(holder.board.token("t"), null);
  assert.equal(
    broker.retained!.properties!.user!.token,
    stranger.board.token("t"),
  );
});

Deno.test("status board: a stranger's attempt takes no task from the peer that it is offered to", async () => {
  const { broker, stranger, holder, from } = await held();
  const peer = new Member(broker, "peer");
  const offered = { redelivered: false, from };
  assert.equal((await peer.board.look("t", () => offered)).judgement, "take");

  const attempt = stranger.board.take(stranger.task(LATER), null);
  peer.read(1);
  const taken = peer.board.take(peer.task(FIRST), from);
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
  for (const peerId of ["a-peer", "peer"]) {
    Deno.test(`status board: a task that is taken back while ${peerId} takes it is taken once, ${first} being first`, async () => {
      const { broker, holder, from } = await held();
      const peer = new Member(broker, peerId);
      const offered = { redelivered: false, from };
      const look = peer.board.look("t", () => offered);
      assert.equal((await look).judgement, "take");
      const taken = new Map<Member, Promise<boolean>>();
      const steps = [
        () => taken.set(holder, holder.board.retake(holder.task(FIRST))),
        () => taken.set(peer, peer.board.take(peer.task(FIRST), from)),
      ];
      if (first === "the peer") steps.reverse();
      for (const step of steps) {
        step();
        // Until it has published.
        for (let i = 0; i < 20; i++) await Promise.resolve();
      }
      await settle(broker);
      const winner = peerId < "holder" ? peer : holder;
      for (const [member, attempt] of taken) {
        const hasIt = await attempt && !member.wasLost;
        assert.equal(hasIt, member === winner);
      }
      assert.equal(
        broker.retained!.properties!.user!.token,
        winner.board.token("t"),
      );
    });
  }
}

Deno.test("status board: a stranger's attempt takes no task from the next process of its dead holder", async () => {
  const { broker, stranger, from } = await held();
  broker.members.delete("holder");
  const next = new Member(broker, "holder", "next");
  const again = { redelivered: true, from: null };
  assert.equal((await next.board.look("t", () => again)).judgement, "take");
  const attempt = stranger.board.take(stranger.task(LATER), null);
  const taken = next.board.take(next.task(FIRST), from);
  await settle(broker);
  assert.deepEqual([await attempt, await taken], [false, true]);
  assert.equal(broker.retained!.properties!.user!.token, next.board.token("t"));
});

Deno.test("status board: a task that was refused is known to be, when its message is delivered again", async () => {
  const broker = new Broker();
  const first = new Member(broker, "holder");
  assert.equal((await first.board.look("t", () => NEW)).judgement, "take");
  const task = first.task(FIRST);
  task.end({ state: "failed", error: "queue full (1)" });
  await first.board.end(task);
  const next = new Member(broker, "holder");
  const again = { redelivered: true, from: null };
  assert.equal((await next.board.look("t", () => again)).judgement, "stale");
});

Deno.test("status board: of two whose runs are announced at once the one whose message came first goes on", async () => {
  const { broker, holder, from } = await held();
  const peer = new Member(broker, "peer");
  const offered = { redelivered: false, from };
  assert.equal((await peer.board.look("t", () => offered)).judgement, "take");
  const mine = holder.task(FIRST);
  mine.start(null);
  const begun = holder.board.begin(mine);
  const taken = peer.board.take(peer.task(FIRST), from);
  await settle(broker);
  assert.deepEqual([await begun, await taken], [true, false]);
  assert.match(broker.retained!.payload as string, /"state":"running"/);
});

Deno.test("status board: who has accepted a copy of what another one had first, and waits or starts, is told so", async () => {
  for (const begins of [false, true]) {
    const broker = new Broker();
    const first = new Member(broker, "first");
    const second = new Member(broker, "second");
    assert.equal((await first.board.look("t", () => NEW)).judgement, "take");
    assert.equal((await second.board.look("t", () => NEW)).judgement, "take");
    const mine = second.task(new Date(FIRST.getTime() + 1000));
    const taking = second.board.take(mine, null);
    await settle(broker);
    assert.equal(await taking, true);
    if (begins) mine.start(null);
    const begun = begins ? second.board.begin(mine) : null;
    const taken = first.board.take(first.task(FIRST), null);
    await settle(broker);
    assert.deepEqual(
      [await begun, await taken],
      begins ? [true, false] : [
        null,
        true,
      ],
    );
    assert.deepEqual(second.contested, begins ? [] : ["t"]);
  }
});

Deno.test("status board: a bid that comes when the connection was closed here ends nothing", async () => {
  const { broker, stranger, holder } = await held();
  holder.close();
  void stranger.board.take(stranger.task(LATER), null);
  await settle(broker);
  // The look that it would take is not to be had, and nobody waits for it.
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.notEqual(holder.board.token("t"), null);
});
