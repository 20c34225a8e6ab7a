/**
 * What comes of a scenario on a broker.
 *
 * @module
 */
import { AssertionError } from "node:assert/strict";
import { within } from "../../tests/harness/waiting.ts";
import type { Worker } from "../../tests/harness/worker.ts";
import { NotRunError, type ReadyBroker } from "./kind.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { Stage } from "./stage.ts";

/** The longest that a scenario may take, in seconds. */
const MAX_SECONDS = 240;

/** A cell of the table. */
export interface Outcome {
  /** `refused`: the worker has said what the broker lacks, and stopped. */
  result: "ok" | "FAILED" | "refused" | "not run";
  /** One line; null for what is ok. */
  why: string | null;
  /** More about what has failed, in lines. */
  detail?: string;
}

/** Plays a scenario on a broker of its own. */
export async function outcomeOf(
  scenario: Scenario,
  ready: ReadyBroker,
): Promise<Outcome> {
  let stage: Stage | null = null;
  try {
    stage = await Stage.create(ready, scenario.settings ?? "recommended");
    await within(
      "its end",
      Promise.race([scenario.run(stage), stage.silence()]),
      MAX_SECONDS,
    );
  } catch (error) {
    const outcome = await outcomeOfError(error as Error, stage);
    await stage?.[Symbol.asyncDispose]().catch(() => {});
    return outcome;
  }
  try {
    await stage[Symbol.asyncDispose]();
  } catch (error) {
    return await outcomeOfError(error as Error, stage);
  }
  return { result: "ok", why: null };
}

async function outcomeOfError(
  error: Error,
  stage: Stage | null,
): Promise<Outcome> {
  if (error instanceof NotRunError) {
    return { result: "not run", why: error.message };
  }
  const workers = stage?.workers ?? [];
  const detail = [
    error.message,
    ...(stage?.broker.said
      ? [`the broker:\n${stage.broker.said.slice(-3000)}`]
      : []),
    ...workers.map(({ id, log }) => `log of ${id}:\n${log.slice(-3000)}`),
  ].join("\n");
  const refusal = await refusalAmong(workers);
  if (refusal) return { result: "refused", why: refusal, detail };
  const said = [
    line(whatIn(error)),
    stage ? `seen: ${stage.states}` : "",
    stage?.broker.isOver ? "the broker has ended by itself" : "",
    worstIn(workers),
  ];
  return {
    result: "FAILED",
    why: said.filter((text) => text !== "").join("; "),
    detail,
  };
}

/**
 * What a worker has said that has stopped because of the broker: it ends with
 * 1, and its last line says why.
 */
async function refusalAmong(
  workers: readonly Worker[],
): Promise<string | null> {
  for (const worker of workers) {
    if (!worker.isOver) continue;
    await worker.ended();
    if ((await worker.exited).code !== 1) continue;
    const last = entries(worker).at(-1);
    if (last?.level === "ERROR" && !last.text.startsWith("internal error")) {
      return line(last.text);
    }
  }
  return null;
}

/** What is wrong; an assertion without words of its own has two values. */
function whatIn(error: Error): string {
  if (!(error instanceof AssertionError && error.generatedMessage)) {
    return error.message;
  }
  const { actual, expected } = error;
  return `${JSON.stringify(actual)} and not ${JSON.stringify(expected)}`;
}

/** The last error that a worker has logged, or the last warning. */
function worstIn(workers: readonly Worker[]): string {
  const all = workers.flatMap((worker) =>
    entries(worker).map((entry) => ({ ...entry, id: worker.id }))
  );
  const worst = all.findLast(({ level }) => level === "ERROR") ??
    all.findLast(({ level }) => level === "WARN");
  return worst ? `${worst.id} says: ${line(worst.text)}` : "";
}

function entries({ log }: Worker): { level: string; text: string }[] {
  return [...log.matchAll(/^\S+ (DEBUG|INFO|WARN|ERROR) +(.*)$/gm)]
    .map(([, level, text]) => ({ level: level!, text: text! }));
}

/** The first line, without what announces the others. */
function line(text: string): string {
  const first = text.split("\n")[0]!.replace(/[;,] [^;,]*:$/, "");
  return first.length > 200 ? `${first.slice(0, 200)}…` : first;
}
