import assert from "node:assert/strict";
import { HandOver, type HandOverOptions } from "../../src/group/hand_over.ts";
import { Peers } from "../../src/group/peers.ts";
import type { Load, Presence } from "../../src/messages/presence.ts";
import type { Task } from "../../src/tasks/task.ts";

/** A worker w1 that is full, and what it knows of its peer w2. */
function full() {
  const peers = new Peers("w1");
  peers.presence(
    "w2",
    { worker_id: "w2", state: "online" } as Presence,
    { retained: false },
  );
  let seq = 0;
  const heard = (room: number) =>
    peers.load("w2", {
      worker_id: "w2",
      free_slots: 0,
      queued: 0,
      room,
      seq: ++seq,
    } as Load, { retained: false });
  const handOver = new HandOver({
    workerId: "w1",
    peers,
    loads: { begin: () => Promise.resolve(), release: () => {} },
  } as unknown as HandOverOptions);
  const find = (id: string) =>
    handOver.workerWithRoom(
      { id, hops: 0, isBound: false, request: {} } as unknown as Task,
      () => false,
    );
  return { peers, heard, find };
}

Deno.test("the last place of a peer is chosen for one task", async () => {
  const { peers, heard, find } = full();
  heard(1);
  assert.equal(await find("a"), "w2");
  const waiting = find("b");
  // The first one stays after all.
  peers.settled("a");
  heard(1);
  assert.equal(await waiting, "w2");
});

Deno.test("a peer that may have counted what it has taken is asked rather than that a task is refused", async () => {
  const { peers, heard, find } = full();
  heard(2);
  assert.equal(await find("a"), "w2");
  // Its load is here before it shows that it has the task.
  heard(1);
  peers.taken("w2");
  peers.settled("a");
  assert.equal(await find("b"), "w2");
});

Deno.test("a task for which nobody has room finds nobody", async () => {
  const { peers, heard, find } = full();
  heard(0);
  assert.equal(await find("a"), null);
  heard(1);
  peers.offered("w2", "b");
  assert.equal(await find("c"), null);
});
