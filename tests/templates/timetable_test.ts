import assert from "node:assert/strict";
import { Schedule } from "../../src/templates/schedule.ts";
import { type Clock, Timetable } from "../../src/templates/timetable.ts";

/** A clock that a test sets. */
class TestClock implements Clock {
  #now: number;
  #calls: { at: number; call: () => void }[] = [];

  constructor(start: string) {
    this.#now = Date.parse(start);
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, call: () => void): () => void {
    const one = { at: this.#now + ms, call };
    this.#calls.push(one);
    return () => this.#calls = this.#calls.filter((other) => other !== one);
  }

  get waiting(): number {
    return this.#calls.length;
  }

  /** Lets time pass, second by second. */
  pass(seconds: number): void {
    for (let n = 0; n < seconds; n++) this.set(this.#now + 1000);
  }

  /** Sets it; whoever has waited for so long is called. */
  set(to: number | string): void {
    this.#now = typeof to === "string" ? Date.parse(to) : to;
    const due = this.#calls.filter(({ at }) => at <= this.#now);
    this.#calls = this.#calls.filter(({ at }) => at > this.#now);
    for (const { call } of due) call();
  }
}

function scene(
  start: string,
  cron: string,
  options: { catch_up?: boolean; retentionSeconds?: number } = {},
) {
  const { catch_up = false, retentionSeconds = 0 } = options;
  const clock = new TestClock(start);
  const state = {
    ready: true,
    schedules: new Map([
      ["t", new Schedule({ cron, time_zone: "UTC", catch_up })],
    ]),
  };
  const asked: string[] = [];
  const timetable = new Timetable({
    schedules: () => state.schedules,
    isReady: () => state.ready,
    publish: ({ task_id, template }) => {
      assert.ok(task_id.startsWith(`${template}:`));
      asked.push(task_id.slice(template.length + 1));
    },
    retentionSeconds,
    clock,
  });
  timetable.update();
  const take = () => asked.splice(0);
  return { clock, state, take, timetable };
}

Deno.test("timetable: each time once, when it has come", () => {
  const { clock, take, timetable } = scene(
    "2026-07-01T12:00:01.500Z",
    "*/20 * * * * *",
  );
  clock.pass(18);
  assert.deepEqual(take(), []);
  clock.pass(1);
  assert.deepEqual(take(), ["2026-07-01T12:00:20Z"]);
  timetable.update();
  clock.pass(40);
  assert.deepEqual(take(), ["2026-07-01T12:00:40Z", "2026-07-01T12:01:00Z"]);
  assert.equal(clock.waiting, 1);
  timetable[Symbol.dispose]();
  assert.equal(clock.waiting, 0);
});

Deno.test("timetable: at the second itself", () => {
  const { clock, take } = scene("2026-07-01T11:59:59.000Z", "0 12 * * *");
  clock.pass(1);
  assert.deepEqual(take(), ["2026-07-01T12:00:00Z"]);
});

Deno.test("timetable: a little late is on time, more is missed", () => {
  const { clock, state, take, timetable } = scene(
    "2026-07-01T11:59:00Z",
    "*/10 * * * * *",
  );
  state.ready = false;
  clock.pass(90);
  state.ready = true;
  timetable.update();
  assert.deepEqual(take(), [
    "2026-07-01T12:00:10Z",
    "2026-07-01T12:00:20Z",
    "2026-07-01T12:00:30Z",
  ]);
  // The host was asleep.
  clock.set("2026-07-01T13:00:05Z");
  assert.deepEqual(take(), [
    "2026-07-01T12:59:40Z",
    "2026-07-01T12:59:50Z",
    "2026-07-01T13:00:00Z",
  ]);
});

Deno.test("timetable: with catch_up the last missed time is asked for, once", () => {
  for (
    const [options, expected] of [
      [{}, []],
      [{ catch_up: true }, ["2026-07-01T12:00:00Z"]],
      [{ catch_up: true, retentionSeconds: 8 * 3600 }, [
        "2026-07-01T12:00:00Z",
      ]],
      // Whether it has been run, nobody knows any more.
      [{ catch_up: true, retentionSeconds: 3600 }, []],
    ] as const
  ) {
    const { clock, state, take, timetable } = scene(
      "2026-07-01T18:00:00Z",
      "0 */12 * * *",
      options,
    );
    assert.deepEqual(take(), expected);
    timetable.update();
    state.ready = false;
    clock.set("2026-07-02T13:00:00Z");
    assert.deepEqual(take(), []);
    state.ready = true;
    timetable.update();
    assert.deepEqual(
      take(),
      expected.map(() => "2026-07-02T12:00:00Z"),
    );
    timetable.update();
    assert.deepEqual(take(), []);
  }
});

Deno.test("timetable: schedules that change begin anew, others go on", () => {
  const { clock, state, take, timetable } = scene(
    "2026-07-01T12:00:00.100Z",
    "0 * * * * *",
  );
  clock.pass(61);
  assert.deepEqual(take(), ["2026-07-01T12:01:00Z"]);
  state.schedules = new Map([
    ...state.schedules,
    [
      "t2",
      new Schedule({ cron: "30 * * * * *", time_zone: "UTC", catch_up: false }),
    ],
  ]);
  timetable.update();
  assert.deepEqual(take(), []);
  clock.pass(60);
  assert.deepEqual(take(), ["2026-07-01T12:01:30Z", "2026-07-01T12:02:00Z"]);
  state.schedules = new Map();
  timetable.update();
  assert.equal(clock.waiting, 0);
});

Deno.test("timetable: a clock that was far ahead is no reason to wait for that day", () => {
  const { clock, take, timetable } = scene(
    "2030-01-01T00:00:00Z",
    "*/10 * * * * *",
  );
  clock.set("2026-07-01T12:00:01Z");
  timetable.update();
  assert.deepEqual(take(), []);
  clock.pass(10);
  assert.deepEqual(take(), ["2026-07-01T12:00:10Z"]);
});
