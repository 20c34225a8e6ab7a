import assert from "node:assert/strict";
import { judgeClock } from "../../src/doctor/clock.ts";
import type { Presence } from "../../src/messages/presence.ts";

const NOW = Date.UTC(2026, 4, 4, 12);

/** What a worker has said, some seconds from now. */
function said(worker_id: string, seconds: number): Presence {
  return {
    worker_id,
    instance: "i",
    state: "online",
    slots: 1,
    version: "0",
    ansible_version: "2.14.18",
    host: worker_id,
    started_at: new Date(NOW - 1e6).toISOString(),
    updated_at: new Date(NOW + 1000 * seconds).toISOString(),
  };
}

for (
  const [name, presences, options, status, message] of [
    ["alone", [], {}, "ok", /nobody to compare/],
    ["behind nobody", [said("a", -5), said("b", 59)], {}, "ok", /not before/],
    [
      "behind another one",
      [said("a", -5), said("b", 300)],
      {},
      "warning",
      /^clocks differ: worker b .* 300 s after/,
    ],
    [
      "behind another one, where requests are signed",
      [said("b", 300)],
      { signed: true },
      "failed",
      /^clocks differ/,
    ],
    ["behind oneself", [said("me", 300)], {}, "ok", /nobody to compare/],
    ["in 1970", [], { now: 0 }, "failed", /^wrong time: .*1970-01-01/],
    ["in 2106", [], { now: 2 ** 32 * 1000 }, "failed", /^wrong time/],
  ] as const
) {
  Deno.test(`the doctor's clock: ${name}`, () => {
    const found = judgeClock(presences, {
      now: NOW,
      self: "me",
      signed: false,
      ...options,
    });
    assert.equal(found.status, status);
    assert.match(found.message, message);
    if (status !== "ok") assert.match(found.advice.join(), /NTP/);
  });
}

Deno.test("the doctor says how far the clocks may differ where requests are signed", () => {
  const { status, advice } = judgeClock([], {
    now: NOW,
    self: "me",
    signed: true,
  });
  assert.equal(status, "ok");
  assert.match(advice.join(), /60 s/);
});
