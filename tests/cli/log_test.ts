/** What a line of the log can, and cannot, be made of. */
import assert from "node:assert/strict";
import { Log, type LogFields, type LogLevel } from "../../src/log.ts";

function written(
  format: "text" | "json",
  write: (log: Log) => void,
  level: LogLevel = "DEBUG",
): string[] {
  const lines: string[] = [];
  write(new Log({ level, format, write: (line) => lines.push(line) }));
  return lines;
}

function line(
  format: "text" | "json",
  message: string,
  fields?: LogFields,
  secrets: string[] = [],
): string {
  const [only] = written(format, (log) => {
    log.redact(secrets);
    log.info(message, fields);
  });
  return only!;
}

Deno.test("log: a line of text is time, level, message, task id, fields", () => {
  assert.match(
    line("text", "the task starts", {
      playbook: "a b.yml",
      attempt: 2,
      left_out: undefined,
      none: null,
      empty: "",
      task_id: "t-1",
    }),
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO {2}the task starts task_id=t-1 playbook="a b\.yml" attempt=2 none=null empty=""$/,
  );
});

Deno.test("log: a line of JSON is one object, in a fixed order", () => {
  const text = line("json", "done", { n: 1.5, ok: true, o: [1], task_id: "t" });
  const { time, ...entry } = JSON.parse(text);
  assert.equal(new Date(time).toISOString(), time);
  assert.equal(
    JSON.stringify(entry),
    '{"level":"INFO","message":"done","task_id":"t","n":1.5,"ok":true,"o":"[1]"}',
  );
});

Deno.test("log: only its level and above are written, and it can be changed", () => {
  const lines = written("text", (log) => {
    for (const level of ["DEBUG", "INFO", "WARN", "ERROR"] as const) {
      log.level = level;
      log.debug("d");
      log.info("i");
      log.warn("w");
      log.error("e");
    }
  });
  assert.equal(
    lines.map((line) => line.at(-1)).join(""),
    "diwe" + "iwe" + "we" + "e",
  );
});

const HOSTILE: [string, string][] = [
  ["a new line", "a\nb"],
  ["a carriage return", "a\rb"],
  ["a terminal's escape", "a\x1b[2Jb"],
  ["a C1 control", "a\x9b2Jb"],
  ["a NUL and a DEL", "a\0\x7fb"],
  ["unicode line separators", "a\u0085\u2028\u2029b"],
  ["marks that turn the text", "a\u202e\u2066\u200fb"],
  ["what cannot be seen", "a\u200b\ufeff\u{e0041}b"],
  ["half a character", "a\ud83db"],
  ["quotes and backslashes", 'a" task_id="x\\'],
];

for (const [name, text] of HOSTILE) {
  Deno.test(`log: ${name} in a message or a field stays on one harmless line`, () => {
    const harmless = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+$/u;
    const asText = line("text", text, { task_id: text });
    assert.match(asText, harmless);
    const [, field] = /task_id=("(?:[^"\\]|\\.)*")$/.exec(asText)!;
    assert.equal(JSON.parse(field!), text);
    const asJson = line("json", text, { task_id: text });
    assert.match(asJson, harmless);
    assert.equal(JSON.parse(asJson).message, text);
    assert.equal(JSON.parse(asJson).task_id, text);
  });
}

Deno.test("log: a field cannot take the place of time, level or message", () => {
  const entry = JSON.parse(
    line("json", "m", { time: "t", level: "ERROR", message: "x" }),
  );
  assert.equal(entry.message, "m");
  assert.equal(entry.level, "INFO");
  assert.equal(entry.message_, "x");
});

Deno.test("log: no line is longer than 8 KiB, whatever it is made of", () => {
  const parts = [
    "x",
    '"',
    "\\",
    "\n",
    "\x1b",
    "ü",
    "漢",
    "😀",
    "\u{e0041}",
    " ",
  ];
  for (const format of ["text", "json"] as const) {
    for (const part of parts) {
      for (const length of [10, 1000, 100_000]) {
        for (const count of [0, 1, 10, 2000]) {
          const text = part.repeat(length);
          const fields = Object.fromEntries(
            Array.from({ length: count }, (_, i) => [`field_${i}`, text]),
          );
          const told = line(format, text, fields);
          const size = new TextEncoder().encode(told).length;
          assert.ok(
            size <= 8192,
            `${format} ${part} ${length} ${count}: ${size}`,
          );
          if (format === "json") JSON.parse(told);
          assert.doesNotMatch(told, /\p{Cs}/u);
        }
      }
    }
  }
});

Deno.test("log: a long message leaves room for the task id", () => {
  const entry = JSON.parse(
    line("json", "\n".repeat(1_000_000), { task_id: "t".repeat(128) }),
  );
  assert.equal(entry.task_id, "t".repeat(128));
  assert.ok(entry.message.endsWith("…"));
});

Deno.test("log: a secret is written nowhere, in no form", () => {
  const secret = 'pq"zz\nqqq';
  for (const format of ["text", "json"] as const) {
    const told = line(format, `with ${secret} and 98765432`, {
      task_id: secret,
      error: new Error(`refused: ${secret}!`),
      list: [{ deep: secret }],
      number: 98765432,
      long: "x".repeat(2040) + secret,
    }, [secret, "98765432", "98765", ""]);
    assert.doesNotMatch(told, /zz|qqq|98765/);
    assert.match(told, /with \*\*\* and \*\*\*/);
    assert.match(told, /refused: \*\*\*!/);
  }
});

Deno.test("log: secrets that become known later are added to the others", () => {
  const [told] = written("text", (log) => {
    log.redact(["first"]);
    log.redact(["second"]);
    log.info("first second");
  });
  assert.ok(told!.endsWith("INFO  *** ***"));
});

Deno.test("log: what cannot be shown is no reason to fail", () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const told = line("text", "m", {
    cycle,
    big: 1n,
    nothing: () => 1,
    symbol: Symbol("s"),
    nan: NaN,
  });
  assert.match(told, /cycle="\(cannot be shown\)"/);
});
