import assert from "node:assert/strict";
import { Topics } from "../../src/messages/topics.ts";
import type { Delivery, Incoming } from "../../src/messages/packets.ts";
import { Lifecycle } from "../../src/worker/lifecycle.ts";
import { Router } from "../../src/worker/router.ts";

/** A router whose handlers write down what they get. */
function routerOf() {
  const got: string[] = [];
  const lifecycle = new Lifecycle({
    log: { debug() {} },
    onConnected() {},
  });
  const router = new Router({
    topics: new Topics("ansible", "g"),
    workerId: "w1",
    lifecycle,
    log: {
      debug() {},
      info() {},
      error() {},
      warn: (text: string) => got.push(`warn ${text}`),
    },
    handlers: {
      request: (delivery, { topic }) =>
        got.push(`request ${delivery.topic} ${topic}`),
      status: (taskId) => got.push(`status ${taskId}`),
      cancel: (taskId) => got.push(`cancel ${taskId}`),
      presence: (id, presence) => got.push(`presence ${id} ${presence?.state}`),
      load: (id, load) => got.push(`load ${id} ${load?.queued}`),
      lock: (lock) => got.push(`lock ${lock}`),
      record: (id, taskId) => got.push(`record ${id} ${taskId}`),
      look: () => got.push("look"),
      probe: () => got.push("probe"),
    },
  });
  return { got, lifecycle, router };
}

function message(topic: string, payload: unknown = ""): Incoming {
  const text = payload === "" ? "" : JSON.stringify(payload);
  return {
    topic,
    payload: new TextEncoder().encode(text),
    retained: false,
    properties: {},
  };
}

function request(topic: string, answer = () => {}): Delivery {
  return { ...message(topic), redelivered: false, answer };
}

const PRESENCE = {
  worker_id: "w1",
  instance: "i",
  state: "online",
  slots: 1,
  version: "1",
  ansible_version: "2",
  host: "h",
  started_at: "2026-01-01T00:00:00.000Z",
  updated_at: "2026-01-01T00:00:00.000Z",
};

Deno.test("each message reaches the part that it is for", () => {
  const { got, router } = routerOf();
  router.message(message("ansible/g/tasks/t1/status"));
  router.message(message("ansible/g/tasks/t1/cancel"));
  router.message(message("ansible/g/workers/w1/status", PRESENCE));
  router.message(message("ansible/g/workers/w1/status"));
  router.message(message("ansible/g/workers/w1/load"));
  router.message(message("ansible/g/workers/w1/queue/t1"));
  router.message(message("ansible/g/workers/w1/probe"));
  router.message(message("ansible/g/content", { any: "thing" }));
  assert.deepEqual(got, [
    "status t1",
    "cancel t1",
    "presence w1 online",
    "presence w1 undefined",
    "load w1 undefined",
    "record w1 t1",
    "probe",
    "look",
  ]);
});

Deno.test("a presence that is about another worker than its topic, and what is on no topic of ours, reach nobody", () => {
  const { got, router } = routerOf();
  router.message(message("ansible/g/workers/w2/status", PRESENCE));
  router.message(message("ansible/other/tasks/t1/status"));
  router.message(message("ansible/g/tasks/t1/status/more"));
  assert.deepEqual(got, []);
});

Deno.test("requests are kept back until the worker works, and stay with the broker when it has stopped", () => {
  const { got, lifecycle, router } = routerOf();
  router.delivery(request("ansible/g/tasks"));
  router.delivery(request("ansible/g/workers/w1/tasks"));
  assert.deepEqual(got, []);
  lifecycle.move("working");
  router.release();
  assert.deepEqual(got, [], "there is no connection yet");
  lifecycle.move("control");
  lifecycle.move("both");
  router.release();
  assert.deepEqual(got, [
    "request ansible/g/tasks tasks",
    "request ansible/g/workers/w1/tasks inbox",
  ]);
  lifecycle.move("draining");
  router.delivery(request("ansible/g/tasks"));
  assert.equal(got.length, 3);
  lifecycle.move("stopped");
  router.delivery(request("ansible/g/tasks"));
  assert.equal(got.length, 3);
});

Deno.test("a request on a topic that is not ours is left alone, holds up nothing, and is said of once", () => {
  const { got, lifecycle, router } = routerOf();
  lifecycle.move("working");
  lifecycle.move("control");
  lifecycle.move("both");
  let answered = 0;
  const topics = [
    "ansible/other/tasks",
    "staging/g/tasks",
    "ansible/g/workers/w2/tasks",
    "ansible/g/tasks/t1/status",
  ];
  for (const topic of [...topics, ...topics]) {
    router.delivery(request(topic, () => answered++));
  }
  assert.equal(answered, 8);
  assert.deepEqual(
    got,
    topics.map((topic) =>
      `warn requests come on "${topic}", which is none of this worker's topics; they are left alone`
    ),
  );
  for (let i = 0; i < 200; i++) router.delivery(request(`flood/${i}`));
  assert.equal(got.length, 100);
});
