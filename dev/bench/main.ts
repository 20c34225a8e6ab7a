// deno-lint-ignore-file no-console
/**
 * `deno task bench [NAME…]`: measures what the README claims, each figure side
 * by side with what it is compared with, and ends in one table. Without a name,
 * all are measured, which takes some twenty minutes; `deno task bench told`
 * measures one of them.
 *
 * @module
 */
import { setUp } from "../set_up.ts";
import { backlog } from "./backlog.ts";
import { burst } from "./burst.ts";
import { dispatch } from "./dispatch.ts";
import { type Figure, machine, table } from "./figures.ts";
import { group } from "./group.ts";
import { hosts } from "./hosts.ts";
import { idle } from "./idle.ts";
import { listing } from "./listing.ts";
import { longRun } from "./long_run.ts";
import { ready } from "./ready.ts";
import { start } from "./start.ts";
import { sustained } from "./sustained.ts";
import { told } from "./told.ts";
import { web } from "./web.ts";

const BENCHMARKS: Record<string, () => Promise<Figure[]>> = {
  ready,
  start,
  dispatch,
  sustained,
  burst,
  backlog,
  group,
  hosts,
  idle,
  listing,
  told,
  "long-run": longRun,
  web,
};

const names = Deno.args.length > 0 ? Deno.args : Object.keys(BENCHMARKS);
const unknown = names.filter((name) => !Object.hasOwn(BENCHMARKS, name));
if (unknown.length > 0) {
  console.error(
    `There is no benchmark ${unknown.join(", ")}; there are ${
      Object.keys(BENCHMARKS).join(", ")
    }.`,
  );
  Deno.exit(2);
}
if (!await setUp()) Deno.exit(1);
const figures: Figure[] = [];
for (const name of names) {
  console.log(`${name} …`);
  const measured = await BENCHMARKS[name]!();
  // Not only at the end: a long run may be broken off.
  if (names.length > 1) console.log(`${table(measured)}\n`);
  figures.push(...measured);
}
console.log(`\n${await machine()}\n\n${table(figures)}`);
