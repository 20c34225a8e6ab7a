/**
 * What is compiled, as `deno compile` itself does it. Where its runtime cannot
 * be had, Deno stands in for it: then what comes out is no program, but all that
 * is put into it is there.
 */
import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };
import { compile, compileArguments } from "../../dev/distribution/compile.ts";
import {
  PROGRAM_NAMES,
  TARGETS,
  targetsNamed,
} from "../../dev/distribution/release.ts";
import { run } from "../../dev/distribution/run.ts";
import { ROOT, startArguments, webArguments } from "../../dev/programs.ts";
import { type Embedded, embeddedIn } from "../harness/embedded.ts";

/** Packages that only the tests import. */
const OF_TESTS = [
  "@asyncapi/specs",
  "axe-core",
  "fast-check",
  "playwright-core",
];

/** Packages that the program imports. */
const PACKAGES = Object.keys(project.imports)
  // What ends with / is a way into a package that is there by its name.
  .filter((name) => !OF_TESTS.includes(name) && !name.endsWith("/"));

/** Compiles with Deno as the runtime, and reads what is in it. */
async function compiled(
  triple: string,
  name: typeof PROGRAM_NAMES[number],
): Promise<Embedded> {
  const target = TARGETS.find((one) => one.triple === triple)!;
  const directory = await Deno.makeTempDir({ prefix: "compile-" });
  Deno.env.set("DENORT_BIN", Deno.execPath());
  try {
    const output = `${directory}/program`;
    await compile(target, { name, output });
    return await embeddedIn(output);
  } finally {
    Deno.env.delete("DENORT_BIN");
    await Deno.remove(directory, { recursive: true });
  }
}

// Deno as a runtime fits only targets of its own kind of file.
const ELF = TARGETS.filter(({ triple }) =>
  triple.endsWith("linux-gnu") === (Deno.build.os === "linux")
);

for (
  const [{ name: target, triple }, name] of ELF.flatMap((target) =>
    PROGRAM_NAMES.map((name) => [target, name] as const)
  )
) {
  test(`${target}: ${name} has all its modules in it, and nothing else`, async () => {
    const { files, permissions, args } = await compiled(triple, name);
    const modules = await modulesOf("src/main.ts");
    assert.ok(modules.includes("src/worker/worker.ts"));
    for (const asset of ["page.js", "style.css", "favicon.svg"]) {
      assert.ok(modules.includes(`src/web/assets/${asset}`), asset);
    }
    const isPackage = (path: string) =>
      path.startsWith(".deno_compile_node_modules/");
    assert.deepEqual(files.filter((path) => !isPackage(path)), modules);
    const has = (name: string) =>
      files.some((path) => isPackage(path) && path.includes(`/${name}/`));
    for (const name of PACKAGES) assert.ok(has(name), name);
    for (const name of OF_TESTS) assert.ok(!has(name), name);
    assert.deepEqual(flags(permissions), flagsOf(name));
    assert.deepEqual(args, name === "ansible-worker" ? [] : ["web"]);
    assert.equal(permissions.prompt, false);
  });
}

test("every target is compiled under the flags of its task", () => {
  for (const target of TARGETS) {
    for (const name of PROGRAM_NAMES) {
      const args = compileArguments(target, { name, output: "out" });
      for (const flag of flagsOf(name)) assert.ok(args.includes(flag), flag);
      assert.equal(args[args.indexOf("--target") + 1], target.triple);
      assert.deepEqual(args.slice(args.indexOf(`${ROOT}src/main.ts`) + 1), [
        ...(name === "ansible-worker" ? [] : ["web"]),
      ]);
      // It would write compiled code where others may, and read it from there.
      assert.ok(args.includes("--no-code-cache"));
    }
  }
});

test("the page's program runs nothing, and the worker's writes nothing", () => {
  const kinds = (name: typeof PROGRAM_NAMES[number]) =>
    flagsOf(name).map((flag) => flag.replace(/=.*/, ""));
  const both = ["--allow-env", "--allow-net", "--allow-read", "--ignore-env"];
  assert.deepEqual(
    kinds("ansible-worker"),
    [...both, "--allow-run"].sort(),
  );
  assert.deepEqual(
    kinds("ansible-worker-web"),
    [...both, "--allow-write"].sort(),
  );
});

test("a target that there is none of is named, with those that there are", () => {
  assert.deepEqual(targetsNamed([]), TARGETS);
  assert.deepEqual(targetsNamed(["linux-arm64"]), [TARGETS[1]]);
  assert.throws(
    () => targetsNamed(["linux-x64", "solaris"]),
    new RangeError(
      'Cannot make "solaris": there are linux-x64, linux-arm64, macos-x64, macos-arm64',
    ),
  );
});

interface Module {
  specifier: string;
  dependencies?: { code?: { specifier: string } }[];
}

/** The project's files that a module needs to run: types are not among them. */
async function modulesOf(main: string): Promise<string[]> {
  const { stdout } = await run(
    [Deno.execPath(), "info", "--json", main],
    { cwd: ROOT },
  );
  const { roots, modules } = JSON.parse(stdout) as {
    roots: string[];
    modules: Module[];
  };
  const found = new Set<string>(roots);
  // A set that grows while it is walked is walked to its new end.
  for (const specifier of found) {
    const module = modules.find((one) => one.specifier === specifier);
    for (const { code } of module?.dependencies ?? []) {
      if (code) found.add(code.specifier);
    }
  }
  const root = `file://${ROOT}`;
  return [...found].filter((specifier) => specifier.startsWith(root))
    .map((specifier) => specifier.slice(root.length)).sort();
}

/** The permissions of a program's task. */
function flagsOf(name: typeof PROGRAM_NAMES[number]): string[] {
  const args = name === "ansible-worker" ? startArguments() : webArguments();
  return args.filter((word) => /^--(allow|ignore)-/.test(word)).sort();
}

/** The flags that a program's permissions come from. */
function flags(permissions: Embedded["permissions"]): string[] {
  return Object.entries(permissions)
    // Deno's own, where no flag says otherwise.
    .filter(([name]) => name !== "allow_import" && name !== "prompt")
    .flatMap(([name, values]) => {
      if (!Array.isArray(values)) return [];
      const flag = `--${name.replace("_", "-")}`;
      return [values.length === 0 ? flag : `${flag}=${values}`];
    }).sort();
}

function test(name: string, fn: () => void | Promise<void>): void {
  Deno.test({
    name: `compile: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    fn,
  });
}
