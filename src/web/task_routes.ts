/**
 * The routes of a task: its page, its map, its output, and its end.
 *
 * @module
 */
import type { Context, Hono } from "hono";
import { z } from "zod";
import { plain } from "./ansi.ts";
import { eventStream } from "./api.ts";
import type { TaskDetail } from "./model.ts";
import { ProblemError } from "./problems.ts";
import { limitSchema, numberSchema, queryOf } from "./queries.ts";
import {
  contextOf,
  type Env,
  needs,
  page,
  redirect,
  type Site,
  typedIn,
} from "./site.ts";
import { waitsFor } from "./workers.ts";

/** Lines of output that are shown at once. */
const MAX_LINES = 1000;

/** What is looked for in an output, in characters. */
const MAX_SEARCH = 200;

/** A text of a reason, in characters. */
const MAX_REASON = 1000;

const runQuery = z.object({ run: numberSchema.optional() });

/** Adds them. */
export function addTaskRoutes(app: Hono<Env>, site: Site): void {
  const { pages, store, live, web: { base } } = site;
  app.get(
    "/tasks/:id",
    (c) => page(pages.task(contextOf(site, c), taskOf(site, c))),
  );
  app.get("/tasks/:id/stream", (c) => {
    const { key, taskId } = taskOf(site, c);
    return eventStream(live.task(key, {
      task: () => detailOf(site, { taskId, key }),
      parts: (task) => pages.taskParts(base, task),
    }));
  });
  app.get("/tasks/:id/cell", (c) => {
    const { key } = taskOf(site, c);
    const { host, column } = queryOf(
      c.req.raw,
      z.object({ host: numberSchema, column: numberSchema }),
    );
    const name = store.hostAt(key, host);
    const cell = name === null ? null : store.cell(key, { host: name, column });
    if (!cell) throw new ProblemError(404, "There is no result so far.");
    return page(pages.cell(base, cell));
  });
  app.get("/tasks/:id/output", (c) => {
    const { key } = taskOf(site, c);
    const { from, lines = 200 } = queryOf(
      c.req.raw,
      z.object({ from: numberSchema, lines: limitSchema(MAX_LINES, 200) }),
    );
    return page(pages.output(base, store.output(key, { from, lines })));
  });
  app.get("/tasks/:id/output/find", async (c) => {
    const { key } = taskOf(site, c);
    const { text } = queryOf(
      c.req.raw,
      z.object({ text: z.string().max(MAX_SEARCH) }),
    );
    return Response.json(await store.find(key, text));
  });
  app.get("/tasks/:id/output.txt", (c) => {
    const { key, taskId } = taskOf(site, c);
    const texts = store.texts(key);
    const encoder = new TextEncoder();
    return new Response(
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        pull(controller) {
          const { done, value } = texts.next();
          if (done) controller.close();
          else controller.enqueue(encoder.encode(plain(value)));
        },
      }),
      {
        headers: {
          "content-type": "text/plain; charset=utf-8",
          "content-disposition": `attachment; filename="${
            taskId.replaceAll(/[^A-Za-z0-9._-]/g, "_").slice(0, 128)
          }.txt"`,
        },
      },
    );
  });
  app.post("/tasks/:id/cancel", async (c) => {
    needs(c, "cancel");
    const { taskId } = taskOf(site, c);
    const { reason = "" } = await typedIn(c.req.raw);
    await site.requests.cancel(taskId, {
      asker: c.get("asker"),
      reason: reason.trim().slice(0, MAX_REASON) || undefined,
    });
    return redirect(`${base}/tasks/${encodeURIComponent(taskId)}`);
  });
}

/**
 * The task that a path names.
 *
 * @throws {ProblemError} there is none
 */
function taskOf(site: Site, c: Context<Env>): TaskDetail {
  const { run } = queryOf(c.req.raw, runQuery);
  const task = detailOf(site, { taskId: c.req.param("id")!, key: run });
  if (!task) {
    throw new ProblemError(
      404,
      "There is no such task here: no worker has said anything of it, or it was too long ago.",
    );
  }
  return task;
}

function detailOf(
  { store, view }: Site,
  { taskId, key }: { taskId: string; key: number | undefined },
): TaskDetail | null {
  const task = store.task(taskId, key);
  return task && {
    ...task,
    waitsFor: task.state === "queued" ? waitsFor(task, view) : null,
  };
}
