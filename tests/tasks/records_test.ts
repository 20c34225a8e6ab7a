import assert from "node:assert/strict";
import { Topics } from "../../src/messages/topics.ts";
import { type FoundRecord, Records } from "../../src/tasks/records.ts";
import { Task } from "../../src/tasks/task.ts";
import { RetainedStore } from "./retained_store.ts";

const TOPICS = new Topics("ansible", "test");

function setUp() {
  const store: RetainedStore = new RetainedStore((message) => {
    const topic = TOPICS.parse(message.topic);
    if (topic?.kind === "record") {
      records.receive(topic.workerId, topic.taskId, message);
    }
  });
  const records = new Records({
    channel: store,
    topics: TOPICS,
    workerId: "w1",
    log: { debug() {}, info() {}, warn() {}, error: assert.fail },
  });
  return { records, store };
}

function task(
  id: string,
  { user, ...options }: {
    user?: Record<string, string>;
    createdAt?: Date;
    expiresAt?: Date;
    hops?: number;
  } = {},
): Task {
  return new Task(
    {
      request: { task_id: id, playbook: "p", inventory: "i" },
      extraVars: null,
      refusal: null,
      scheduledFor: null,
    } as ConstructorParameters<typeof Task>[0],
    {
      payload: new TextEncoder().encode(`the request ${id}`),
      properties: {
        ...(user && { user }),
        responseTopic: "answers",
        correlationData: new Uint8Array([1, 2]),
        expirySeconds: 60,
      },
    },
    options,
  );
}

const ids = (found: FoundRecord[]) => found.map(({ taskId }) => taskId);

Deno.test("records: one is the request as it came, with what it brings along", async () => {
  const { records, store } = setUp();
  const createdAt = new Date(Date.now() - 5000);
  const expiresAt = new Date(Date.now() + 60_000);
  await records.store(
    task("t", { createdAt, expiresAt, hops: 2, user: { trace: "x" } }),
  );
  assert.ok(records.has("t"));
  const topic = TOPICS.record("w1", "t");
  assert.equal(store.text(topic), "the request t");
  const { properties, qos, retain } = store.retained.get(topic)!;
  assert.deepEqual({ qos, retain }, { qos: 1, retain: true });
  const { user, ...rest } = properties!;
  // What the broker drops when its time is over, nobody can say so of.
  assert.deepEqual(rest, {
    responseTopic: "answers",
    correlationData: new Uint8Array([1, 2]),
  });
  const { "ansible-worker-expires-at": expires, ...others } = user!;
  assert.deepEqual(others, {
    trace: "x",
    "ansible-worker-created-at": createdAt.toISOString(),
    "ansible-worker-hops": "2",
  });
  const off = new Date(expires!).getTime() - expiresAt.getTime();
  assert.ok(Math.abs(off) < 50, `${off} ms`);
});

Deno.test("records: they are read at QoS 0, the oldest first, and nothing is left subscribed", async () => {
  const { records, store } = setUp();
  const at = (second: number) => ({ createdAt: new Date(second * 1000) });
  await records.store(task("second", at(2)));
  await records.store(task("third", at(3)));
  await records.store(task("first", at(1)));
  // A worker's own signs, not tasks.
  await store.publish({
    topic: TOPICS.sentinel("w1"),
    payload: "-",
    qos: 1,
    retain: true,
  });
  assert.deepEqual(ids(await records.read("w1")), ["first", "second", "third"]);
  assert.deepEqual(store.lookUps, [{ topic: TOPICS.records("w1"), qos: 0 }]);
  assert.equal(store.subscribed.size, 0);
  assert.deepEqual(await records.read("w2"), []);
});

Deno.test("records: one that is removed while they are read is not among them", async () => {
  const { records, store } = setUp();
  await records.store(task("stays"));
  await records.store(task("goes"));
  store.patienceMs = 20;
  const reading = records.read("w1");
  records.remove("goes");
  assert.deepEqual(ids(await reading), ["stays"]);
});

Deno.test("records: of a broker that is late they are waited for until no more have come", async () => {
  const { records, store } = setUp();
  store.patienceMs = 40;
  const late = (taskId: string, ms: number) =>
    setTimeout(() =>
      records.receive("w1", taskId, {
        topic: TOPICS.record("w1", taskId),
        payload: new TextEncoder().encode("x"),
        retained: true,
        properties: {},
      }), ms);
  late("a", 20);
  late("b", 60);
  assert.deepEqual(ids(await records.read("w1")).toSorted(), ["a", "b"]);
});

Deno.test("records: compared with the broker's, what it has forgotten is stored again, and what nobody knows of is told", async () => {
  const { records, store } = setUp();
  const of = (taskId: string) => TOPICS.record("w1", taskId);
  for (const id of ["forgotten", "known", "ended"]) {
    await records.store(task(id));
  }
  const ended = store.retained.get(of("ended"))!;
  records.remove("ended");
  // The broker has come back with what it had some minutes ago.
  store.retained.set(of("ended"), ended);
  store.retained.delete(of("forgotten"));
  store.published.length = 0;
  assert.deepEqual(ids(await records.compare()), ["ended"]);
  assert.deepEqual(
    store.published.map(({ topic }) => topic),
    [of("forgotten")],
    "what is right is left alone",
  );
  assert.equal(store.text(of("forgotten")), "the request forgotten");
});

Deno.test("records: what comes while they are compared is neither stored twice nor unknown", async () => {
  const { records, store } = setUp();
  store.patienceMs = 20;
  const comparing = records.compare();
  await records.store(task("new"));
  assert.deepEqual(await comparing, []);
  assert.equal(store.published.length, 1);
});

Deno.test("records: what a look at the broker has left among them is no task, and is removed", async () => {
  const { records, store } = setUp();
  const left = TOPICS.record("w1", "!3");
  for (const topic of [left, TOPICS.sentinel("w1")]) {
    await store.publish({ topic, payload: "-", qos: 1, retain: true });
  }
  assert.deepEqual(await records.read("w1"), []);
  assert.deepEqual([...store.retained.keys()], [TOPICS.sentinel("w1")]);
});

Deno.test("records: another worker's is removed without a loss of one's own", async () => {
  const { records, store } = setUp();
  await records.store(task("t"));
  await store.publish({
    topic: TOPICS.record("w2", "t"),
    payload: "x",
    qos: 1,
    retain: true,
  });
  records.remove("t", "w2");
  assert.ok(records.has("t"));
  assert.equal(store.text(TOPICS.record("w2", "t")), null);
  assert.equal(store.text(TOPICS.record("w1", "t")), "the request t");
});

Deno.test("records: what the broker already has is known, and not stored again", async () => {
  const { records, store } = setUp();
  await records.store(task("t"));
  const [found] = await records.read("w1");
  const again = setUp();
  again.records.keep("t", found!.message);
  assert.ok(again.records.has("t"));
  assert.equal(again.store.published.length, 0);
  await again.records.compare();
  assert.deepEqual(
    again.store.retained.get(TOPICS.record("w1", "t"))?.payload,
    store.retained.get(TOPICS.record("w1", "t"))?.payload,
  );
});
