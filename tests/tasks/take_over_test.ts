/** The table of `take_over.ts`, for a worker's own records and a dead one's. */
import assert from "node:assert/strict";
import {
  NO_PROGRESS,
  type TaskState,
  type TaskStatus,
} from "../../src/messages/task_status.ts";
import type { Outgoing } from "../../src/messages/packets.ts";
import { Topics } from "../../src/messages/topics.ts";
import { Dispatcher } from "../../src/tasks/dispatcher.ts";
import { Journal } from "../../src/tasks/journal.ts";
import { LeftBehind } from "../../src/tasks/left_behind.ts";
import { TaskQueue } from "../../src/tasks/queue.ts";
import { Records } from "../../src/tasks/records.ts";
import { RequestOpener } from "../../src/tasks/request_opener.ts";
import { Responses } from "../../src/tasks/responses.ts";
import { StatusBoard } from "../../src/tasks/status_board.ts";
import { TakeOver } from "../../src/tasks/take_over.ts";
import { Turns } from "../../src/tasks/turns.ts";
import { Templates } from "../../src/templates/template.ts";
import { RetainedStore } from "./retained_store.ts";

const ME = "me";
const TOPICS = new Topics("ansible", "test");
const CREATED = "2026-05-04T12:00:00.000Z";
const STARTED = "2026-05-04T12:00:01.000Z";
const TOKEN = "before.7";

const REQUEST = JSON.stringify({
  task_id: "t",
  playbook: "p.yml",
  inventory: "hosts",
});

/** It asks for a template that this worker has not. */
const BY_NAME = JSON.stringify({ task_id: "t", template: "deploy" });
const NO_TEMPLATES = await Templates.of({}, { isRequired: false });

/** Why what may have run has failed. */
const HIDDEN =
  "another worker had refused a copy of this task when its own one stopped, and it is not known whether it has run";

/** Nothing starts here. */
const never = () => assert.fail();

function setUp(
  { refusal = null, able = null, journal: lines = [] }: {
    refusal?: string | null;
    /** A peer that has every template, and whether it takes an offer. */
    able?: { peer: string; takes: boolean } | null;
    /** What is in the journal; what is written is added. */
    journal?: string[];
  } = {},
) {
  const store: RetainedStore = new RetainedStore((message) => {
    const topic = TOPICS.parse(message.topic);
    if (topic?.kind === "record") {
      records.receive(topic.workerId, topic.taskId, message);
    } else if (topic?.kind === "status") board.receive("t", message);
  });
  const errors: string[] = [];
  const error = (text: string) => errors.push(text);
  const log = { debug() {}, info() {}, warn() {}, error };
  const common = { channel: store, topics: TOPICS, workerId: ME, log };
  const records = new Records(common);
  const responses = new Responses({ ...common, patterns: () => ["answers"] });
  const journal = new Journal({
    ...common,
    file: {
      lines: [...lines],
      append: (line) => Promise.resolve(void lines.push(line)),
    },
    windowSeconds: 3600,
  });
  const board = new StatusBoard({
    ...common,
    journal,
    connected: () => Promise.resolve(),
    instance: "now",
    retentionSeconds: 0,
    windowSeconds: 3600,
    responses,
    onGone: never,
    onContested: never,
  });
  const queue = new TaskQueue(0);
  const dispatcher = new Dispatcher({
    slots: 1,
    queue,
    board,
    records,
    start: {
      board,
      records,
      log,
      runner: { refusal: never, pin: never },
      settings: never,
      openFeed: never,
    },
    log,
    locks: { admits: () => true, blocked: 0 },
    mayStart: () => false,
    untilCertain: () => Promise.resolve(),
    onChange() {},
    onUsed() {},
  });
  let leftBehind = 0;
  const offered: string[] = [];
  const takeOver = new TakeOver({
    workerId: ME,
    opener: new RequestOpener({
      keys: () => null,
      audience: TOPICS.group,
      templates: () => NO_TEMPLATES,
    }),
    runner: { refusal: () => Promise.resolve(refusal) },
    board,
    journal,
    records,
    dispatcher,
    responses,
    turns: new Turns(),
    leftBehind: new LeftBehind({
      board,
      log,
      observer: { leftBehind: () => leftBehind++ },
    }),
    log,
    isThere: (id) => id === "another",
    isAlone: () => false,
    workerWithTemplate: () => Promise.resolve(able?.peer ?? null),
    offer: (task, peer) => {
      offered.push(`${task.id} to ${peer}: ${task.state}`);
      return Promise.resolve(able!.takes);
    },
  });
  return {
    board,
    dispatcher,
    errors,
    journal,
    leftBehind: () => leftBehind,
    offered,
    queue,
    records,
    store,
    takeOver,
  };
}

type World = ReturnType<typeof setUp>;

function record(
  { store }: World,
  holder: string,
  { payload = REQUEST, user = {} }: {
    payload?: string;
    user?: Record<string, string>;
  } = {},
): Promise<void> {
  return store.publish({
    topic: TOPICS.record(holder, "t"),
    payload,
    qos: 1,
    retain: true,
    properties: {
      responseTopic: "answers",
      user: { "ansible-worker-created-at": CREATED, ...user },
    },
  });
}

function statusOf(state: TaskState, worker: string): TaskStatus {
  const isOver = state !== "queued" && state !== "running";
  return {
    task_id: "t",
    state,
    created_at: CREATED,
    started_at: state === "queued" ? null : STARTED,
    completed_at: isOver ? STARTED : null,
    duration_seconds: isOver ? 1 : null,
    return_code: null,
    error_message: null,
    playbook: "p.yml",
    inventory: "hosts",
    template: null,
    revision: null,
    lock: null,
    worker_id: worker,
    ...NO_PROGRESS,
    tasks_ok: state === "queued" ? 0 : 3,
  };
}

async function status({ store }: World, state: TaskState, worker: string) {
  const message: Outgoing = {
    topic: TOPICS.status("t"),
    payload: JSON.stringify(statusOf(state, worker)),
    qos: 1,
    retain: true,
    properties: {
      responseTopic: "answers",
      user: {
        token: TOKEN,
        seq: state === "queued" ? "4" : "5",
        ...(state !== "queued" && { held: "1" }),
      },
    },
  };
  await store.publish(message);
  return message;
}

/** Another worker, which had not had it, has refused a request with its id. */
const REFUSED: TaskStatus = {
  ...statusOf("failed", "another"),
  started_at: null,
  error_message: "queue full (3)",
};

function refused({ store }: World): Promise<void> {
  return store.publish({
    topic: TOPICS.status("t"),
    payload: JSON.stringify(REFUSED),
    qos: 1,
    retain: true,
    properties: { user: { token: "another.1", seq: "1" } },
  });
}

const standing = ({ store }: World): TaskStatus | null =>
  JSON.parse(store.text(TOPICS.status("t")) ?? "null");

/** Takes over what a worker has left. */
async function takeOver(world: World, holder: string): Promise<void> {
  world.store.published.length = 0;
  const { records } = world;
  await world.takeOver.records(await records.read(holder), holder);
  assert.deepEqual(world.errors, []);
}

/** The whole of what stands for a task that waits here. */
function waits(world: World, from: string | undefined): void {
  const { board, dispatcher, records, store } = world;
  const { properties } = store.retained.get(TOPICS.status("t"))!;
  const found = standing(world)!;
  assert.equal(found.state, "queued");
  assert.equal(found.worker_id, ME);
  assert.equal(found.created_at, CREATED);
  assert.equal(properties!.user!.token, board.token("t"));
  assert.equal(properties!.user!.from, from);
  assert.equal(properties!.responseTopic, "answers");
  assert.ok(dispatcher.find("t"));
  assert.ok(records.has("t"));
  const [record, ...others] = [...store.retained.values()].filter(({ topic }) =>
    TOPICS.parse(topic)?.kind === "record"
  );
  assert.deepEqual(others, []);
  assert.equal(record!.topic, TOPICS.record(ME, "t"));
  assert.equal(store.text(record!.topic), REQUEST);
}

/** Nothing of the task is here, nor a record of it anywhere. */
function isGone(world: World): void {
  const { board, dispatcher, records, store } = world;
  assert.equal(board.token("t"), null);
  assert.equal(dispatcher.find("t"), undefined);
  assert.ok(!records.has("t"));
  assert.deepEqual(
    [...store.retained.keys()].filter((topic) =>
      TOPICS.parse(topic)?.kind === "record"
    ),
    [],
  );
}

for (const holder of [ME, "dead"]) {
  const whose = holder === ME ? "one's own" : "a dead worker's";
  const test = (name: string, fn: () => Promise<void>) =>
    Deno.test(`take over: ${whose} record, ${name}`, fn);

  test("with no status: it waits here", async () => {
    const world = setUp();
    await record(world, holder);
    await takeOver(world, holder);
    waits(world, undefined);
  });

  test("queued by its holder: it waits here, taken over from that", async () => {
    const world = setUp();
    await record(world, holder);
    await status(world, "queued", holder);
    await takeOver(world, holder);
    waits(world, TOKEN);
  });

  test("running by its holder: it has failed, with what it had done, and the answer to its requester", async () => {
    const world = setUp();
    await record(world, holder);
    await status(world, "running", holder);
    await takeOver(world, holder);
    isGone(world);
    const end = standing(world)!;
    assert.equal(end.state, "failed");
    assert.equal(
      end.error_message,
      "the worker stopped while this task was running",
    );
    assert.equal(end.worker_id, holder);
    assert.equal(end.tasks_ok, 3);
    assert.equal(end.started_at, STARTED);
    assert.equal(world.leftBehind(), 1);
    const answers = world.store.published.filter(({ topic }) =>
      topic === "answers"
    );
    assert.equal(answers.length, 1);
    assert.match(String(answers[0]!.payload), /"state":"failed"/);
    // Its end is said before its record goes, and a record of our own stands
    // before its holder can let go: whoever dies in between is followed.
    const records = [TOPICS.record(ME, "t"), TOPICS.record(holder, "t")];
    const order = world.store.published.map(({ topic, payload }) => {
      if (topic === TOPICS.status("t")) {
        return /"state":"(\w+)"/.exec(String(payload))![1];
      }
      if (!records.includes(topic)) return null;
      return payload.length > 0 ? "a record" : "no record";
    }).filter((what) => what !== null);
    assert.deepEqual(
      order,
      holder === ME
        ? ["running", "failed", "no record"]
        : ["a record", "running", "failed", "no record", "no record"],
    );
  });

  for (const state of ["success", "failed", "cancelled", "timeout"] as const) {
    test(`${state}: the record is removed, and the end stays`, async () => {
      const world = setUp();
      await record(world, holder);
      await status(world, state, holder);
      const before = standing(world);
      await takeOver(world, holder);
      isGone(world);
      assert.deepEqual(standing(world), before);
      assert.equal(world.leftBehind(), 0);
    });
  }

  for (const state of ["queued", "running"] as const) {
    test(`${state} by another worker: the record is removed, and the task is left alone`, async () => {
      const world = setUp();
      await record(world, holder);
      await status(world, state, "another");
      const before = standing(world);
      await takeOver(world, holder);
      isGone(world);
      assert.deepEqual(standing(world), before);
    });
  }

  for (const [who, bidder] of [["its holder", holder], ["gone", "gone"]]) {
    for (const isFirst of [true, false]) {
      test(
        `queued by ${who}, and another that is gone has a record: ${
          isFirst ? "it has failed" : "it has not failed if it has moved on"
        }`,
        async () => {
          const world = setUp();
          await record(world, holder);
          await record(world, "gone");
          const { properties } = await status(world, "queued", bidder!);
          if (!isFirst) properties!.user!.from = "another.1";
          await takeOver(world, holder);
          assert.equal(standing(world)!.state, isFirst ? "failed" : "queued");
          assert.equal(world.leftBehind(), isFirst ? 1 : 0);
          if (!isFirst) return;
          const end = standing(world)!;
          assert.match(
            end.error_message!,
            /two workers had accepted this task/,
          );
          assert.equal(end.started_at, CREATED, "it is not run again");
          assert.ok(!world.store.retained.has(TOPICS.record(holder, "t")));
        },
      );
    }
  }

  test("queued by another worker, which is about to end it: the task is left alone", async () => {
    const world = setUp();
    await record(world, holder);
    const { properties } = await status(world, "queued", "another");
    Object.assign(properties!.user!, { raised: "1", from: TOKEN });
    const before = standing(world);
    await takeOver(world, holder);
    isGone(world);
    assert.deepEqual(standing(world), before);
  });

  test("refused by another worker, which had not had it: it has failed, since it may have run", async () => {
    const world = setUp();
    await record(world, holder);
    await refused(world);
    await takeOver(world, holder);
    isGone(world);
    const end = standing(world)!;
    assert.equal(end.state, "failed");
    assert.equal(end.worker_id, holder);
    assert.equal(end.started_at, CREATED);
    assert.equal(end.error_message, HIDDEN);
  });

  test("running, and taken over by somebody who was about to end it: it has failed", async () => {
    const world = setUp();
    await record(world, holder);
    const { properties } = await status(world, "running", "another");
    Object.assign(properties!.user!, { raised: "1", from: "another.1" });
    await takeOver(world, holder);
    isGone(world);
    assert.equal(
      standing(world)!.error_message,
      "the worker stopped while this task was running",
    );
  });

  for (const state of [null, "queued"] as const) {
    test(`${state ?? "with no status"}, which cannot be run here: it has failed, and says why`, async () => {
      const world = setUp({ refusal: "there is no such playbook" });
      await record(world, holder);
      if (state) await status(world, state, holder);
      await takeOver(world, holder);
      isGone(world);
      const end = standing(world)!;
      assert.equal(end.state, "failed");
      assert.equal(end.error_message, "there is no such playbook");
    });
  }

  for (
    const [what, able] of [
      ["nobody", null],
      ["a peer", { peer: "p", takes: true }],
      ["a peer, which does not take it,", { peer: "p", takes: false }],
    ] as const
  ) {
    const isTaken = able?.takes === true;
    test(`of a template that is not known here: where ${what} has it, it ${isTaken ? "goes there" : "has failed"}`, async () => {
      const world = setUp({ able });
      await record(world, holder, { payload: BY_NAME });
      await status(world, "queued", holder);
      await takeOver(world, holder);
      isGone(world);
      assert.deepEqual(world.offered, able ? ["t to p: queued"] : []);
      const found = standing(world)!;
      assert.equal(found.template, "deploy");
      assert.equal(found.playbook, null);
      assert.equal(found.state, isTaken ? "queued" : "failed");
      if (isTaken) return;
      assert.match(found.error_message!, /"deploy" is not known here/);
    });
  }

  for (
    const [what, payload] of [
      ["which is no request", "{}"],
      ["of another task", REQUEST.replace('"t"', '"u"')],
    ] as const
  ) {
    test(`${what}, with no status: it is removed, and nothing is run or said`, async () => {
      const world = setUp();
      await record(world, holder, { payload });
      await takeOver(world, holder);
      isGone(world);
      assert.equal(standing(world), null);
      assert.equal(world.store.subscribed.size, 0);
    });

    test(`${what}, queued by its holder: the task that was accepted has failed`, async () => {
      const world = setUp();
      await record(world, holder, { payload });
      await status(world, "queued", holder);
      await takeOver(world, holder);
      isGone(world);
      const end = standing(world)!;
      assert.equal(end.state, "failed");
      assert.match(end.error_message!, /its request is not valid any more/);
    });
  }

  test("whose message has expired meanwhile: it is cancelled", async () => {
    const world = setUp();
    await record(world, holder, {
      user: { "ansible-worker-expires-at": STARTED },
    });
    await status(world, "queued", holder);
    await takeOver(world, holder);
    world.dispatcher.startNext();
    // Its timer is due.
    await new Promise((resolve) => setTimeout(resolve, 10));
    isGone(world);
    const end = standing(world)!;
    assert.equal(end.state, "cancelled");
    assert.match(end.error_message!, /expired before the task could start/);
  });
}

Deno.test("take over: a task that is here already, of an adoption that was not finished, stays as it is", async () => {
  const world = setUp();
  await record(world, "dead");
  await takeOver(world, "dead");
  const token = world.board.token("t");
  await record(world, "dead");
  await takeOver(world, "dead");
  waits(world, undefined);
  assert.equal(world.board.token("t"), token);
});

Deno.test("take over: a worker that goes on after all keeps what it runs", async () => {
  const world = setUp();
  await record(world, "dead");
  await status(world, "queued", "dead");
  const { publish } = world.store;
  // Its `running` has overtaken what takes it over.
  world.store.publish = async function (message) {
    if (
      message.topic === TOPICS.status("t") && message.properties?.user?.from
    ) {
      world.store.publish = publish;
      await status(world, "running", "dead");
    }
    return await publish.call(this, message);
  };
  await takeOver(world, "dead");
  assert.equal(world.board.token("t"), null);
  assert.equal(world.dispatcher.find("t"), undefined);
  assert.ok(!world.records.has("t"));
});

/** What an earlier process of this worker has written down. */
function written(state: TaskState, event: "begun" | "ended" | "told"): string {
  return JSON.stringify({
    at: new Date().toISOString(),
    event,
    task_id: "t",
    worker_id: ME,
    topic: TOPICS.status("t"),
    token: TOKEN,
    response_topic: "answers",
    status: statusOf(state, ME),
  });
}

for (const there of [null, "queued", "running"] as const) {
  Deno.test(`take over: what the journal says has begun is failed, with ${there} there`, async () => {
    const journal = [written("running", "begun")];
    const world = setUp({ journal });
    await record(world, ME);
    if (there) await status(world, there, ME);
    await world.takeOver.written(["t"]);
    await takeOver(world, ME);
    assert.equal(standing(world)!.state, "failed");
    assert.match(standing(world)!.error_message!, /the worker stopped/);
    assert.equal(world.leftBehind(), 1);
    assert.equal(world.dispatcher.find("t"), undefined);
    assert.ok(!world.store.retained.has(TOPICS.record(ME, "t")));
    const { properties } = world.store.retained.get(TOPICS.status("t"))!;
    assert.equal(properties!.responseTopic, "answers");
    const events = journal.map((line) => JSON.parse(line).event);
    assert.deepEqual(events, ["begun", "ended", "told"]);
  });

  Deno.test(`take over: an end that the journal knows is published, with ${there} there`, async () => {
    const journal = [written("success", "ended")];
    const world = setUp({ journal });
    await record(world, ME);
    if (there) await status(world, there, ME);
    await takeOver(world, ME);
    assert.deepEqual(standing(world), statusOf("success", ME));
    const said = world.store.published.filter(({ topic }) =>
      topic === TOPICS.status("t")
    );
    assert.equal(said.length, 1);
    assert.equal(world.leftBehind(), 0);
    assert.equal(world.dispatcher.find("t"), undefined);
    assert.ok(!world.store.retained.has(TOPICS.record(ME, "t")));
    const events = journal.map((line) => JSON.parse(line).event);
    assert.deepEqual(events, ["ended", "told"]);
  });
}

for (const state of ["queued", "running"] as const) {
  Deno.test(`take over: what its holder says while it is looked, ${state}, is left to it, for it is back`, async () => {
    const world = setUp();
    const { store } = world;
    await record(world, "gone");
    const lookUp = store.lookUp.bind(store);
    store.lookUp = async (topic, options) => {
      await lookUp(topic, options);
      if (topic === TOPICS.status("t")) await status(world, state, "gone");
    };
    await takeOver(world, "gone");
    assert.deepEqual(standing(world), statusOf(state, "gone"));
    assert.ok(store.retained.has(TOPICS.record("gone", "t")));
    assert.equal(world.records.has("t"), false);
    assert.equal(world.board.token("t"), null);
    assert.equal(store.subscribed.size, 0);
  });
}

Deno.test("take over: a peer that has a task by a broker that forgot gives it up", async () => {
  const world = setUp({ journal: [written("running", "begun")] });
  await status(world, "queued", "peer");
  await world.takeOver.written(["t"]);
  assert.equal(standing(world)!.state, "failed");
});

Deno.test("take over: what the group has ended meanwhile stays as it is", async () => {
  for (const state of ["begun", "ended"] as const) {
    const journal = [
      written(state === "begun" ? "running" : "success", state),
    ];
    const world = setUp({ journal });
    await status(world, "failed", "peer");
    world.store.published.length = 0;
    await world.takeOver.written(["t"]);
    assert.deepEqual(world.store.published, []);
    assert.equal(standing(world)!.worker_id, "peer");
    // The next process need not look again.
    assert.equal(JSON.parse(journal.at(-1)!).event, "told");
  }
});

Deno.test("take over: what the journal says has begun is not ended while a peer runs it", async () => {
  const world = setUp({ journal: [written("running", "begun")] });
  await status(world, "running", "peer");
  world.store.published.length = 0;
  await world.takeOver.written(["t"]);
  assert.deepEqual(world.store.published, []);
});

Deno.test("take over: a task for one worker alone is not run by its adopter, nor by that one's next process", async () => {
  // The adopter has died before it had ended it.
  const owner = {
    "ansible-worker-to": "worker",
    "ansible-worker-owner": "dead",
  };
  const world = setUp();
  await record(world, ME, { user: owner });
  await status(world, "queued", ME);
  await takeOver(world, ME);
  assert.equal(standing(world)!.state, "failed");
  assert.equal(standing(world)!.error_message, "its worker is gone");
  isGone(world);
});

Deno.test("take over: the record that an adopter keeps says whose task it is", async () => {
  const world = setUp();
  await record(world, "dead", { user: { "ansible-worker-to": "worker" } });
  await status(world, "queued", "dead");
  await takeOver(world, "dead");
  assert.equal(standing(world)!.error_message, "its worker is gone");
  const kept = world.store.published.find(({ topic }) =>
    topic === TOPICS.record(ME, "t")
  );
  assert.equal(kept!.properties!.user!["ansible-worker-owner"], "dead");
});

for (
  const { redelivered, end } of [
    { redelivered: false, end: "its worker is gone" },
    { redelivered: true, end: HIDDEN },
  ]
) {
  const whose = redelivered ? "may have accepted" : "never had";
  Deno.test(`take over: a request for a dead worker alone, which it ${whose}, is not run, though its id was refused`, async () => {
    const world = setUp();
    await refused(world);
    await world.takeOver.undelivered({
      topic: TOPICS.inbox("dead"),
      payload: new TextEncoder().encode(REQUEST),
      redelivered,
      retained: false,
      properties: {},
      answer() {},
    }, { holder: "dead", to: "worker" });
    const { error_message, state } = standing(world)!;
    assert.equal(state, "failed");
    assert.equal(error_message, end);
    isGone(world);
  });
}

Deno.test("take over: one's own record whose status topic the broker refuses is said, and stays for the next time", async () => {
  const world = setUp();
  const { errors, records, store } = world;
  await record(world, ME);
  await status(world, "queued", ME);
  const lookUp = store.lookUp.bind(store);
  store.lookUp = (topic, options) =>
    topic === TOPICS.status("t")
      ? Promise.reject(Object.assign(new Error("no"), { code: 0x87 }))
      : lookUp(topic, options);
  const found = await records.compare();
  await world.takeOver.records(found, ME);
  assert.deepEqual(errors.splice(0), [
    "cannot look at the status of a task; tried again",
  ]);
  assert.ok(store.retained.has(TOPICS.record(ME, "t")));
  store.lookUp = lookUp;
  await world.takeOver.records(await records.compare(), ME);
  waits(world, TOKEN);
  assert.deepEqual(errors, []);
});
