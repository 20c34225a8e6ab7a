import assert from "node:assert/strict";
import { Membership } from "../../src/group/membership.ts";
import { type Presence, presenceSchema } from "../../src/messages/presence.ts";
import { Topics } from "../../src/messages/topics.ts";

Deno.test("what a worker has said under a name that it had before is no rival's", async () => {
  // Which of two names is the greater one is chance.
  for (let i = 0; i < 20; i++) {
    let said: Presence | undefined;
    const membership = new Membership({
      publish: ({ payload }) => {
        said = presenceSchema.parse(JSON.parse(String(payload)));
        return Promise.resolve();
      },
      topics: new Topics("ansible", "test"),
      workerId: "w1",
      description: {
        slots: 1,
        version: "0.1.0",
        ansible_version: "2.19.0",
        host: "w1",
      },
      templates: () => [],
      content: () => null,
    });
    await membership.announce();
    const before = said!;
    membership.renew();
    assert.equal(membership.receiveOwn(before, { retained: false }), "wrong");
    const rival = { ...before, instance: "!", worker_id: "w1" };
    assert.equal(membership.receiveOwn(rival, { retained: false }), "rival");
  }
});
