/**
 * What an adopter makes of the deliveries in a dead worker's session, where a
 * real worker would have to be killed at one moment of many.
 */
import assert from "node:assert/strict";
import { Adoption } from "../../src/group/adoption.ts";
import { Peers } from "../../src/group/peers.ts";
import type { Delivery, Incoming } from "../../src/messages/packets.ts";
import { NO_PROGRESS } from "../../src/messages/task_status.ts";
import { Topics } from "../../src/messages/topics.ts";

const TOPICS = new Topics("ansible", "test");
const NOW = "2026-05-04T12:00:00.000Z";

function queuedBy(worker_id: string, token: string): Incoming {
  const status = {
    task_id: "t",
    state: "queued",
    created_at: NOW,
    started_at: null,
    completed_at: null,
    duration_seconds: null,
    return_code: null,
    error_message: null,
    playbook: "p",
    inventory: "i",
    worker_id,
    ...NO_PROGRESS,
  };
  return {
    topic: TOPICS.status("t"),
    payload: new TextEncoder().encode(JSON.stringify(status)),
    retained: true,
    properties: { user: { token, seq: "1" } },
  };
}

/** Adopts "dead", whose session has one delivery; returns what it publishes. */
async function adopted(
  delivery: Pick<Delivery, "topic" | "properties" | "redelivered">,
  status: Incoming,
): Promise<string[]> {
  const peers = new Peers("adopter");
  peers.presence("dead", {
    worker_id: "dead",
    instance: "i",
    state: "offline",
    slots: 1,
    version: "1",
    ansible_version: "2",
    host: "h",
    started_at: NOW,
    updated_at: NOW,
  });
  const published: string[] = [];
  const deliveries: Delivery[] = [{
    ...delivery,
    payload: new Uint8Array(),
    retained: false,
    release: () => Promise.resolve(),
  }];
  const adoption = new Adoption({
    workerId: "adopter",
    topics: TOPICS,
    channel: {
      subscribe: () => Promise.resolve(),
      unsubscribe: () => Promise.resolve(),
      publish: ({ topic }) => {
        published.push(topic);
        return Promise.resolve();
      },
    },
    peers,
    responses: { follow() {} },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    retentionSeconds: 0,
    taskIdOf: () => Promise.resolve("t"),
    openIntake: () =>
      Promise.resolve({
        present: true,
        unsubscribe: () => Promise.resolve(),
        lookUp: (topic) =>
          Promise.resolve(topic === status.topic ? status : null),
        deliveries: () => Promise.resolve(deliveries.splice(0)),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
    endControlSession: () => Promise.resolve(),
  });
  await adoption.adopt("dead");
  return published;
}

const FROM = { user: { "ansible-worker-from": "token" } };

for (
  const [name, delivery, status, moves] of [
    [
      "one that waited there",
      { topic: TOPICS.tasks, properties: {}, redelivered: true },
      queuedBy("dead", "token"),
      true,
    ],
    [
      "one that has moved there, and was not taken yet",
      { topic: TOPICS.tasks, properties: FROM, redelivered: true },
      queuedBy("another one that is dead", "token"),
      true,
    ],
    [
      "one that has moved there, and on to somebody else",
      { topic: TOPICS.tasks, properties: FROM, redelivered: true },
      queuedBy("somebody else", "another token"),
      false,
    ],
    [
      "one that a peer has offered, and that was not taken yet",
      { topic: TOPICS.inbox("dead"), properties: FROM, redelivered: true },
      queuedBy("the peer", "token"),
      false,
    ],
  ] as const
) {
  Deno.test(`adoption: ${name} ${moves ? "moves" : "does not move"}`, async () => {
    const published = await adopted(delivery, status);
    assert.equal(published.includes(TOPICS.tasks), moves);
  });
}
