import assert from "node:assert/strict";
import { RunReport } from "../../src/ansible/report.ts";

const host = (
  host: string,
  { column = "failed" as "failed" | "unreachable", counted = true } = {},
) => ({ event: "host" as const, host, column, counted });

Deno.test("hosts are named up to a thousand, and counted beyond", () => {
  const report = new RunReport();
  for (let n = 0; n < 1002; n++) report.add(host(`h${n}`));
  report.add(host("x".repeat(256)));
  report.add(host("lost", { column: "unreachable" }));
  const names = Array.from({ length: 1000 }, (_, n) => `h${n}`);
  assert.deepEqual(report.final().failed_hosts, { names, more: 3 });
  assert.deepEqual(report.final().unreachable_hosts, {
    names: ["lost"],
    more: 0,
  });
  report.add(host("h1001", { counted: false }));
  report.add(host("h0", { counted: false }));
  assert.deepEqual(report.final().failed_hosts, {
    names: names.slice(1),
    more: 2,
  });
});

Deno.test("stats that are none, too long, or too deep are not taken", () => {
  const stats = (text: string | null) => {
    const report = new RunReport();
    report.add({ event: "stats", text });
    return report.final().stats;
  };
  const within = (a: string) => `{"run":{"a":${a}},"hosts":{}}`;
  const filler = "x".repeat(65_536 - within('""').length);
  assert.equal(
    JSON.stringify(stats(within("[1.0, 12345678901234567890]"))),
    within("[1.0,12345678901234567890]"),
  );
  assert.ok(stats(within(`"${filler}"`)));
  for (
    const text of [
      null,
      "",
      "1",
      "{}",
      '{"run":[],"hosts":{}}',
      '{"run":{},"hosts":{"h1":1}}',
      within(`"${filler}x"`),
      within(`"${filler.slice(1)}ä"`),
      within("[".repeat(9000) + "]".repeat(9000)),
      within("["),
    ]
  ) assert.equal(stats(text), null, String(text).slice(0, 100));
});
