import assert from "node:assert/strict";
import { Database, DatabaseError } from "../../src/web/database.ts";
import { MIGRATIONS } from "../../src/web/migrations.ts";
import { prune } from "../../src/web/pruning.ts";
import { type Kept, type Record, Recorder } from "../../src/web/recorder.ts";
import { Store } from "../../src/web/store.ts";
import { event, output, status } from "./messages.ts";

/** A database in a directory of its own. */
class Kit implements Disposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "web-" });
  readonly path = `${this.directory}/web.db`;
  readonly database = Database.open(this.path);
  readonly kept: Kept[] = [];
  readonly recorder = new Recorder(this.database, {
    onCommit: (kept) => this.kept.push(kept),
    onFailure: (error) => {
      throw error;
    },
  });
  readonly store = new Store(this.database);

  put(...records: Record[]): void {
    for (const record of records) this.recorder.put(record);
    this.recorder.flush();
  }

  task(taskId: string) {
    const task = this.store.task(taskId);
    assert.ok(task);
    return task;
  }

  [Symbol.dispose](): void {
    this.database[Symbol.dispose]();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

const statusOf = (...args: Parameters<typeof status>): Record => ({
  kind: "status",
  status: status(...args),
});
const eventOf = (...args: Parameters<typeof event>): Record => ({
  kind: "event",
  event: event(...args),
});
const outputOf = (...args: Parameters<typeof output>): Record => ({
  kind: "output",
  output: output(...args),
});

Deno.test("a database of every earlier version is brought to the newest", () => {
  const newest = schemaAfter(MIGRATIONS.length);
  for (let version = 0; version < MIGRATIONS.length; version++) {
    assert.deepEqual(schemaAfter(version), newest, `from version ${version}`);
  }
});

/** The tables of a database that an earlier version has made, opened by this one. */
function schemaAfter(version: number): unknown {
  const directory = Deno.makeTempDirSync({ prefix: "web-" });
  try {
    const path = `${directory}/web.db`;
    if (version > 0) {
      using early = Database.open(path, MIGRATIONS.slice(0, version));
      early.run("INSERT INTO settings VALUES ('kept', 'yes')");
    }
    using database = Database.open(path);
    if (version > 0) {
      assert.equal(
        database.get<{ value: string }>(
          "SELECT value FROM settings WHERE name = 'kept'",
        )?.value,
        "yes",
      );
    }
    assert.ok(database.isSound());
    return database.all("SELECT type, name, sql FROM sqlite_schema");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("a database of a later version, or of something else, is left alone", () => {
  using kit = new Kit();
  kit.database.run("PRAGMA user_version = 1000");
  assert.throws(
    () => Database.open(kit.path),
    (error) =>
      error instanceof DatabaseError && /later version/.test(error.message),
  );
  const other = `${kit.directory}/other.db`;
  using made = Database.open(other, ["CREATE TABLE mine (a)"]);
  made.run("PRAGMA user_version = 0");
  assert.throws(() => Database.open(other), /something else/);
});

Deno.test("what comes again is kept once, and in order", () => {
  using kit = new Kit();
  kit.put(
    statusOf("a", "queued"),
    statusOf("a", "running"),
    eventOf("a", 1),
    eventOf("a", 2, { host: "h1" }),
    eventOf("a", 1),
    eventOf("a", 2, { host: "h1" }),
    outputOf("a", 1, "one\n"),
    outputOf("a", 1, "one\n"),
    outputOf("a", 2, "two\n"),
  );
  kit.put(eventOf("a", 2, { host: "h1" }), outputOf("a", 2, "two\n"));
  const { key, outputLines, outputBytes, gaps } = kit.task("a");
  assert.deepEqual(
    kit.store.events(key, { after: 0, limit: 10 }).map(({ seq }) => seq),
    [1, 2],
  );
  assert.deepEqual([...kit.store.texts(key)], ["one\n", "two\n"]);
  assert.deepEqual([outputLines, outputBytes, gaps], [2, 8, []]);
});

Deno.test("a status that is behind what is known is passed over", () => {
  using kit = new Kit();
  kit.put(
    statusOf("a", "queued"),
    statusOf("a", "running", { duration_seconds: 5, current_task: "five" }),
    statusOf("a", "running", { duration_seconds: 4, current_task: "four" }),
    statusOf("a", "queued"),
  );
  assert.equal(kit.task("a").currentTask, "five");
  kit.put(statusOf("a", "success"), statusOf("a", "running"));
  const task = kit.task("a");
  assert.equal(task.state, "success");
  assert.deepEqual(task.moves.map(({ state }) => state), [
    "queued",
    "running",
    "success",
  ]);
  assert.deepEqual(kit.store.totals(), {
    queued: 0,
    running: 0,
    success: 1,
    failed: 0,
    cancelled: 0,
    timeout: 0,
  });
});

Deno.test("an id that comes again is a run of its own", () => {
  using kit = new Kit();
  kit.put(
    statusOf("a", "success"),
    eventOf("a", 1),
    statusOf("a", "running", { created_at: "2026-05-05T12:00:00.000Z" }),
    eventOf("a", 1),
    eventOf("a", 2, { host: "h1" }),
    // What is retained of the first comes late.
    statusOf("a", "running"),
  );
  const task = kit.task("a");
  assert.equal(task.state, "running");
  assert.equal(task.otherRuns.length, 1);
  assert.equal(kit.store.events(task.key, { after: 0, limit: 9 }).length, 2);
  const other = kit.store.task("a", task.otherRuns[0]!.key)!;
  assert.equal(other.state, "success");
  assert.equal(kit.store.events(other.key, { after: 0, limit: 9 }).length, 1);
});

Deno.test("what comes before any status belongs to the status that follows", () => {
  using kit = new Kit();
  kit.put(eventOf("a", 7), outputOf("a", 3, "late\n"));
  assert.equal(kit.store.task("a"), null);
  assert.deepEqual(kit.store.tasks({}, { limit: 10 }).rows, []);
  kit.put(statusOf("a", "running"));
  const { gaps, hasEvents, outputLines } = kit.task("a");
  assert.ok(hasEvents);
  assert.equal(outputLines, 1);
  assert.deepEqual(gaps, [
    "6 events are not here: the broker was too slow for them, or this page was away for too long",
    "2 pieces of output are not here: the broker was too slow for them, or this page was away for too long",
  ]);
});

Deno.test("a map has a column for each play task that starts, also under free", () => {
  using kit = new Kit();
  kit.put(
    statusOf("a", "failed"),
    eventOf("a", 1),
    eventOf("a", 2, { host: "h1" }),
    eventOf("a", 3, { host: "h2", state: "failed", message: "no" }),
    eventOf("a", 4),
    eventOf("a", 5, { host: "h1", state: "changed" }),
    eventOf("a", 6, {
      play: "free",
      event: "task_start",
      host: "h1",
      state: null,
    }),
    eventOf("a", 7, { play: "free", host: "h1", state: "skipped" }),
    eventOf("a", 8, {
      play: "free",
      event: "task_start",
      host: "h3",
      state: null,
    }),
    eventOf("a", 9, { play: "free", host: "h3", state: "unreachable" }),
  );
  const task = kit.task("a");
  assert.deepEqual(kit.store.map(task.key), {
    hosts: ["h1", "h2", "h3"],
    columns: [
      { play: "all", task: "ping" },
      { play: "all", task: "ping" },
      { play: "free", task: "ping" },
    ],
    cells: ["ocs", "f", "..u"],
  });
  assert.equal(kit.store.hostAt(task.key, 1), "h2");
  assert.equal(
    kit.store.cell(task.key, { host: "h2", column: 0 })?.results[0]?.message,
    "no",
  );
  assert.equal(kit.store.cell(task.key, { host: "h2", column: 2 }), null);
  assert.deepEqual(task.failures.map(({ host, state }) => [host, state]), [
    ["h2", "failed"],
    ["h3", "unreachable"],
  ]);
  assert.deepEqual(
    task.plays.map(({ play, start, end, tasks }) => [
      play,
      start,
      end,
      tasks.map(({ column }) => column),
    ]),
    [["all", 0, 0.5, [0, 1]], ["free", 0.5, 0.8, [2]]],
  );
});

Deno.test("a play task that hangs lasts until its run is ended, or as long as it runs", () => {
  using kit = new Kit();
  kit.put(
    statusOf("a", "running"),
    eventOf("a", 1, { time: "2026-05-04T12:00:01.500Z" }),
    eventOf("a", 2, { host: "h1", time: "2026-05-04T12:00:01.600Z" }),
  );
  const span = () => {
    const [play] = kit.task("a").plays;
    return [play!.end, play!.tasks.at(-1)!.start, play!.tasks.at(-1)!.end];
  };
  assert.deepEqual(span(), [0.5, 0, 0.5]);
  kit.put(
    eventOf("a", 3, { task: "hang", time: "2026-05-04T12:00:01.700Z" }),
    statusOf("a", "timeout", { duration_seconds: 3 }),
  );
  assert.deepEqual(span(), [2.5, 0.2, 2.5]);
});

Deno.test("columns go on after a restart", () => {
  using kit = new Kit();
  kit.put(statusOf("a", "running"), eventOf("a", 1));
  using database = Database.open(kit.path);
  const again = new Recorder(database, {
    onCommit: () => {},
    onFailure: (error) => {
      throw error;
    },
  });
  again.put(eventOf("a", 2, { host: "h1" }));
  again.put(eventOf("a", 3));
  again.put(eventOf("a", 4, { host: "h1", state: "failed" }));
  again.flush();
  assert.deepEqual(kit.store.map(kit.task("a").key).cells, ["of"]);
});

Deno.test("output is read by lines, with the colours that hold there", async () => {
  using kit = new Kit();
  kit.put(
    statusOf("a", "running"),
    outputOf("a", 1, "zero\n\u001b[31mone"),
    outputOf("a", 2, " more\ntwo\u001b[0m\nthr"),
    outputOf("a", 3, "ee <b>"),
  );
  const { key, outputLines } = kit.task("a");
  assert.equal(outputLines, 4);
  const shown = (from: number, lines: number) =>
    kit.store.output(key, { from, lines }).rows.map(({ number, spans }) => [
      number,
      ...spans.map(({ text, classes }) => `${classes}:${text}`),
    ]);
  assert.deepEqual(shown(0, 10), [
    [0, ":zero"],
    [1, "fg-red:one more"],
    [2, "fg-red:two"],
    [3, ":three <b>"],
  ]);
  for (let line = 0; line < 4; line++) {
    assert.deepEqual(shown(line, 1), [shown(0, 10)[line]], `line ${line}`);
  }
  assert.deepEqual(shown(4, 10), []);
  assert.deepEqual(await kit.store.find(key, "ONE M"), {
    lines: [1],
    more: false,
  });
  assert.deepEqual(await kit.store.find(key, "ee <b"), {
    lines: [3],
    more: false,
  });
});

Deno.test("tasks are found by filters and words, page by page", () => {
  using kit = new Kit();
  for (let i = 0; i < 25; i++) {
    kit.put(statusOf(`t-${i}`, i % 5 === 0 ? "failed" : "success", {
      playbook: i % 2 === 0 ? "even.yml" : "odd.yml",
      error_message: i === 10 ? 'cannot reach db"7" (100% full)' : null,
    }));
  }
  const ids = (...args: Parameters<Store["tasks"]>) =>
    kit.store.tasks(...args).rows.map(({ taskId }) => taskId);
  const first = kit.store.tasks({}, { limit: 10 });
  assert.equal(first.rows[0]!.taskId, "t-24");
  const all = [...first.rows];
  for (let page = first; page.next !== null;) {
    page = kit.store.tasks({}, { limit: 10, cursor: page.next });
    all.push(...page.rows);
  }
  assert.deepEqual(
    all.map(({ taskId }) => taskId),
    Array.from({ length: 25 }, (_, i) => `t-${24 - i}`),
  );
  assert.deepEqual(
    ids({ state: ["failed"], playbook: "even.yml" }, { limit: 10 }),
    ["t-20", "t-10", "t-0"],
  );
  assert.deepEqual(ids({ search: "reach DB" }, { limit: 10 }), ["t-10"]);
  kit.put(
    statusOf("runs", "running", { playbook: "odd.yml" }),
    statusOf("runs-too", "running", { playbook: "even.yml" }),
  );
  const { running, ended } = kit.store.board({ search: "even" }, {});
  assert.deepEqual(running.map(({ taskId }) => taskId), ["runs-too"]);
  assert.equal(ended.rows.length, 13);
  assert.deepEqual(ids({ search: "t-2" }, { limit: 10 }), [
    "t-24",
    "t-23",
    "t-22",
    "t-21",
    "t-20",
    "t-2",
  ]);
  for (
    const search of [
      '"',
      "' OR 1=1 --",
      "a* NOT b",
      "NEAR(",
      "words:x",
      "()",
      "-",
      "^",
    ]
  ) assert.ok(Array.isArray(ids({ search }, { limit: 10 })), search);
  assert.deepEqual(ids({ playbook: "' OR '1'='1" }, { limit: 10 }), []);
  assert.deepEqual(kit.store.choices().playbooks, ["even.yml", "odd.yml"]);
  const history = kit.store.history(
    { playbook: "odd.yml" },
    Date.parse("2026-05-05T12:00:00Z"),
  );
  assert.equal(history.bars.length, 12);
  assert.equal(history.bars[0]!.taskId, "t-1");
  assert.equal(history.medianSeconds, 2);
  assert.deepEqual(history.days.map((day) => ({ ...day })), [{
    day: "2026-05-04",
    ended: 12,
    failed: 2,
  }]);
});

Deno.test("what has failed within a day counts from when it ended", () => {
  using kit = new Kit();
  const now = Date.parse("2026-05-05T12:00:00Z");
  const ended = (
    id: string,
    state: "failed" | "timeout" | "success",
    hours: number,
  ) =>
    statusOf(id, state, {
      created_at: "2026-05-01T00:00:00.000Z",
      completed_at: new Date(now - hours * 3600_000).toISOString(),
    });
  kit.put(
    ended("failed", "failed", 1),
    ended("too-slow", "timeout", 23),
    ended("fine", "success", 1),
    ended("long-ago", "failed", 25),
  );
  assert.equal(kit.store.failedToday(now), 2);
});

Deno.test("what is too old, or too much, is removed, and room is given back", async () => {
  using kit = new Kit();
  const text = "x".repeat(60_000) + "\n";
  for (let i = 0; i < 60; i++) {
    kit.put(
      statusOf(`t-${i}`, "success"),
      ...Array.from(
        { length: 4 },
        (_, seq) => outputOf(`t-${i}`, seq + 1, text),
      ),
    );
  }
  kit.put(statusOf("runs", "running"));
  const size = () => Deno.statSync(kit.path).size;
  const before = kit.database.bytes;
  assert.ok(before > 14_000_000, String(before));
  await prune(kit.database, { keepDays: 90, keepBytes: 5_000_000 });
  assert.ok(kit.database.bytes <= 5_000_000);
  assert.ok(kit.database.bytes > 4_000_000, "no more than needed");
  assert.equal(kit.store.task("t-0"), null);
  assert.ok(kit.store.task("t-59"));
  kit.database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  assert.ok(size() < 6_000_000, String(size()));
  await prune(kit.database, {
    keepDays: 90,
    keepBytes: 1e9,
    now: Date.now() + 91 * 24 * 3600_000,
  });
  assert.equal(kit.store.task("t-59"), null);
  assert.deepEqual(kit.store.totals().success, 0);
  assert.ok(kit.database.isSound());
});

Deno.test("a copy has what was kept, while it is written to", async () => {
  using kit = new Kit();
  kit.put(statusOf("a", "running"));
  await kit.database.saveTo(`${kit.directory}/copy.db`);
  kit.put(statusOf("b", "running"));
  using copy = Database.open(`${kit.directory}/copy.db`);
  assert.ok(copy.isSound());
  const { rows } = new Store(copy).tasks({}, { limit: 10 });
  assert.deepEqual(rows.map(({ taskId }) => taskId), ["a"]);
});
