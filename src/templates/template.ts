/**
 * Templates: from a request that names one to the run that it stands for.
 *
 * A request may set what the template leaves to it, and nothing else; what it
 * does not set, the template says.
 *
 * @module
 */
import { isMapping } from "../mapping.ts";
import { quote } from "../quote.ts";
import { parseExactly } from "../messages/exact_json.ts";
import type { FieldError } from "../messages/rejected.ts";
import type { AskedRequest, TaskRequest } from "../messages/task_request.ts";
import {
  SETTABLE_FIELDS,
  type SettableField,
  type TemplateOffer,
} from "../messages/template.ts";
import { nearestOf } from "../nearest.ts";
import { Schedule, type ScheduleSpec } from "./schedule.ts";
import { timeOfId } from "./scheduled_id.ts";
import { Variables, type VariablesSchema } from "./variables.ts";

/** A template as it is configured. */
export interface Template
  extends Readonly<Partial<Omit<TaskRequest, "task_id" | "template">>> {
  readonly description: string;
  readonly playbook: string;
  readonly inventory: NonNullable<TaskRequest["inventory"]>;
  /** Variables that every run gets, and no request sets. */
  readonly extra_vars: Record<string, unknown>;
  /** Variables that a request may set. */
  readonly variables?: VariablesSchema | undefined;
  readonly may_set: readonly SettableField[];
  /** When it is run by itself. */
  readonly schedule?: ScheduleSpec | undefined;
}

/** A request, and why it is not to be run, if that is known. */
export interface ResolvedRequest extends AskedRequest {
  /** In one sentence, or a line for each fault; null for none. */
  refusal: string | null;
  /** The time at which a schedule asks for it; null if none does. */
  scheduledFor: Date | null;
}

/** How far the clocks of the workers of a group may differ. */
const MAX_CLOCK_DIFFERENCE_MS = 5000;

/** How long after its time a run can be asked for without a signature. */
export const MAX_LATE_SECONDS = 3600;

/** The templates of a worker. */
export class Templates {
  /** What is told of them, by their names. */
  readonly offers: readonly TemplateOffer[];
  /** The schedules of those that have one, by the names of the templates. */
  readonly schedules: ReadonlyMap<string, Schedule>;
  readonly #all: ReadonlyMap<
    string,
    { template: Template; variables: Variables }
  >;
  readonly #isRequired: boolean;

  private constructor(
    all: ReadonlyMap<string, { template: Template; variables: Variables }>,
    isRequired: boolean,
  ) {
    this.#all = all;
    this.#isRequired = isRequired;
    this.schedules = new Map(
      [...all].flatMap(([name, { template: { schedule } }]) =>
        schedule ? [[name, new Schedule(schedule)] as const] : []
      ),
    );
    this.offers = [...all].map(([name, { template, variables }]) => ({
      name,
      description: template.description,
      variables: { ...variables.schema },
      may_set: [...template.may_set],
      ...(template.schedule && { schedule: { ...template.schedule } }),
    }));
  }

  /**
   * Reads those of a configuration.
   *
   * @param options.isRequired nothing else may be asked for
   * @throws {VariablesSchemaError} a schema is none
   */
  static async of(
    configured: Readonly<Record<string, Template>>,
    options: { isRequired: boolean },
  ): Promise<Templates> {
    const all = new Map<string, { template: Template; variables: Variables }>();
    for (const [name, template] of Object.entries(configured)) {
      const variables = await Variables.of(template.variables);
      all.set(name, { template, variables });
    }
    return new Templates(all, options.isRequired);
  }

  /** What a request asks for, with what its template says. */
  resolve(asked: AskedRequest): ResolvedRequest {
    const { request } = asked;
    const name = request.template;
    if (name === undefined) {
      return {
        ...asked,
        scheduledFor: null,
        refusal: this.#isRequired
          ? `policy.templates_only allows nothing but templates; ${this.#told()}`
          : null,
      };
    }
    const found = this.#all.get(name);
    if (!found) {
      const near = nearestOf(name, this.#all.keys());
      return {
        ...asked,
        scheduledFor: null,
        refusal: `template ${quote(name)} is not known here; ${
          near === null ? this.#told() : `did you mean ${quote(near)}?`
        }`,
      };
    }
    const { template, variables } = found;
    const given = request.extra_vars ?? {};
    const { faults, complete } = variables.check(given);
    const fixed = fixedFields(request, template);
    const all = [
      ...fixed,
      // What is fixed is not known to the schema, either.
      ...faults.filter(({ path }) => !fixed.some((one) => one.path === path)),
    ];
    const scheduledFor = this.#timeOf(request);
    const written = parseExactly(asked.extraVars ?? "{}");
    return {
      request: {
        ...said(template, ["playbook", ...SETTABLE_FIELDS]),
        ...said(request, template.may_set),
        task_id: request.task_id,
        template: name,
        // What the template says is its owner's; what the request says has to
        // be what the policy allows.
        extra_vars: request.extra_vars,
      } as TaskRequest,
      extraVars: JSON.stringify({
        ...template.extra_vars,
        ...completed(written, complete) as Record<string, unknown>,
      }),
      scheduledFor,
      refusal: scheduledFor && scheduledFor.getTime() >
          Date.now() + MAX_CLOCK_DIFFERENCE_MS
        ? `its time, ${scheduledFor.toISOString()}, has not come`
        : all.length === 0
        ? null
        : all.map(({ path, message }) => `${path}: ${message}`).join("\n"),
    };
  }

  /**
   * Whether what a schedule asks for is to be run at a moment: a little late, or
   * as the last one of those that are made up for.
   */
  isDue({ request, scheduledFor: time }: ResolvedRequest, now: Date): boolean {
    if (time === null || request.template === undefined) return false;
    const schedule = this.schedules.get(request.template);
    if (!schedule) return false;
    return isDueBy(schedule, { time, now });
  }

  /** When a schedule asks for exactly this; null if none does. */
  #timeOf(request: TaskRequest): Date | null {
    const time = timeOfRequest(request);
    const schedule = this.schedules.get(request.template ?? "");
    return time && schedule?.has(time) ? time : null;
  }

  #told(): string {
    const names = [...this.#all.keys()];
    return names.length === 0
      ? "there are none"
      : `there are ${names.slice(0, 20).join(", ")}${
        names.length > 20 ? ", …" : ""
      }`;
  }
}

/** The time in a request that says nothing but that and its template. */
export function timeOfRequest(request: TaskRequest): Date | null {
  const { task_id, template, ...more } = request;
  if (template === undefined) return null;
  if (Object.values(more).some((value) => value !== undefined)) return null;
  return timeOfId(task_id, template);
}

/** Whether what a schedule asks for is due; see `Templates.isDue()`. */
export function isDueBy(
  schedule: Schedule,
  { time, now }: { time: Date; now: Date },
): boolean {
  const soon = new Date(now.getTime() + MAX_CLOCK_DIFFERENCE_MS);
  if (time > soon) return false;
  return now.getTime() - time.getTime() <= MAX_LATE_SECONDS * 1000 ||
    (schedule.spec.catch_up &&
      schedule.last(soon)?.getTime() === time.getTime());
}

/** What a request sets although the template does not leave it to it. */
function fixedFields(request: TaskRequest, template: Template): FieldError[] {
  const fields = (["playbook", ...SETTABLE_FIELDS] as const).filter((field) =>
    request[field] !== undefined &&
    !(template.may_set as readonly string[]).includes(field)
  );
  const variables = Object.keys(request.extra_vars ?? {})
    .filter((name) => Object.hasOwn(template.extra_vars, name))
    .map((name) => `variables.${name}`);
  return [...fields, ...variables]
    .map((path) => ({ path, message: "is fixed by the template" }));
}

/** Those of the named fields that are there. */
function said(
  request: Partial<TaskRequest>,
  fields: readonly string[],
): Partial<TaskRequest> {
  return Object.fromEntries(
    Object.entries(request).filter(([name, value]) =>
      value !== undefined && fields.includes(name)
    ),
  );
}

/**
 * Values as they were written, with what a schema has added to them: it was
 * added to the same values with their numbers as JavaScript has them.
 */
function completed(written: unknown, complete: unknown): unknown {
  if (Array.isArray(written) && Array.isArray(complete)) {
    return complete.map((value, i) => completed(written[i], value));
  }
  if (!isMapping(written) || !isMapping(complete)) return written;
  return Object.fromEntries(
    Object.entries(complete).map(([name, value]) => [
      name,
      Object.hasOwn(written, name) ? completed(written[name], value) : value,
    ]),
  );
}
