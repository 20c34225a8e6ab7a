import assert from "node:assert/strict";
import { Schedule, ScheduleError } from "../../src/templates/schedule.ts";

function schedule(cron: string, time_zone = "Europe/Berlin"): Schedule {
  return new Schedule({ cron, time_zone, catch_up: false });
}

/** So many times after a moment. */
function times(of: Schedule, from: string, count: number): string[] {
  const found: string[] = [];
  let at: Date | null = new Date(from);
  while (found.length < count && (at = of.next(at))) {
    found.push(at.toISOString().replace(":00.000Z", "Z"));
  }
  return found;
}

// The clock goes from 02:00 to 03:00 on 29 March 2026, and from 03:00 back to
// 02:00 on 25 October.
for (
  const [name, cron, from, expected] of [
    [
      "a time that is left out comes when the clock has been put forward",
      "30 2 * * *",
      "2026-03-28T00:00:00Z",
      ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"],
    ],
    [
      "each hour goes on evenly when the clock is put forward",
      "0 * * * *",
      "2026-03-28T23:30:00Z",
      ["2026-03-29T00:00Z", "2026-03-29T01:00Z", "2026-03-29T02:00Z"],
    ],
    [
      "a time that comes twice is meant once",
      "30 2 * * *",
      "2026-10-24T00:00:00Z",
      ["2026-10-24T00:30Z", "2026-10-25T00:30Z", "2026-10-26T01:30Z"],
    ],
    [
      "each half hour goes on evenly when the clock is put back",
      "*/30 * * * *",
      "2026-10-24T23:45:00Z",
      [
        "2026-10-25T00:00Z",
        "2026-10-25T00:30Z",
        "2026-10-25T01:00Z",
        "2026-10-25T01:30Z",
        "2026-10-25T02:00Z",
      ],
    ],
    [
      "a day that not every year has",
      "0 12 29 2 *",
      "2026-01-01T00:00:00Z",
      ["2028-02-29T11:00Z", "2032-02-29T11:00Z"],
    ],
    ["by name", "@daily", "2026-01-01T12:00:00Z", ["2026-01-01T23:00Z"]],
  ] as const
) {
  Deno.test(`schedule: ${name}`, () => {
    assert.deepEqual(times(schedule(cron), from, expected.length), expected);
  });
}

Deno.test("schedule: what was last is what comes next from before", () => {
  for (const cron of ["30 2 * * *", "0 * * * *", "*/20 * * * * *"]) {
    const one = schedule(cron);
    for (
      const from of [
        "2026-03-28T23:10:07.250Z",
        "2026-10-24T23:10:00.000Z",
        "2026-07-01T12:00:00.001Z",
      ]
    ) {
      let at = new Date(from);
      for (let n = 0; n < 50; n++) {
        const next = one.next(at)!;
        assert.ok(next > at);
        assert.deepEqual(one.last(next), next, `${cron} at ${next.toJSON()}`);
        assert.ok(one.has(next));
        assert.ok(!one.has(new Date(next.getTime() + 1)));
        assert.ok(one.last(new Date(next.getTime() - 1))! <= at);
        assert.deepEqual(one.last(new Date(next.getTime() + 999)), next);
        assert.deepEqual(one.between(at, next), [next]);
        at = next;
      }
    }
  }
});

Deno.test("schedule: of many times the latest hundred are told", () => {
  const found = schedule("* * * * * *").between(
    new Date("2026-07-01T12:00:00Z"),
    new Date("2026-07-01T13:00:00Z"),
  );
  assert.equal(found.length, 100);
  assert.equal(found[0]!.toJSON(), "2026-07-01T12:58:21.000Z");
  assert.equal(found.at(-1)!.toJSON(), "2026-07-01T13:00:00.000Z");
});

for (
  const [cron, zone, key, says] of [
    ["0 0 30 2 *", "UTC", "cron", "never comes"],
    [
      "61 * * * *",
      "UTC",
      "cron",
      "is not a cron expression: Invalid value for minute: 61",
    ],
    ["* * * *", "UTC", "cron", "must have five fields"],
    ["0 0 0 1 1 * 2020", "UTC", "cron", "must have five fields"],
    ["2020-01-01T00:00:00", "UTC", "cron", "must have five fields"],
    ["@reboot", "UTC", "cron", "must have five fields"],
    ["", "UTC", "cron", "must have five fields"],
    [
      "* * * * *",
      "Europe/Berln",
      "time_zone",
      'there is no time zone "Europe/Berln"; did you mean Europe/Berlin?',
    ],
    ["* * * * *", "", "time_zone", 'there is no time zone ""'],
  ] as const
) {
  Deno.test(`schedule: "${cron}" in "${zone}" is refused`, () => {
    assert.throws(
      () => schedule(cron, zone),
      (error) =>
        error instanceof ScheduleError && error.key === key &&
        error.message.startsWith(says),
    );
  });
}
