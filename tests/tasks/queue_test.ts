import type { Delivery } from "../../src/messages/packets.ts";
import assert from "node:assert/strict";
import { TaskQueue } from "../../src/tasks/queue.ts";
import { Task } from "../../src/tasks/task.ts";

function task(id: string): Task {
  const delivery: Delivery = {
    topic: "t",
    payload: new Uint8Array(),
    properties: {},
    redelivered: false,
    retained: false,
    answer() {},
  };
  const request = { task_id: id, playbook: "p", inventory: "i" };
  return new Task(
    {
      request: request as Task["request"],
      extraVars: null,
      refusal: null,
      scheduledFor: null,
    },
    delivery,
  );
}

function filled(queue: TaskQueue, ...ids: string[]): Task[] {
  return ids.map((id) => {
    const one = task(id);
    assert.ok(queue.reserve(0));
    queue.put(one);
    return one;
  });
}

Deno.test("queue.reserve() refuses when full, counting free slots as room", () => {
  const queue = new TaskQueue(2);
  assert.ok(queue.reserve(1));
  assert.ok(queue.reserve(1));
  assert.ok(queue.reserve(1));
  assert.ok(!queue.reserve(1));
  queue.giveBack();
  assert.ok(queue.reserve(1));
  assert.equal(queue.room(2), 1);
});

Deno.test("queue.oldest() gives tasks as they came, and none that is leaving", () => {
  const queue = new TaskQueue(5);
  const [a, b] = filled(queue, "a", "b", "c") as [Task, Task, Task];
  assert.equal(queue.oldest(() => true), a);
  queue.leave(a);
  assert.equal(queue.oldest(() => true), b);
  assert.equal(queue.waiting, 2);
  assert.equal(queue.size, 3, "it keeps its place until the peer has it");
  queue.stay(a);
  assert.equal(queue.oldest(() => true), a, "and is as old as before");
  queue.remove(a);
  assert.equal(queue.get("a"), undefined);
  assert.equal(queue.size, 2);
});
