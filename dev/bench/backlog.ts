// deno-lint-ignore-file no-console
/**
 * `deno task bench:backlog [N]`: requests that pile up while the only worker is
 * down (default: 10,000), until all are done.
 *
 * @module
 */
import { backlogRun } from "../../tests/faults/backlog_run.ts";
import { setUp } from "../set_up.ts";

if (!await setUp()) Deno.exit(1);
console.log(await backlogRun(Number(Deno.args[0] ?? 10_000)));
