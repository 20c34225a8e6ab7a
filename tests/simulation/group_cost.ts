// deno-lint-ignore-file no-console
/**
 * What a task costs in a group, and how long it waits: a process of its own,
 * since it puts virtual time in the place of the globals.
 *
 * The arguments are `saturated`, `half-idle` or `newcomer`, and a number of
 * workers. It prints what it has measured as JSON; `--detail` adds the packets
 * for each task by their kind.
 *
 * @module
 */
import { install } from "./clock.ts";

// Whatever is to live in virtual time comes later.
install();
const { measureNewcomer, measureTasks } = await import("./group_load.ts");
const [kind, workers, detail] = Deno.args;
const count = Number(workers);
const measured = kind === "newcomer"
  ? await measureNewcomer(count)
  : await measureTasks(kind === "saturated" ? "saturated" : "half-idle", count);
console.log(
  JSON.stringify(
    measured,
    (name, value) => name === "byKind" && !detail ? undefined : value,
  ),
);
Deno.exit(0);
