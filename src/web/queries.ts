/**
 * What may stand behind the `?` of a request, for pages and for programs.
 *
 * @module
 */
import { z } from "zod";
import { TASK_STATES } from "../messages/task_status.ts";
import type { Filters } from "./model.ts";
import { ProblemError } from "./problems.ts";

const text = z.string().max(500, "must be at most 500 characters");

/** What tasks can be narrowed to. */
export const filtersSchema = z.object({
  state: z.array(z.enum(TASK_STATES)).max(TASK_STATES.length).optional()
    .describe("Any of these states; may be given several times."),
  playbook: text.optional().describe("The playbook, as in the request."),
  inventory: text.optional().describe("The inventory, as it is listed."),
  worker: text.optional().describe("The worker that has the task."),
  template: text.optional().describe("The template that was asked for."),
  search: text.optional().describe(
    "Words, or how they begin: of the id, the playbook, the inventory, the template, the worker, the error, and of hosts that failed.",
  ),
});

/** Where a page of tasks begins. */
export const cursorSchema = z.string().regex(/^\d{1,15}$/, "is no cursor")
  .optional().describe("The next of the page before.");

/** How many things are wanted. */
export function limitSchema(max: number, usual: number) {
  return z.string().regex(/^\d{1,6}$/, "must be a number").transform(Number)
    .pipe(z.int().min(1).max(max)).optional()
    .describe(`How many, at most ${max}; ${usual} if left out.`);
}

/** A number from 0 on. */
export const numberSchema = z.string().regex(
  /^\d{1,15}$/,
  "must be a number",
).transform(Number);

/**
 * A query by its schema. What is empty was left out: forms send it so.
 *
 * @throws {ProblemError} it is not valid
 */
export function queryOf<T extends z.ZodRawShape>(
  request: Request,
  schema: z.ZodObject<T>,
): z.output<z.ZodObject<T>> {
  const given: Record<string, string | string[]> = {};
  const { searchParams } = new URL(request.url);
  for (const name of Object.keys(schema.shape)) {
    const values = searchParams.getAll(name).filter((value) => value !== "");
    if (values.length === 0) continue;
    given[name] = name === "state" ? [...new Set(values)] : values[0]!;
  }
  const { success, data, error } = schema.safeParse(given);
  if (success) return data;
  throw new ProblemError(400, "The query is not valid.", {
    errors: error.issues.slice(0, 20).map(({ path, message }) => ({
      path: path.map(String).join("."),
      message,
    })),
  });
}

/** The filters of a query. */
export function filtersOf(
  query: z.output<typeof filtersSchema>,
): Filters {
  const { state, playbook, inventory, worker, template, search } = query;
  return {
    ...(state && { state }),
    ...(playbook !== undefined && { playbook }),
    ...(inventory !== undefined && { inventory }),
    ...(worker !== undefined && { worker }),
    ...(template !== undefined && { template }),
    ...(search !== undefined && { search }),
  };
}
