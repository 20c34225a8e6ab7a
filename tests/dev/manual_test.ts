/** The manual page says what the program says of itself. */
import assert from "node:assert/strict";
import { run } from "../../dev/distribution/run.ts";
import { ROOT, startArguments } from "../../dev/programs.ts";

/** What somebody reads who asks for the manual page, without its font marks. */
const PAGE = (await Deno.readTextFile(`${ROOT}docs/ansible-worker.1`))
  .replaceAll(/^\.\\".*\n/gm, "").replaceAll(/\\f[A-Z]|"/g, "")
  .replaceAll("\\-", "-");

async function help(...command: string[]): Promise<string> {
  const { stdout } = await run([
    Deno.execPath(),
    ...startArguments(),
    ...command,
    "--help",
  ], { cwd: ROOT, env: { NO_COLOR: "1" } });
  return stdout;
}

/** The options that a help text explains. */
function options(text: string): string[] {
  const [explained] = text.split("\nExample");
  return [...explained!.matchAll(/(?:(-\w), )?(--[a-z][\w-]*)/g)]
    .flatMap(([, short, long]) => [short, long!])
    .filter((option) => option !== undefined);
}

Deno.test("the manual page has every option and every command, and no others", async () => {
  const main = await help();
  const commands = [...main.matchAll(/^ {2}([a-z]+(?:, [a-z]+)*) {2,}/gm)]
    .flatMap(([, names]) => names!.split(", "));
  assert.ok(commands.length >= 11, main);
  const known = new Set(options(main));
  for (const command of commands) {
    assert.match(PAGE, new RegExp(`^\\.SS ${command}$`, "m"));
    for (const option of options(await help(command))) known.add(option);
  }
  assert.ok(known.has("--format") && known.has("-c"));
  for (const option of known) {
    assert.match(PAGE, new RegExp(`(^| )${option}( |$)`, "m"), option);
  }
  // Options stand at the beginning of a paragraph; examples have others' too.
  for (const [, option] of PAGE.matchAll(/^\.B[A-Z]? .*?(--[a-z-]+)/gm)) {
    assert.ok(known.has(option!), option!);
  }
  const [, ...sections] = PAGE.split(/^\.SS /m);
  assert.deepEqual(
    sections.map((section) => section.split("\n")[0]).sort(),
    [...commands].sort(),
  );
});

Deno.test("the manual page's exit codes are those of the help", async () => {
  const [, told] = /^Exit codes: ([\s\S]*?)\. /m.exec(await help())!;
  const codes = [...told!.matchAll(/(?<=^|; ?\n?)\d+/g)].map(([code]) => code);
  assert.deepEqual(codes, ["0", "1", "2", "78"]);
  const section = /^\.SH EXIT STATUS$([\s\S]*?)^\.SH/m.exec(PAGE)![1]!;
  assert.deepEqual(
    [...section.matchAll(/^\.B (\d+)$/gm)].map(([, code]) => code),
    codes,
  );
});
