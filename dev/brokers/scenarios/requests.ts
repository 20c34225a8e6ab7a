/**
 * How requests come, and how they are answered.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { IPublishPacket } from "mqtt";
import { open } from "../../../tests/harness/client.ts";
import { until } from "../../../tests/harness/waiting.ts";
import { many, type Scenario } from "./scenario.ts";

/** What does not fit waits with the broker, and starts in order. */
export const WHEN_FULL_WAIT: Scenario = {
  name: "when_full: wait",
  async run(stage) {
    const { client, project } = stage;
    await stage.worker("w1", {
      worker: { max_queue_size: 2, when_full: "wait" },
    });
    const ids = many(30);
    for (const id of ids) await client.submit(project.work(id));
    await stage.allEnd(ids, { success: 30 });
    const starts = (await project.truth()).filter(({ what }) =>
      what === "start"
    );
    assert.deepEqual(starts.map(({ id }) => id), ids, "in order");
  },
};

/** A task whose message expires before it can start is cancelled. */
export const MESSAGE_EXPIRY: Scenario = {
  name: "message expiry",
  async run(stage) {
    const { client, project } = stage;
    await stage.worker("w1");
    await client.submit(project.work("long", { seconds: 5 }));
    await project.started("long");
    await client.submit(project.work("short"), { messageExpiryInterval: 2 });
    await stage.allEnd(["long", "short"], { success: 1, cancelled: 1 });
  },
};

/** Who asks with a response topic is answered there. */
export const RESPONSE_TOPIC: Scenario = {
  name: "response topic",
  async run(stage) {
    const { client, group, project } = stage;
    await stage.worker("w1", {
      config: { policy: { response_topics: ["clients/*/answers"] } },
    });
    const responseTopic = `clients/${group}/answers`;
    // Bytes that are no text.
    const correlationData = Buffer.from([0, 0x80, 0xff, 0x0a, 0xc3, 0x28]);
    const requester = await open(stage.broker.port);
    try {
      const answers: IPublishPacket[] = [];
      requester.on("message", (_topic, _payload, packet) => {
        answers.push(packet);
      });
      await requester.subscribeAsync(responseTopic, { qos: 1 });
      await client.submit(project.work("asked"), {
        responseTopic,
        correlationData,
      });
      const final = await client.final("asked");
      await until(
        "the final status on the response topic",
        () =>
          answers.some(({ payload }) =>
            payload.toString() === JSON.stringify(final)
          ),
      );
      for (const { properties } of answers) {
        assert.deepEqual(properties?.correlationData, correlationData);
      }
    } finally {
      await requester.endAsync(true);
    }
  },
};

/** Whatever a controller publishes with, its task runs. */
export const AT_EACH_QOS: readonly Scenario[] = ([0, 1, 2] as const).map((
  qos,
) => ({
  name: `requests at QoS ${qos}`,
  async run(stage) {
    const { client, project } = stage;
    await stage.worker("w1");
    const ids = many(5);
    for (const id of ids) {
      const request = JSON.stringify(project.work(id));
      await client.publish(`${client.base}/tasks`, request, { qos });
    }
    await stage.allEnd(ids, { success: 5 });
  },
}));

/** Nothing of what the broker has taken is lost, however it is set. */
export const MANY_AT_ONCE: Scenario = {
  name: "200 at once, default settings",
  settings: "default",
  async run(stage) {
    const { client, project } = stage;
    await stage.worker("w1", {
      worker: { max_queue_size: 500, max_concurrent_tasks: 2 },
    });
    const ids = many(200);
    await Promise.all(ids.map((id) => client.submit(project.work(id))));
    await stage.allEnd(ids, { success: 200 });
  },
};
