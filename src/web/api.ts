/**
 * The page as JSON: every operation with its schemas, from which it is checked
 * and described (`openapi.ts`).
 *
 * @module
 */
import { z } from "zod";
import { eventSchema } from "../messages/event.ts";
import { cancelSchema } from "../messages/cancel.ts";
import { outputSchema } from "../messages/output.ts";
import { loadSchema, presenceSchema } from "../messages/presence.ts";
import { taskIdSchema, taskRequestSchema } from "../messages/task_request.ts";
import { taskStatusSchema } from "../messages/task_status.ts";
import { templateSchema } from "../messages/template.ts";
import {
  MAX_NESTING,
  nestingOf,
  parseExactly,
} from "../messages/exact_json.ts";
import { timeSchema } from "../messages/time.ts";
import type { Asker } from "./audit.ts";
import type { Viewer } from "./model.ts";
import { ProblemError } from "./problems.ts";
import {
  cursorSchema,
  filtersOf,
  filtersSchema,
  limitSchema,
  numberSchema,
  queryOf,
} from "./queries.ts";
import type { Requests } from "./requests.ts";
import type { Store } from "./store.ts";
import type { GroupView } from "../client/group_view.ts";
import { templatesOf } from "./workers.ts";

/** What is answered from. */
export interface ApiContext {
  store: Store;
  view: GroupView;
  requests: Requests;
  /** The stream of what changes, as JSON. */
  stream(): ReadableStream<Uint8Array>;
}

/** A request of a program. */
export interface ApiCall {
  request: Request;
  viewer: Viewer;
  asker: Asker;
  /** The id in the path, where there is one. */
  id: string;
}

/** Something that may be asked for. */
export interface Operation {
  method: "get" | "post";
  /** Below the base, as OpenAPI writes it. */
  path: string;
  name: string;
  summary: string;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** What is answered, by its status. */
  answers: Record<number, { description: string; schema?: z.ZodType }>;
  /** What an operator must be allowed to do. */
  needs?: "cancel" | "submit";
  /** Answers; what is wrong is thrown as a `ProblemError`. */
  answer(context: ApiContext, call: ApiCall): Response | Promise<Response>;
}

const known = {
  key: z.int().describe("Of this page's own: rises with time."),
  updated_at: timeSchema.describe("When this was heard."),
};

const keptStatusSchema = taskStatusSchema.extend(known);

const tasksSchema = z.object({
  tasks: z.array(keptStatusSchema).describe("The newest first."),
  next: z.string().nullable().describe(
    "The cursor of the next page; null on the last one.",
  ),
}).meta({ id: "Tasks" });

const taskSchema = taskStatusSchema.extend({
  ...known,
  moves: z.array(z.object({
    at: timeSchema,
    state: taskStatusSchema.shape.state,
    worker_id: z.string(),
  })).describe("Each state that it was in, in order."),
  output_lines: z.int().describe("Lines of output that are kept."),
  output_bytes: z.int().describe("Bytes of output that are kept."),
  gaps: z.array(z.string()).describe("What is not kept of it, as sentences."),
  other_runs: z.array(z.object({
    key: z.int(),
    created_at: timeSchema,
    state: taskStatusSchema.shape.state,
  })).describe("Other runs under the same id, the newest first."),
}).meta({ id: "Task" });

const eventsSchema = z.object({
  events: z.array(eventSchema.extend({
    column: z.int().describe("Its column in the task's map, from 0 on."),
  })),
  next: z.int().nullable().describe("What to ask for behind; null: no more."),
}).meta({ id: "Events" });

const piecesSchema = z.object({
  output: z.array(outputSchema),
  next: z.int().nullable().describe("What to ask for behind; null: no more."),
}).meta({ id: "Output" });

const workersSchema = z.object({
  workers: z.array(presenceSchema.extend({
    load: loadSchema.nullable().describe("What it has to do, if it says."),
  })),
}).meta({ id: "Workers" });

const templatesSchema = z.object({
  templates: z.array(templateSchema.extend({
    workers: z.array(z.string()).describe("Who offers it."),
    next_time: timeSchema.nullable().describe("When it is run by itself."),
  })),
}).meta({ id: "Templates" });

/** A request whose id may be left out. */
const submitSchema = z.object({
  ...taskRequestSchema.shape,
  task_id: taskIdSchema.optional(),
}).meta({
  id: "Submit",
  description: "A task request; without an id it gets one.",
});

const submittedSchema = z.object({
  task_id: z.string(),
  state: z.enum(["taken", "waits"]).describe(
    "taken: a worker has it; waits: none has answered so far.",
  ),
  reason: z.string().nullable().describe(
    "Why it waits, where that can be told.",
  ),
}).meta({ id: "Submitted" });

const cancelledSchema = z.object({ task_id: z.string() }).meta({
  id: "CancelSent",
});

const runQuery = {
  run: numberSchema.optional().describe(
    "The key of an older run under the same id.",
  ),
};

const listQuery = {
  ...runQuery,
  after: numberSchema.optional().describe("Only what is behind this seq."),
};

/** All of them. */
export const OPERATIONS: readonly Operation[] = [
  {
    method: "get",
    path: "/api/tasks",
    name: "listTasks",
    summary: "Tasks, the newest first.",
    query: filtersSchema.extend({
      cursor: cursorSchema,
      limit: limitSchema(200, 50),
    }),
    answers: { 200: { description: "A page of them.", schema: tasksSchema } },
    answer({ store }, { request }) {
      const query = queryOf(
        request,
        filtersSchema.extend({
          cursor: cursorSchema,
          limit: limitSchema(200, 50),
        }),
      );
      const { statuses, next } = store.statuses(filtersOf(query), {
        cursor: query.cursor,
        limit: query.limit ?? 50,
      });
      return Response.json({ tasks: statuses, next });
    },
  },
  {
    method: "post",
    path: "/api/tasks",
    name: "submitTask",
    summary: "Has a playbook run.",
    body: submitSchema,
    needs: "submit",
    answers: {
      201: { description: "A worker has it.", schema: submittedSchema },
      202: {
        description: "It is with the broker; no worker has answered so far.",
        schema: submittedSchema,
      },
    },
    async answer({ requests }, { request, asker }) {
      const asked = await requests.submit(await objectOf(request), { asker });
      if (asked.kind === "refused") {
        throw new ProblemError(422, "The request was refused.", {
          errors: asked.errors,
        });
      }
      return Response.json({
        task_id: asked.taskId,
        state: asked.kind,
        reason: asked.kind === "waits" ? asked.reason : null,
      }, { status: asked.kind === "taken" ? 201 : 202 });
    },
  },
  {
    method: "get",
    path: "/api/tasks/{id}",
    name: "getTask",
    summary: "A task.",
    query: z.object(runQuery),
    answers: { 200: { description: "It.", schema: taskSchema } },
    answer({ store }, call) {
      const { task, status } = taskOf(store, call);
      return Response.json({
        ...status,
        moves: task.moves.map(({ at, state, workerId }) => ({
          at,
          state,
          worker_id: workerId,
        })),
        output_lines: task.outputLines,
        output_bytes: task.outputBytes,
        gaps: task.gaps,
        other_runs: task.otherRuns.map(({ key, createdAt, state }) => ({
          key,
          created_at: createdAt,
          state,
        })),
      });
    },
  },
  {
    method: "get",
    path: "/api/tasks/{id}/events",
    name: "listEvents",
    summary: "What its run did, in order.",
    query: z.object({ ...listQuery, limit: limitSchema(5000, 1000) }),
    answers: { 200: { description: "Some of them.", schema: eventsSchema } },
    answer({ store }, call) {
      const { after = 0, limit = 1000 } = queryOf(
        call.request,
        z.object({ ...listQuery, limit: limitSchema(5000, 1000) }),
      );
      const { task } = taskOf(store, call);
      const rows = store.events(task.key, { after, limit });
      return Response.json({
        events: rows.map(({ column, changed, ...row }) => ({
          task_id: task.taskId,
          ...row,
          event: row.state === null ? "task_start" : "result",
          changed: changed === null ? null : changed === 1,
          column,
        })),
        next: nextOf(rows, limit),
      });
    },
  },
  {
    method: "get",
    path: "/api/tasks/{id}/output",
    name: "listOutput",
    summary: "What its run printed, in order.",
    query: z.object({ ...listQuery, limit: limitSchema(200, 50) }),
    answers: { 200: { description: "Some of it.", schema: piecesSchema } },
    answer({ store }, call) {
      const { after = 0, limit = 50 } = queryOf(
        call.request,
        z.object({ ...listQuery, limit: limitSchema(200, 50) }),
      );
      const { task } = taskOf(store, call);
      const rows = store.pieces(task.key, { after, limit });
      return Response.json({
        output: rows.map(({ truncated, ...row }) => ({
          task_id: task.taskId,
          ...row,
          truncated: truncated === 1,
        })),
        next: nextOf(rows, limit),
      });
    },
  },
  {
    method: "post",
    path: "/api/tasks/{id}/cancel",
    name: "cancelTask",
    summary: "Has a task ended.",
    body: cancelSchema.meta({ id: "Cancel" }),
    needs: "cancel",
    answers: {
      202: {
        description: "The cancel is with the broker.",
        schema: cancelledSchema,
      },
    },
    async answer({ requests }, { request, asker, id }) {
      const { success, data } = cancelSchema.safeParse(
        await objectOf(request),
      );
      if (!success || !taskIdSchema.safeParse(id).success) {
        throw new ProblemError(422, "The cancel is not valid.");
      }
      await requests.cancel(id, { asker, reason: data.reason });
      return Response.json({ task_id: id }, { status: 202 });
    },
  },
  {
    method: "get",
    path: "/api/workers",
    name: "listWorkers",
    summary: "The workers, by their names.",
    answers: { 200: { description: "All of them.", schema: workersSchema } },
    answer: ({ view }) =>
      Response.json({
        workers: view.workers().map((presence) => ({
          ...presence,
          load: view.loads.get(presence.worker_id) ?? null,
        })),
      }),
  },
  {
    method: "get",
    path: "/api/templates",
    name: "listTemplates",
    summary: "What may be asked for by name.",
    answers: {
      200: { description: "All of them.", schema: templatesSchema },
    },
    answer: ({ view }) =>
      Response.json({
        templates: templatesOf(view).map(({ offer, row }) => ({
          ...offer,
          next_time: row.nextTime,
        })),
      }),
  },
  {
    method: "get",
    path: "/api/stream",
    name: "stream",
    summary:
      "What changes, as Server-Sent Events: `task` with a task as in a list, `workers` as they are listed, `summary`, and `ping` every 15 s. All that is queued or running comes first.",
    answers: { 200: { description: "Events, for ever." } },
    answer: ({ stream }) => eventStream(stream()),
  },
];

/** A stream of events, as an answer. */
export function eventStream(body: ReadableStream<Uint8Array>): Response {
  return new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>, {
    headers: {
      "content-type": "text/event-stream",
      // For proxies that would collect it.
      "x-accel-buffering": "no",
    },
  });
}

/**
 * The body of a request: a JSON object, its numbers as they were written.
 *
 * @throws {ProblemError} it is none
 */
async function objectOf(request: Request): Promise<Record<string, unknown>> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json\b/i.test(type)) {
    throw new ProblemError(415, "The body has to be application/json.");
  }
  const bytes = new Uint8Array(await request.arrayBuffer());
  let value: unknown = null;
  try {
    if (nestingOf(bytes) <= MAX_NESTING) {
      value = parseExactly(
        new TextDecoder("utf-8", { fatal: true }).decode(bytes),
      );
    }
  } catch {
    // What is wrong with it would quote it.
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ProblemError(400, "The body has to be a JSON object.");
  }
  return value as Record<string, unknown>;
}

function taskOf(store: Store, { request, id }: ApiCall) {
  const { run } = queryOf(request, z.object(runQuery));
  const task = store.task(id, run);
  const status = task && store.status(task.key);
  if (!task || !status) {
    throw new ProblemError(404, "There is no such task here.");
  }
  return { task, status };
}

function nextOf(
  rows: readonly { seq: number }[],
  limit: number,
): number | null {
  return rows.length === limit ? rows.at(-1)!.seq : null;
}
