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

Deno.test("a worker has nothing of the page in memory", async () => {
  const ofPage = (specifier: string) =>
    /\/src\/web\/|\/src\/cli\/web\.ts|node:sqlite|\bhono\b/.test(specifier);
  for (const file of ["src/main.ts", "src/worker/worker.ts"]) {
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
