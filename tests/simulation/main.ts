// deno-lint-ignore-file no-console
/**
 * `deno task simulate`: runs of a group of workers under every profile of
 * brokers, each judged by the promises.
 *
 * `--seed N` begins with that seed; `--runs N` makes so many runs under each
 * profile; `--profile P` takes that one alone; `--plan FILE` takes the plan in a
 * file (both may be given several times); `--told` prints the story, whatever comes of the run; `--hash` prints a
 * digest of all packets and log lines; `--most N` goes on until so many runs have
 * failed; `--brief` tells no story; `--mutants` shows that the simulator finds what
 * it is there for, `--mutant NAME` that it finds this.
 *
 * It ends with 0 where no promise falls but those in `known_failures.ts`, with 1
 * otherwise. A run that fails is made shorter, and told.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { install, realNow, turns } from "./clock.ts";
import { Watchdog } from "./watchdog.ts";

// Whatever is to live in virtual time comes later.
install();
const { installKey } = await import("./signatures.ts");
installKey();
const { simulate } = await import("./command.ts");

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seed: { type: "string" },
    runs: { type: "string" },
    profile: { type: "string", multiple: true },
    plan: { type: "string", multiple: true },
    told: { type: "boolean", default: false },
    hash: { type: "boolean", default: false },
    brief: { type: "boolean", default: false },
    mutants: { type: "boolean", default: false },
    mutant: { type: "string", multiple: true },
    most: { type: "string", default: "1" },
  },
});
// The search for mutants is done by other processes.
const watchdog = values.mutants || values.mutant ? null : new Watchdog(turns);
const seed = values.seed === undefined
  ? Math.floor(realNow() * 1000) % 1_000_000
  : Number(values.seed);
const code = await simulate({ ...values, seed });
watchdog?.[Symbol.dispose]();
Deno.exit(code);
