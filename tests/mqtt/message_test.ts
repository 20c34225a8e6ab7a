import assert from "node:assert/strict";
import fc from "fast-check";
import { generate } from "mqtt-packet";
import { Buffer } from "node:buffer";
import { packetProperties, sizeOf } from "../../src/mqtt/message.ts";

const text = fc.string({ unit: "grapheme" });
const topic = fc.string({ minLength: 1 });

Deno.test("a message is never larger than what is taken for its size", () => {
  let most = 0;
  fc.assert(
    fc.property(
      fc.record({
        topic,
        payload: fc.oneof(text, fc.uint8Array({ maxLength: 300 })),
        qos: fc.constantFrom<1 | 2>(1, 2),
        properties: fc.record({
          user: fc.dictionary(text, text),
          responseTopic: topic,
          correlationData: fc.uint8Array({ maxLength: 300 }),
          expirySeconds: fc.nat(),
        }, { requiredKeys: [] }),
      }),
      (message) => {
        const packet = generate({
          cmd: "publish",
          topic: message.topic,
          payload: Buffer.from(message.payload as string),
          qos: message.qos,
          retain: false,
          dup: false,
          messageId: 1,
          properties: packetProperties(message.properties),
        }, { protocolVersion: 5 });
        most = Math.max(most, packet.length);
        assert.ok(packet.length <= sizeOf(message), String(packet.length));
      },
    ),
    { numRuns: 500 },
  );
  assert.ok(most > 300, "large ones were among them");
});
