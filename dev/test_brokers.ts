// deno-lint-ignore-file no-console
/**
 * `deno task test:brokers [NAME…]`: tries the worker on several brokers, or on
 * those that are named, in all scenarios, or in those that are named. It ends
 * with one table, and with 1 if something has failed that is not known to fail.
 *
 * @module
 */
import type { ReadyBroker } from "./brokers/kind.ts";
import { NotRunError } from "./brokers/kind.ts";
import { KINDS } from "./brokers/kinds.ts";
import { KNOWN } from "./brokers/known.ts";
import { type Outcome, outcomeOf } from "./brokers/outcome.ts";
import { SCENARIOS } from "./brokers/scenarios/mod.ts";
import { columns } from "./columns.ts";
import { setUp } from "./set_up.ts";

const names = [...KINDS, ...SCENARIOS].map(({ name }) => name);
const unknown = Deno.args.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(
    `Unknown: ${unknown.join(", ")}. Name some of ${
      names.join(", ")
    }, or none for all of them.`,
  );
  Deno.exit(2);
}
const kinds = named(KINDS);
const scenarios = named(SCENARIOS);
if (!await setUp()) Deno.exit(1);

const head = ["scenario"];
const rows = scenarios.map(({ name }) => [name]);
const notes: string[] = [];
let tried = 0;
for (const kind of kinds) {
  let ready: ReadyBroker;
  try {
    ready = await kind.setUp();
  } catch (error) {
    if (!(error instanceof NotRunError)) throw error;
    if (error.isFault) Deno.exitCode = 1;
    head.push(kind.name);
    rows.forEach((row) => row.push("not run"));
    notes.push(`${kind.name}: not run: ${error.message}`);
    continue;
  }
  const title = `${kind.name} ${ready.version}`.trimEnd();
  head.push(title);
  for (const [i, scenario] of scenarios.entries()) {
    const since = performance.now();
    const outcome = await outcomeOf(scenario, ready);
    const seconds = ((performance.now() - since) / 1000).toFixed(0);
    console.log(
      `${title}, ${scenario.name}: ${outcome.result} (${seconds} s)`,
    );
    if (outcome.result !== "not run") tried++;
    if (outcome.detail) console.error(outcome.detail);
    rows[i]!.push(outcome.result);
    note(`${kind.name}, ${scenario.name}`, {
      outcome,
      known: KNOWN[kind.name]?.[scenario.name],
    });
  }
}
// What could not be tried has not failed, unless nothing was tried.
if (tried === 0) Deno.exitCode = 1;
console.log(`\n${columns([head, ...rows])}\n`);
if (notes.length > 0) console.log(notes.join("\n"));

/** One line about a cell that is not simply `ok`. */
function note(
  cell: string,
  { outcome, known }: { outcome: Outcome; known: string | undefined },
): void {
  const { result, why } = outcome;
  if (result === "ok") {
    if (known) notes.push(`${cell}: ok, and known to fail: ${known}`);
    return;
  }
  notes.push(`${cell}: ${result}: ${why}${known ? ` (known: ${known})` : ""}`);
  if (result !== "not run" && !known) Deno.exitCode = 1;
}

/** Those of a kind that the command line names; all if it names none. */
function named<T extends { name: string }>(all: readonly T[]): readonly T[] {
  const chosen = all.filter(({ name }) => Deno.args.includes(name));
  return chosen.length > 0 ? chosen : all;
}
