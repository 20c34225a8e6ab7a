/**
 * What an adopter does, and in what order, where a real worker would have to be
 * killed at one moment of many.
 */
import assert from "node:assert/strict";
import { fulfilledWithin } from "../../src/deadline.ts";
import {
  AdoptedElsewhereError,
  Adoption,
  WorkerReturnedError,
} from "../../src/group/adoption.ts";
import { AdoptionRing } from "../../src/group/adoption_ring.ts";
import { Peers } from "../../src/group/peers.ts";
import {
  ConnectionLostError,
  ConnectionRefusedError,
  type Delivery,
  type Outgoing,
} from "../../src/messages/packets.ts";
import type { Presence } from "../../src/messages/presence.ts";
import { Topics } from "../../src/messages/topics.ts";
import type { FoundRecord } from "../../src/tasks/records.ts";

const TOPICS = new Topics("ansible", "test");
const NOW = "2026-05-04T12:00:00.000Z";

const record = (taskId: string): FoundRecord => ({
  taskId,
  message: {
    topic: TOPICS.record("dead", taskId),
    payload: new Uint8Array(),
    retained: true,
    properties: {},
  },
});

type Waiting = Pick<Delivery, "topic" | "properties" | "redelivered">;

const presenceOf = (state: "offline" | "online"): Presence => ({
  worker_id: "dead",
  instance: "i",
  state,
  slots: 1,
  version: "1",
  ansible_version: "2",
  host: "h",
  started_at: NOW,
  updated_at: NOW,
});

/** An adopter of "dead", and what it does. */
function setUp(
  options: {
    records?: string[];
    /** What the broker still has for the dead worker; null: it lets nobody in. */
    session?: Waiting[] | null;
    /** Of these it says that it has them, being back. */
    hasBack?: string[];
    /** The connection to it cannot be had once. */
    isLost?: boolean;
    onStep?: (step: string) => void;
    /** Its mark has been seen by all. */
    onLook?: (peers: Peers) => void;
  },
) {
  const { hasBack = [], records = [], session = [], onLook, onStep } = options;
  let { isLost = false } = options;
  const peers = new Peers("adopter");
  const say = (state: "offline" | "online") =>
    peers.presence("dead", presenceOf(state), { retained: false });
  say("offline");
  const did: string[] = [];
  const published: Outgoing[] = [];
  const warnings: string[] = [];
  const deliveries: Delivery[] = (session ?? []).map((one) => ({
    ...one,
    payload: new Uint8Array(),
    retained: false,
    answer: () => did.push(`answers ${one.topic}`),
  }));
  const adoption = new Adoption({
    workerId: "adopter",
    topics: TOPICS,
    channel: {
      publish: (message) => {
        const { topic, payload } = message;
        published.push(message);
        const state = /"state":"(\w+)"/.exec(String(payload))?.[1];
        did.push(`publishes ${topic}${state ? ` ${state}` : ""}`);
        if (topic === TOPICS.presence("dead")) {
          const presence = JSON.parse(String(payload));
          peers.presence("dead", presence, { retained: false });
        }
        return Promise.resolve();
      },
      lookUp: () => {
        onLook?.(peers);
        return Promise.resolve();
      },
    },
    peers,
    log: {
      debug() {},
      info() {},
      warn: (text) => warnings.push(text),
      error() {},
    },
    records: () => Promise.resolve(records.map(record)),
    takeOver: ({ taskId }, holder) => {
      if (hasBack.includes(taskId)) return Promise.resolve(false);
      did.push(`takes ${taskId} over from ${holder}`);
      return Promise.resolve(true);
    },
    undelivered: ({ topic }, { to }) => {
      did.push(`undelivered ${topic} ${to}`);
      return Promise.resolve();
    },
    openIntake: () => {
      if (isLost) {
        isLost = false;
        return Promise.reject(new ConnectionLostError("nothing listens"));
      }
      if (!session) {
        return Promise.reject(new ConnectionRefusedError("not authorized"));
      }
      did.push("connects");
      return Promise.resolve({
        present: true,
        unsubscribe: (topic) => {
          did.push(`unsubscribes ${topic}`);
          return Promise.resolve();
        },
        deliveries: () => Promise.resolve(deliveries.splice(0)),
        [Symbol.asyncDispose]: () => {
          did.push("closes");
          return Promise.resolve();
        },
      });
    },
    endControlSession: () => {
      did.push("ends the control session");
      return Promise.resolve();
    },
    ...(onStep && { onStep }),
  });
  const adopt = (signal = new AbortController().signal) =>
    adoption.adopt("dead", signal);
  return { adopt, did, published, say, warnings };
}

const PRESENCE = TOPICS.presence("dead");

Deno.test("adoption: it is marked first, its records are next, then its session, and the tombstone is last", async () => {
  const { adopt, did } = setUp({
    records: ["a", "b"],
    session: [{ topic: TOPICS.tasks, properties: {}, redelivered: false }],
  });
  await adopt();
  assert.deepEqual(did, [
    `publishes ${PRESENCE} offline`,
    "takes a over from dead",
    "takes b over from dead",
    "connects",
    `unsubscribes ${TOPICS.sharedTasks}`,
    `unsubscribes ${TOPICS.inbox("dead")}`,
    `unsubscribes ${TOPICS.everyone}`,
    `publishes ${TOPICS.tasks}`,
    `answers ${TOPICS.tasks}`,
    "closes",
    "ends the control session",
    `publishes ${TOPICS.load("dead")}`,
    `publishes ${TOPICS.sentinel("dead")}`,
    `publishes ${PRESENCE} adopted`,
  ]);
});

Deno.test("adoption: where nobody may use its client id, its records are taken over all the same, and it is said once", async () => {
  const { adopt, did, say, warnings } = setUp({
    records: ["a"],
    session: null,
  });
  await adopt();
  say("offline");
  await adopt();
  assert.deepEqual(did.slice(0, 2), [
    `publishes ${PRESENCE} offline`,
    "takes a over from dead",
  ]);
  assert.equal(did.at(-1), `publishes ${PRESENCE} adopted`);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /cannot look what the broker still has/);
});

Deno.test("adoption: a session that cannot be had by chance is left to the next attempt", async () => {
  const { adopt, did, warnings } = setUp({ session: [], isLost: true });
  await assert.rejects(adopt(), ConnectionLostError);
  assert.deepEqual(did, [`publishes ${PRESENCE} offline`]);
  await adopt();
  assert.ok(did.includes("ends the control session"));
  assert.equal(did.at(-1), `publishes ${PRESENCE} adopted`);
  assert.deepEqual(warnings, []);
});

/** More than are taken over side by side, and which of them were. */
const MANY = Array.from({ length: 100 }, (_, i) => `t-${i}`);
const takenOf = (did: string[]) =>
  MANY.filter((id) => did.includes(`takes ${id} over from dead`));

Deno.test("adoption: one that comes back is left alone from then on", async () => {
  let before: string[] = [];
  const { adopt, did, say } = setUp({
    records: MANY,
    onStep: (step) => {
      if (step !== "taken_over" || before.length > 0) return;
      before = [...did];
      say("online");
    },
  });
  await assert.rejects(adopt(), WorkerReturnedError);
  assert.deepEqual(did, before);
  assert.ok(takenOf(did).length < MANY.length);
});

Deno.test("adoption: one that has a task again is back, before it has said so", async () => {
  const { adopt, did } = setUp({ records: ["a"], hasBack: ["a"] });
  await assert.rejects(adopt(), WorkerReturnedError);
  assert.deepEqual(did, [`publishes ${PRESENCE} offline`]);
});

for (const state of ["offline", "online"] as const) {
  Deno.test(`adoption: after one that was back, and is ${state}, ${state === "offline" ? "it is tried again" : "nothing is"}`, async () => {
    const peers = new Peers("adopter");
    let tries = 0;
    const second = Promise.withResolvers<void>();
    using ring = new AdoptionRing({
      workerId: "adopter",
      peers,
      log: { debug() {}, info() {}, warn() {}, error() {} },
      timing: { returnMs: 1, turnMs: 1 },
      connected: () => true,
      adopt: () => {
        if (++tries === 2) second.resolve();
        else if (state === "online") say("online");
        return tries === 1
          ? Promise.reject(new WorkerReturnedError())
          : Promise.resolve();
      },
    });
    const say = (state: "offline" | "online") => {
      const presence = presenceOf(state);
      peers.presence("dead", presence, { retained: false });
      ring.presence("dead", presence);
    };
    say("offline");
    if (state === "offline") await second.promise;
    else assert.equal(await fulfilledWithin(100, second.promise), false);
    assert.equal(tries, state === "offline" ? 2 : 1);
  });
}

Deno.test("adoption: whoever stops adopts no further", async () => {
  const stop = new AbortController();
  let before: string[] = [];
  const { adopt, did } = setUp({
    records: MANY,
    onStep: (step) => {
      if (step !== "taken_over" || before.length > 0) return;
      before = [...did];
      stop.abort();
    },
  });
  await assert.rejects(adopt(stop.signal), WorkerReturnedError);
  assert.deepEqual(did, before);
  assert.ok(takenOf(did).length < MANY.length);
});

Deno.test("adoption: of two that begin at once the one whose mark came last goes on", async () => {
  const { adopt, did } = setUp({
    records: ["a"],
    onLook: (peers) => {
      const marked = { ...peers.find("dead")!, adopted_by: "another" };
      peers.presence("dead", marked, { retained: false });
    },
  });
  await assert.rejects(adopt(), AdoptedElsewhereError);
  assert.deepEqual(did, ["publishes ansible/test/workers/dead/status offline"]);
});

for (
  const [topic, to] of [
    [TOPICS.inbox("dead"), "worker"],
    [TOPICS.everyone, "everyone"],
  ] as const
) {
  Deno.test(`adoption: what was asked of the dead worker alone (${topic}) is ended, and not given to the group`, async () => {
    const { adopt, did } = setUp({
      session: [{ topic, properties: {}, redelivered: false }],
    });
    await adopt();
    const i = did.indexOf(`undelivered ${topic} ${to}`);
    assert.ok(i > 0);
    assert.equal(did[i + 1], `answers ${topic}`);
    assert.ok(!did.includes(`publishes ${TOPICS.tasks}`));
  });
}

const FROM = "ansible-worker-from";

for (
  const { what, delivery, moves, from } of [
    {
      what: "a message that the dead worker has not had",
      delivery: { topic: TOPICS.tasks, properties: {}, redelivered: false },
      moves: true,
      from: undefined,
    },
    {
      what: "a message that it may have had, as a copy,",
      delivery: { topic: TOPICS.tasks, properties: {}, redelivered: true },
      moves: true,
      from: "",
    },
    {
      what: "one that a peer has offered, and that is still the peer's,",
      delivery: {
        topic: TOPICS.inbox("dead"),
        properties: { user: { [FROM]: "token" } },
        redelivered: true,
      },
      moves: false,
      from: undefined,
    },
  ]
) {
  Deno.test(`adoption: ${what} is ${moves ? "" : "not "}given to the group`, async () => {
    const { adopt, did, published } = setUp({ session: [delivery] });
    await adopt();
    const moved = published.find(({ topic }) => topic === TOPICS.tasks);
    assert.equal(moved !== undefined, moves);
    assert.equal(moved?.properties?.user?.[FROM], from);
    assert.ok(did.includes(`answers ${delivery.topic}`));
  });
}
