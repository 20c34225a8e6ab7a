// deno-lint-ignore-file no-console
/**
 * `deno task check`: everything that can be said of the code without running
 * it, and the one check that users' pipelines make.
 *
 * @module
 */
import { ROOT, startArguments } from "./programs.ts";

const sources = await files("src");
const start = startArguments();
const run = start[0]!;

const checks: [string, string[]][] = [
  ["format", ["fmt", "--check"]],
  ["lint", ["lint"]],
  ["types", ["check", "src", "dev", "tests"]],
  ["the example configuration, under the flags of the start task", [
    run,
    "--check",
    ...start.slice(1),
    "--validate",
    "-c",
    "config.example.yaml",
  ]],
];

for (const [name, args] of checks) {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  console.log(`${success ? "ok    " : "FAILED"} ${name}`);
  if (success) continue;
  const text = new TextDecoder();
  console.error(text.decode(stdout) + text.decode(stderr));
  Deno.exit(1);
}

// Every exported declaration has a doc comment, and every method. A field, a
// getter or a constructor whose name says all needs none. (What else the linter
// objects to, it objects to in any project that infers types from schemas, or
// names the types of its dependencies.)
const { stderr } = await new Deno.Command(Deno.execPath(), {
  args: ["doc", "--lint", ...sources],
  cwd: ROOT,
  env: { NO_COLOR: "1" },
  stdin: "null",
  stdout: "null",
  stderr: "piped",
}).output();
const undocumented = new TextDecoder().decode(stderr).split("\n\n")
  .filter((block) => block.includes("error[missing-jsdoc]"))
  .filter(needsDocumentation);
console.log(
  `${undocumented.length === 0 ? "ok    " : "FAILED"} documentation`,
);
if (undocumented.length > 0) {
  console.error(undocumented.join("\n\n"));
  Deno.exit(1);
}

async function files(directory: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(`${ROOT}${directory}`)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) found.push(...await files(path));
    else if (/\.tsx?$/.test(entry.name)) found.push(path);
  }
  return found.sort();
}

/**
 * Whether the symbol of a `missing-jsdoc` error is one that has to be
 * documented.
 *
 * @param error its text, with `--> file:line:column` and the line of code
 */
function needsDocumentation(error: string): boolean {
  const place = /^ *--> .*:\d+:(\d+)$/m.exec(error);
  const line = /^ *\d+ \| (.*)$/m.exec(error)?.[1];
  if (!place || line === undefined) return true;
  if (line.startsWith("export ")) return true;
  const at = Number(place[1]) - 1;
  return /^\w+\??[(<]/.test(line.slice(at)) &&
    !/^constructor\(/.test(line.slice(at)) &&
    !/\b[gs]et $/.test(line.slice(0, at));
}
