import assert from "node:assert/strict";
import { ROOT } from "../../dev/programs.ts";
import { configSchema, sections } from "../../src/config/schema.ts";
import { presenceSchema } from "../../src/messages/presence.ts";
import { rejectedSchema } from "../../src/messages/rejected.ts";
import { taskStatusSchema } from "../../src/messages/task_status.ts";
import { parseTaskRequest } from "../../src/messages/task_request.ts";
import { objection } from "../harness/printed_schemas.ts";

const README = await Deno.readTextFile(`${ROOT}README.md`);
const MESSAGES = await Deno.readTextFile(`${ROOT}docs/messages.md`);
const CONFIGURATION = await Deno.readTextFile(`${ROOT}docs/configuration.md`);

/** A fenced example of docs/messages.md. */
function example(name: string): unknown {
  const found = new RegExp(
    `<!-- example: ${name} -->\\s*\`\`\`json\\n([\\s\\S]*?)\`\`\``,
  ).exec(MESSAGES);
  assert.ok(found, `docs/messages.md has the example "${name}"`);
  return JSON.parse(found[1]!);
}

Deno.test("the documented examples are messages of the contract, fields in order", () => {
  const parsed = parseTaskRequest(
    new TextEncoder().encode(JSON.stringify(example("request"))),
  );
  assert.ok(parsed.ok);
  for (
    const [name, schema] of [
      ["status", taskStatusSchema],
      ["rejected", rejectedSchema],
      ["presence", presenceSchema],
    ] as const
  ) {
    const value = example(name) as Record<string, unknown>;
    schema.parse(value);
    const order = Object.keys(schema.shape).filter((key) => key in value);
    assert.deepEqual(Object.keys(value), order, name);
  }
});

Deno.test("the documented examples are valid by the printed schemas", () => {
  const names = ["request", "status", "cancel", "event", "output", "rejected"];
  for (const name of [...names, "presence"]) {
    assert.equal(objection(name, example(name)), null, name);
  }
});

Deno.test("the configuration's table and the example list every key", async () => {
  const keys = Object.keys(configSchema.shape).flatMap((key) =>
    key in sections
      ? Object.keys(sections[key as keyof typeof sections].shape)
        .map((inner) => `${key}.${inner}`)
      : [key]
  ).sort();
  const table = [...CONFIGURATION.matchAll(/^\| (`[a-z_.`, ]+`) +\|/gm)]
    .flatMap(([, cell]) => [...cell!.matchAll(/`([a-z_.]+)`/g)])
    .map(([, key]) => key!);
  assert.deepEqual(table.sort(), keys);
  const text = await Deno.readTextFile(`${ROOT}config.example.yaml`);
  for (const key of keys) {
    const name = key.split(".").at(-1)!;
    assert.match(text, new RegExp(`^\\s*(# +)?${name}:`, "m"), key);
  }
});

Deno.test("the flags in the README are those of the start task", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const told = README.match(/^deno run .*src\/main\.ts$/m)![0];
  const flags = tasks.start.replace(/--allow-env=\S+/, "--allow-env=…");
  assert.equal(told, flags);
});

Deno.test("the README fits on three screens, and its links lead somewhere", async () => {
  assert.ok(README.split("\n").length <= 150);
  for await (const { name } of Deno.readDir(`${ROOT}docs`)) {
    if (name.endsWith(".md")) assert.ok(README.includes(`docs/${name}`), name);
  }
  const files = [
    "README.md",
    "CONTRIBUTING.md",
    ...[...Deno.readDirSync(`${ROOT}docs`)]
      .filter(({ name }) => name.endsWith(".md")).map(({ name }) =>
        `docs/${name}`
      ),
  ];
  for (const file of files) {
    const text = await Deno.readTextFile(`${ROOT}${file}`);
    for (const [, target] of text.matchAll(/\]\(([^)#:]+)(#[^)]*)?\)/g)) {
      const path = new URL(target!, `file://${ROOT}${file}`).pathname;
      assert.ok((await Deno.stat(path)).isFile, `${file}: ${target}`);
    }
  }
});
