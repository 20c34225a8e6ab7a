/**
 * What may be asked for by name in a group: the templates that its workers tell
 * of.
 *
 * @module
 */
import type { Presence } from "../messages/presence.ts";
import type { TemplateOffer } from "../messages/template.ts";
import { Schedule, ScheduleError } from "../templates/schedule.ts";

/** A template, and who has it. */
export interface Offer extends TemplateOffer {
  /** Ids of the workers that have it, in order. */
  workers: string[];
}

/**
 * The templates of workers, by their names. Where two workers mean different
 * things by one name, it comes twice.
 */
export function offersOf(workers: readonly Presence[]): Offer[] {
  const offers = new Map<string, Offer>();
  for (const { worker_id, templates = [] } of workers) {
    for (const template of templates) {
      const key = JSON.stringify(template);
      const known = offers.get(key);
      if (known) known.workers.push(worker_id);
      else offers.set(key, { ...template, workers: [worker_id] });
    }
  }
  return [...offers.values()].sort((a, b) =>
    a.name < b.name ? -1 : a.name > b.name ? 1 : 0
  );
}

/** When a template is run next by itself; null for never. */
export function nextTime(
  { schedule }: TemplateOffer,
  now = new Date(),
): Date | null {
  if (!schedule) return null;
  try {
    return new Schedule(schedule).next(now);
  } catch (error) {
    // Of a worker that knows more than this client.
    if (error instanceof ScheduleError) return null;
    throw error;
  }
}

/** The variables of a template, those that are required with a `*`. */
export function variablesOf({ variables }: TemplateOffer): string {
  const { properties, required } = variables;
  const needed = Array.isArray(required) ? required.map(String) : [];
  return Object.keys(typeof properties === "object" ? properties ?? {} : {})
    .map((name) => needed.includes(name) ? `${name}*` : name).join(", ");
}
