import assert from "node:assert/strict";
import { refusalOf } from "../../src/tasks/responses.ts";

const GROUP = "site/ansible/web";

function refusal(topic: string, ...patterns: string[]): string | null {
  return refusalOf(topic, { group: GROUP, patterns });
}

for (
  const [topic, pattern] of [
    ["clients/c1", "clients/*"],
    ["clients/c1", "clients/c1"],
    ["clients/c1/answers", "clients/*/answers"],
    ["clients/a/b/c", "clients/**"],
    ["b/x", "{a,b}/*"],
    ["anything", "**"],
    ["any/thing at all/é", "**"],
    // Of other groups, and those that only begin like ours.
    ["site/ansible/web2/answers", "**"],
    ["site/ansible/answers", "site/**"],
    ["site/ansible", "site/*"],
    ["clients/" + "x".repeat(1016), "clients/*"],
    [Array(100).fill("a").join("/"), "**"],
  ] as const
) {
  Deno.test(`responses: ${pattern} allows ${topic.slice(0, 40)}`, () => {
    assert.equal(refusal(topic, pattern), null);
    assert.equal(refusal(topic, "other/*", pattern), null);
    assert.match(refusal(topic)!, /policy\.response_topics does not allow it/);
  });
}

for (
  const [topic, pattern] of [
    ["clients", "clients/*"],
    ["clients/a/b", "clients/*"],
    ["Clients/a", "clients/*"],
    ["clients2/a", "clients/*"],
    ["x/clients/a", "clients/*"],
    ["a", "b"],
  ] as const
) {
  Deno.test(`responses: ${pattern} does not allow ${topic}`, () => {
    assert.match(refusal(topic, pattern)!, /does not allow it/);
  });
}

for (
  const [topic, reason] of [
    ["", /is empty/],
    ["a/+", /wildcard/],
    ["+", /wildcard/],
    ["a/#", /wildcard/],
    ["#", /wildcard/],
    ["$SYS/broker", /begins with \$/],
    ["$share/g/a", /begins with \$/],
    ["a\0b", /character/],
    ["a\nb", /character/],
    ["a\u007f", /character/],
    ["a\ufffe", /character/],
    ["a\ud800", /character/],
    ["/a", /level that is empty/],
    ["a/", /level that is empty/],
    ["a//b", /level that is empty/],
    ["a/../site/ansible/web/tasks", /level that is empty/],
    ["./a", /level that is empty/],
    [GROUP, /group's own/],
    [`${GROUP}/tasks`, /group's own/],
    [`${GROUP}/tasks/t/status`, /group's own/],
    [`${GROUP}/workers/w1/tasks`, /group's own/],
    [`${GROUP}/anything`, /group's own/],
    ["a".repeat(1025), /more than 1024 bytes/],
    ["é".repeat(513), /more than 1024 bytes/],
    [Array(101).fill("a").join("/"), /100 levels/],
  ] as const
) {
  const shown = JSON.stringify(topic).slice(0, 50);
  Deno.test(`responses: no pattern allows ${shown}`, () => {
    assert.match(refusal(topic, "**", topic, "**/*", "*")!, reason);
  });
}
