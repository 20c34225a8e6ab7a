/**
 * Making a plan that fails shorter: fewer tasks, fewer happenings, fewer
 * workers, and the same promise broken.
 *
 * @module
 */
import type { Plan } from "./plan.ts";

/** A plan is not tried more often than this. */
const MAX_ATTEMPTS = 300;

/** The shortest plan that was found, and how many were tried. */
export interface Shortened {
  plan: Plan;
  attempts: number;
}

/**
 * Shortens a plan.
 *
 * @param fails whether a plan still fails as the first one does
 */
export async function shorten(
  plan: Plan,
  fails: (plan: Plan) => Promise<boolean>,
): Promise<Shortened> {
  let best = plan;
  let attempts = 0;
  const attempt = async (shorter: Plan) => {
    if (attempts >= MAX_ATTEMPTS) return false;
    attempts++;
    if (!await fails(shorter)) return false;
    best = shorter;
    return true;
  };
  for (let before = Infinity; size(best) < before;) {
    before = size(best);
    await without(
      () => best.tasks,
      (gone) => attempt(withoutTasks(best, gone)),
    );
    await without(
      () => best.happenings,
      (gone) =>
        attempt({
          ...best,
          happenings: best.happenings.filter((one) => !gone.has(one)),
        }),
    );
    await without(
      () => best.workers,
      (gone) =>
        gone.size < best.workers.length
          ? attempt(withoutWorkers(best, gone))
          : Promise.resolve(false),
    );
  }
  return { plan: best, attempts };
}

function size({ happenings, tasks, workers }: Plan): number {
  return happenings.length + tasks.length + workers.length;
}

/** Tries to leave out ever smaller parts of a list. */
async function without<T>(
  list: () => readonly T[],
  attempt: (gone: ReadonlySet<T>) => Promise<boolean>,
): Promise<void> {
  for (let part = Math.ceil(list().length / 2); part >= 1;) {
    for (let i = 0; i < list().length;) {
      const gone = new Set(list().slice(i, i + part));
      if (!await attempt(gone)) i += part;
    }
    if (part === 1) break;
    part = Math.ceil(part / 2);
  }
}

function withoutTasks(plan: Plan, gone: ReadonlySet<Plan["tasks"][number]>) {
  const ids = new Set([...gone].map(({ id }) => id));
  return {
    ...plan,
    tasks: plan.tasks.filter((task) => !gone.has(task)),
    happenings: plan.happenings.filter((one) =>
      !("task" in one && ids.has(one.task))
    ),
  };
}

function withoutWorkers(plan: Plan, gone: ReadonlySet<string>): Plan {
  return {
    ...plan,
    workers: plan.workers.filter((id) => !gone.has(id)),
    happenings: plan.happenings.filter((one) =>
      !("worker" in one && gone.has(one.worker))
    ),
  };
}
