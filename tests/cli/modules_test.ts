/**
 * What each command has in memory, and loads before it does anything.
 */
import assert from "node:assert/strict";
import { ROOT } from "../../dev/programs.ts";

/** The modules that a program may load, as Deno resolves them. */
async function modulesOf(file: string): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", `${ROOT}${file}`],
    stderr: "null",
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: {
      specifier: string;
      dependencies?: { code?: { specifier?: string }; isDynamic?: boolean }[];
    }[];
  };
  const byName = new Map(modules.map((one) => [one.specifier, one]));
  // Without what is only loaded when it is asked for.
  const found = new Set<string>();
  const look = (specifier: string) => {
    if (found.has(specifier)) return;
    found.add(specifier);
    for (
      const { code, isDynamic } of byName.get(specifier)?.dependencies ?? []
    ) {
      if (code?.specifier && !isDynamic) look(code.specifier);
    }
  };
  look(`file://${ROOT}${file}`);
  return [...found];
}

/** Rooms of `src` and packages from npm, of the modules that are loaded. */
function partsOf(modules: string[]): Set<string> {
  return new Set(modules.flatMap((specifier) => {
    const [, part] = specifier.match(/\/src\/([^/]+)\//) ??
      specifier.match(/^npm:\/?([^@]+@[^/]+.*)$/) ?? [];
    return part === undefined ? [] : [part.replace(/@[\d.]+/, "")];
  }));
}

const has = (parts: Set<string>, names: string[]) =>
  names.filter((name) => parts.has(name));

Deno.test("the help, and a wrong command line, need the command line alone", async () => {
  const parts = partsOf(await modulesOf("src/main.ts"));
  assert.deepEqual([...parts].sort(), ["cli", "commander"]);
});

for (const command of ["submit", "watch", "tasks", "workers", "cancel"]) {
  Deno.test(`"${command}" has nothing of the worker in memory`, async () => {
    const parts = partsOf(await modulesOf(`src/cli/${command}.ts`));
    assert.deepEqual(has(parts, ["client", "mqtt"]), ["client", "mqtt"]);
    assert.deepEqual(
      has(parts, [
        "ansible",
        "content",
        "doctor",
        "group",
        "metrics",
        "tasks",
        "web",
        "worker",
      ]),
      [],
    );
  });
}

Deno.test("of MQTT.js only the client is loaded, and Ajv when there is a schema", async () => {
  const modules = await modulesOf("src/worker/worker.ts");
  const parts = partsOf(modules);
  assert.deepEqual(
    has(parts, ["mqtt/lib/client", "mqtt", "ajv", "ajv/dist/2020.js"]),
    // "mqtt" is the room of that name.
    ["mqtt/lib/client", "mqtt"],
  );
  assert.ok(!modules.some((one) => /^npm:\/?mqtt@[\d.]+$/.test(one)));
});

Deno.test("a worker has nothing of the client commands and the doctor in memory", async () => {
  const parts = partsOf(await modulesOf("src/worker/worker.ts"));
  assert.deepEqual(has(parts, ["worker", "tasks"]), ["worker", "tasks"]);
  assert.deepEqual(has(parts, ["cli", "client", "doctor", "commander"]), []);
});

Deno.test("a worker has nothing of the page in memory", async () => {
  const ofPage = (specifier: string) =>
    /\/src\/web\/|\/src\/cli\/web\.ts|node:sqlite|\bhono\b/.test(specifier);
  for (const file of ["src/cli/run.ts", "src/worker/worker.ts"]) {
    const modules = await modulesOf(file);
    assert.ok(modules.length > 30, `${file}: ${modules.length}`);
    assert.deepEqual(modules.filter(ofPage), [], file);
  }
  // Otherwise this could not fail.
  const page = (await modulesOf("src/cli/web.ts")).filter(ofPage);
  for (const part of ["/src/web/server.ts", "node:sqlite", "hono"]) {
    assert.ok(page.some((one) => one.includes(part)), part);
  }
});
