/**
 * The page's server: what may be asked for, and who may ask.
 *
 * Pages (HTML), each below `web.base_path`:
 *
 * | request | what |
 * | --- | --- |
 * | `GET /` | the board; `?state=running&state=failed&playbook=&inventory=&worker=&template=&search=&cursor=` |
 * | `GET /stream` | its stream, with the same query |
 * | `GET /tasks/{id}` | a task; `?run=KEY` for an older run under the same id, here and below |
 * | `GET /tasks/{id}/stream` | its stream |
 * | `GET /tasks/{id}/cell?host=H&column=C` | a fragment: what was there, by numbers in the map |
 * | `GET /tasks/{id}/output?from=N&lines=N` | a fragment: at most 1,000 lines |
 * | `GET /tasks/{id}/output/find?text=T` | JSON `{ lines: number[], more: boolean }` |
 * | `GET /tasks/{id}/output.txt` | all of it, to be saved, without colours |
 * | `POST /tasks/{id}/cancel` | form `reason`; 303 to the task |
 * | `GET /history` | `?playbook=&template=&inventory=` |
 * | `GET /templates`, `GET /templates/{name}?variant=V` | all; the form of one |
 * | `POST /templates/{name}?variant=V` | 303 to the task, or 422 and the form |
 * | `GET /submit`, `POST /submit` | a free request; `?again=TASK_ID` fills in what is known of a task (its extra variables are not) |
 * | `GET /login`, `POST /login`, `POST /logout` | form `name`, `password`, `next` |
 * | `GET /summary/stream` | the stream of a page that has no other |
 * | `GET /assets/{file}` | `Pages.assets` |
 * | `/api/…` | JSON: see `api.ts` |
 *
 * Streams are Server-Sent Events, their data JSON. All there is to know comes at
 * first, so whoever reconnects has missed nothing.
 *
 * | event | of | data |
 * | --- | --- | --- |
 * | `parts` | board, task | HTML of elements with ids that are to be replaced: all of them at first, then those that have changed (see `LiveParts`) |
 * | `map` | a task | `TaskMap`: all of it, at first |
 * | `cells` | a task | `MapChange`: what came since |
 * | `output` | a task | `{ lines, bytes, isOpen }`: how much there is by now; `isOpen` until the task has ended |
 * | `summary` | all | `{ running, queued, failedToday, isConnected }`, for the title and the favicon |
 * | `ping` | all | every 15 s |
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { GroupView } from "../client/group_view.ts";
import type { WebPlace } from "../config/mod.ts";
import type { Log } from "../log.ts";
import { type Access, clientAddress, isOurs } from "./access.ts";
import { eventStream, OPERATIONS } from "./api.ts";
import type { Asker } from "./audit.ts";
import {
  fieldOf,
  FREE_FIELDS,
  requestOf,
  shownAgain,
  type Typed,
} from "./forms.ts";
import type { Handler } from "./http.ts";
import { type Live, TooManyReadersError } from "./live.ts";
import type {
  Board,
  Filters,
  Form,
  FormField,
  PageContext,
  TaskDetail,
  Viewer,
} from "./model.ts";
import { openApi } from "./openapi.ts";
import type { Html, Pages } from "./pages.ts";
import { ProblemError } from "./problems.ts";
import {
  cursorSchema,
  filtersOf,
  filtersSchema,
  limitSchema,
  numberSchema,
  queryOf,
} from "./queries.ts";
import { NotPublishedError, type Requests } from "./requests.ts";
import { shortHash } from "./short_hash.ts";
import type { Store } from "./store.ts";
import { plain } from "./ansi.ts";
import { faultsOf } from "./template_check.ts";
import { UsersError } from "./users.ts";
import {
  type OfferedTemplate,
  templatesOf,
  waitsFor,
  workerRows,
} from "./workers.ts";

/** What the server is made of. */
export interface ServerOptions {
  web: Pick<WebPlace["web"], "base">;
  group: string;
  log: Log;
  pages: Pages;
  access: Access;
  store: Store;
  view: GroupView;
  live: Live;
  requests: Requests;
  /** Whether the broker is connected, and since when it is so or not. */
  connection(): { isConnected: boolean; since: string };
}

/** What each request has with it. */
type Env = {
  Bindings: { peer: string };
  Variables: { viewer: Viewer; asker: Asker; token: string | null };
};

/** Nothing that is not ours, and nothing that stands in the page itself. */
const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS: Record<string, string> = {
  "content-security-policy": CSP,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
};

/** Lines of output that are shown at once. */
const MAX_LINES = 1000;

/** What is looked for in an output, in characters. */
const MAX_SEARCH = 200;

/** A text of a reason, in characters. */
const MAX_REASON = 1000;

const boardQuery = filtersSchema.extend({ cursor: cursorSchema });
const runQuery = z.object({ run: numberSchema.optional() });

/** What answers requests. */
export function serverOf(options: ServerOptions): Handler {
  const { web: { base }, log } = options;
  const server = new Server(options);
  const app = server.routes();
  return async (request, { peer }) => {
    let response: Response;
    try {
      const { pathname } = new URL(request.url);
      if (base !== "" && pathname === base) {
        response = redirect(`${base}/`);
      } else if (!pathname.startsWith(`${base}/`)) {
        throw new ProblemError(404, "There is nothing here.");
      } else response = await app.fetch(request, { peer });
    } catch (error) {
      response = await server.problem(request, error);
    }
    for (const [name, value] of Object.entries(HEADERS)) {
      response.headers.set(name, value);
    }
    if (!response.headers.has("cache-control")) {
      response.headers.set("cache-control", "no-store");
    }
    if (response.status >= 500) {
      log.debug("web: a request failed", { status: response.status });
    }
    return response;
  };
}

class Server {
  readonly #options: ServerOptions;
  readonly #base: string;
  /** By their file names, with a tag that changes with their text. */
  readonly #assets = new Map<
    string,
    { type: string; text: string; tag: string }
  >();

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#base = options.web.base;
    for (const [name, { type, text }] of Object.entries(options.pages.assets)) {
      this.#assets.set(name, { type, text, tag: `"${shortHash(text)}"` });
    }
  }

  routes(): Hono<Env> {
    const app = new Hono<Env>({
      // Routes are below the base; a base of Hono's own would have no "/".
      getPath: ({ url }) => new URL(url).pathname.slice(this.#base.length),
    });
    app.onError((error, c) => this.problem(c.req.raw, error));
    app.notFound((c) =>
      this.problem(
        c.req.raw,
        new ProblemError(404, "There is nothing here."),
      )
    );
    app.use(async (c, next) => {
      const { method } = c.req;
      if (!["GET", "HEAD", "POST"].includes(method)) {
        throw new ProblemError(405, "Only GET, HEAD and POST are answered.");
      }
      if (method === "POST" && !isOurs(c.req.raw)) {
        throw new ProblemError(
          403,
          "The request does not come from this page.",
        );
      }
      if (
        method === "HEAD" && new URL(c.req.url).pathname.endsWith("/stream")
      ) {
        throw new ProblemError(405, "A stream is answered to GET alone.");
      }
      await next();
    });
    app.get("/assets/:file", (c) => this.#asset(c));
    app.get("/login", (c) => this.#loginPage(c));
    app.post("/login", (c) => this.#logIn(c));
    app.use(async (c, next) => {
      const refused = await this.#admit(c);
      return refused ?? await next();
    });
    app.post("/logout", (c) => this.#logOut(c));
    this.#pages(app);
    this.#forms(app);
    this.#api(app);
    return app;
  }

  /** What went wrong, for a program or for a person. */
  async problem(request: Request, error: unknown): Promise<Response> {
    const problem = this.#problemOf(error);
    const { pathname } = new URL(request.url);
    const headers = { ...problem.headers };
    if (
      pathname.startsWith(`${this.#base}/api/`) ||
      !(request.headers.get("accept") ?? "").includes("text/html")
    ) {
      return new Response(JSON.stringify(problem.toJson()), {
        status: problem.status,
        headers: { ...headers, "content-type": "application/problem+json" },
      });
    }
    const { pages, group } = this.#options;
    return await page(
      pages.problem({ base: this.#base, group }, {
        status: problem.status,
        title: problem.title,
        detail: problem.message,
      }),
      { status: problem.status, headers },
    );
  }

  #problemOf(error: unknown): ProblemError {
    if (error instanceof ProblemError) return error;
    if (error instanceof NotPublishedError) {
      return new ProblemError(503, `${error.message}.`);
    }
    if (error instanceof TooManyReadersError) {
      return new ProblemError(503, "Too many look at this page already.");
    }
    if (error instanceof UsersError) {
      this.#options.log.error(error.message);
      return new ProblemError(503, "Nobody can log in: see the page's log.");
    }
    this.#options.log.error("web: internal error", {
      error: error instanceof Error ? error.stack : error,
    });
    return new ProblemError(
      500,
      "Something is wrong here: see the page's log.",
    );
  }

  #context(c: Context<Env>): PageContext {
    return {
      viewer: c.get("viewer"),
      base: this.#base,
      group: this.#options.group,
      ...this.#options.connection(),
    };
  }

  /** Lets a visitor in, or answers what keeps them out. */
  async #admit(c: Context<Env>): Promise<Response | null> {
    const request = c.req.raw;
    const { pathname, search } = new URL(request.url);
    const isApi = pathname.startsWith(`${this.#base}/api/`);
    const visitor = await this.#options.access.visitor(request, {
      peer: c.env.peer,
      isApi,
    });
    if (!("refused" in visitor)) {
      c.set("viewer", visitor.viewer);
      c.set("asker", visitor.asker);
      c.set("token", visitor.token);
      return null;
    }
    const { refused, detail, retryAfter } = visitor;
    if (
      refused === 401 && this.#options.access.hasUsers && !isApi &&
      request.method === "GET" && !pathname.endsWith("/stream")
    ) {
      const next = pathname.slice(this.#base.length) + search;
      return redirect(
        `${this.#base}/login?next=${encodeURIComponent(next.slice(0, 1000))}`,
      );
    }
    throw new ProblemError(refused, detail, {
      headers: retryAfter === undefined
        ? {}
        : { "retry-after": String(retryAfter) },
    });
  }

  #asset(c: Context<Env>): Response {
    const asset = this.#assets.get(c.req.param("file")!);
    if (!asset) throw new ProblemError(404, "There is no such file.");
    const headers = {
      "content-type": asset.type,
      etag: asset.tag,
      // It is asked each time whether it is still the same.
      "cache-control": "no-cache",
    };
    return c.req.header("if-none-match") === asset.tag
      ? new Response(null, { status: 304, headers })
      : new Response(asset.text, { headers });
  }

  #loginPage(c: Context<Env>): Response | Promise<Response> {
    const { access, pages, group } = this.#options;
    if (!access.hasUsers) return redirect(`${this.#base}/`);
    return page(
      pages.login({ base: this.#base, group }, {
        problem: null,
        next: nextOf(c.req.query("next")),
      }),
    );
  }

  async #logIn(c: Context<Env>): Promise<Response> {
    const { access, pages, group } = this.#options;
    if (!access.hasUsers) return redirect(`${this.#base}/`);
    const request = c.req.raw;
    const { name = "", password = "", next } = await typedIn(request);
    const address = clientAddress(request, c.env.peer);
    const result = await access.logIn({ name, password }, { address });
    if ("user" in result) {
      return redirect(`${this.#base}${nextOf(next)}`, {
        "set-cookie": access.begin(result.user, { request, address }),
      });
    }
    const isWait = "wait" in result;
    return await page(
      pages.login({ base: this.#base, group }, {
        problem: isWait
          ? `There were too many wrong passwords: try again in ${
            Math.ceil(result.wait / 60)
          } min.`
          : "The name or the password is wrong.",
        next: nextOf(next),
      }),
      {
        status: isWait ? 429 : 401,
        headers: isWait ? { "retry-after": String(result.wait) } : {},
      },
    );
  }

  #logOut(c: Context<Env>): Response {
    return redirect(
      `${this.#base}/${this.#options.access.hasUsers ? "login" : ""}`,
      {
        "set-cookie": this.#options.access.end(c.get("token"), {
          request: c.req.raw,
          asker: c.get("asker"),
        }),
      },
    );
  }

  #pages(app: Hono<Env>): void {
    const { pages, store, live } = this.#options;
    app.get("/", (c) => {
      const { cursor, ...query } = queryOf(c.req.raw, boardQuery);
      return page(
        pages.board(
          this.#context(c),
          this.#board(filtersOf(query), cursor),
        ),
      );
    });
    app.get("/stream", (c) => {
      const { cursor, ...query } = queryOf(c.req.raw, boardQuery);
      const filters = filtersOf(query);
      return eventStream(
        live.board(JSON.stringify([filters, cursor]), {
          board: () => this.#board(filters, cursor),
          parts: (board) => pages.boardParts(this.#base, board),
        }),
      );
    });
    app.get("/summary/stream", () => eventStream(live.summaries()));
    app.get(
      "/tasks/:id",
      (c) => page(pages.task(this.#context(c), this.#task(c))),
    );
    app.get("/tasks/:id/stream", (c) => {
      const { key, taskId } = this.#task(c);
      return eventStream(live.task(key, {
        task: () => this.#detail(taskId, key),
        parts: (task) => pages.taskParts(this.#base, task),
      }));
    });
    app.get("/tasks/:id/cell", (c) => {
      const { key } = this.#task(c);
      const { host, column } = queryOf(
        c.req.raw,
        z.object({ host: numberSchema, column: numberSchema }),
      );
      const name = store.hostAt(key, host);
      const cell = name === null
        ? null
        : store.cell(key, { host: name, column });
      if (!cell) throw new ProblemError(404, "There is no result so far.");
      return page(pages.cell(this.#base, cell));
    });
    app.get("/tasks/:id/output", (c) => {
      const { key } = this.#task(c);
      const { from, lines = 200 } = queryOf(
        c.req.raw,
        z.object({ from: numberSchema, lines: limitSchema(MAX_LINES, 200) }),
      );
      return page(pages.output(this.#base, store.output(key, { from, lines })));
    });
    app.get("/tasks/:id/output/find", async (c) => {
      const { key } = this.#task(c);
      const { text } = queryOf(
        c.req.raw,
        z.object({ text: z.string().max(MAX_SEARCH) }),
      );
      return Response.json(await store.find(key, text));
    });
    app.get("/tasks/:id/output.txt", (c) => {
      const { key, taskId } = this.#task(c);
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
    app.get("/history", (c) => {
      const { playbook, template, inventory } = filtersOf(
        queryOf(c.req.raw, filtersSchema),
      );
      return page(
        pages.history(
          this.#context(c),
          store.history({
            ...(playbook !== undefined && { playbook }),
            ...(template !== undefined && { template }),
            ...(inventory !== undefined && { inventory }),
          }),
        ),
      );
    });
  }

  #forms(app: Hono<Env>): void {
    const { pages, store, view } = this.#options;
    app.get("/templates", (c) =>
      page(
        pages.templates(
          this.#context(c),
          templatesOf(view).map((template) => this.#templateRow(template)),
        ),
      ));
    const templateForm = (
      c: Context<Env>,
      template: OfferedTemplate,
      form: Pick<Form, "values" | "problems">,
    ) =>
      page(
        pages.template(this.#context(c), this.#templateRow(template), {
          action: `${this.#base}/templates/${
            encodeURIComponent(template.row.name)
          }?variant=${template.row.variant}`,
          fields: template.row.fields,
          ...form,
        }),
        { status: Object.keys(form.problems).length > 0 ? 422 : 200 },
      );
    app.get(
      "/templates/:name",
      (c) => templateForm(c, this.#template(c), { values: {}, problems: {} }),
    );
    app.post("/templates/:name", async (c) => {
      needs(c, "submit");
      const template = this.#template(c);
      const { fields, name } = template.row;
      const typed = await typedIn(c.req.raw);
      const { request, problems } = requestOf(fields, typed);
      const faults = await faultsOf(
        template.offer.variables,
        JSON.parse(JSON.stringify(request.extra_vars ?? {})),
      );
      for (const { path, message } of faults) {
        problems[fieldOf(path, fields)] ??= message;
      }
      return await this.#submit(c, {
        request: { template: name, ...request },
        problems,
        fields,
        again: (problems) =>
          templateForm(c, template, {
            values: shownAgain(fields, typed),
            problems,
          }),
      });
    });
    const freeForm = (
      c: Context<Env>,
      form: Pick<Form, "values" | "problems">,
    ) =>
      page(
        pages.submit(this.#context(c), {
          action: `${this.#base}/submit`,
          fields: [...FREE_FIELDS],
          ...form,
        }),
        { status: Object.keys(form.problems).length > 0 ? 422 : 200 },
      );
    app.get("/submit", (c) => {
      needs(c, "submit");
      const again = c.req.query("again");
      const task = again === undefined ? null : store.task(again);
      if (task?.template) {
        return redirect(
          `${this.#base}/templates/${encodeURIComponent(task.template)}`,
        );
      }
      const values: Typed = {};
      if (task?.playbook) values.playbook = task.playbook;
      if (task?.inventory) values.inventory = task.inventory;
      return freeForm(c, { values, problems: {} });
    });
    app.post("/submit", async (c) => {
      needs(c, "submit");
      const typed = await typedIn(c.req.raw);
      const { request, problems } = requestOf(FREE_FIELDS, typed);
      return await this.#submit(c, {
        request,
        problems,
        fields: FREE_FIELDS,
        again: (problems) =>
          freeForm(c, { values: shownAgain(FREE_FIELDS, typed), problems }),
      });
    });
    app.post("/tasks/:id/cancel", async (c) => {
      needs(c, "cancel");
      const { taskId } = this.#task(c);
      const { reason = "" } = await typedIn(c.req.raw);
      await this.#options.requests.cancel(taskId, {
        asker: c.get("asker"),
        reason: reason.trim().slice(0, MAX_REASON) || undefined,
      });
      return redirect(`${this.#base}/tasks/${encodeURIComponent(taskId)}`);
    });
  }

  async #submit(c: Context<Env>, { request, problems, fields, again }: {
    request: Record<string, unknown>;
    problems: Record<string, string>;
    fields: readonly FormField[];
    again(problems: Record<string, string>): Response | Promise<Response>;
  }): Promise<Response> {
    if (Object.keys(problems).length > 0) return await again(problems);
    const asked = await this.#options.requests.submit(request, {
      asker: c.get("asker"),
    });
    switch (asked.kind) {
      case "taken":
        return redirect(
          `${this.#base}/tasks/${encodeURIComponent(asked.taskId)}`,
        );
      case "refused":
        for (const { path, message } of asked.errors) {
          const field = fieldOf(path, fields);
          problems[field] ??= field === "" && path !== ""
            ? `${path} ${message}`
            : message;
        }
        return await again(problems);
      case "waits": {
        const { pages, group } = this.#options;
        return await page(
          pages.problem({ base: this.#base, group }, {
            status: 202,
            title: "It waits",
            detail:
              `The request has the id ${asked.taskId} and is with the broker; no worker has taken it so far${
                asked.reason === null ? "" : `: ${asked.reason}`
              }. It is on the board as soon as one has.`,
          }),
          { status: 202 },
        );
      }
    }
  }

  #api(app: Hono<Env>): void {
    const { store, view, requests, live } = this.#options;
    const context = { store, view, requests, stream: () => live.changes() };
    app.get("/api/openapi.json", () => Response.json(openApi(this.#base)));
    for (const operation of OPERATIONS) {
      const path = operation.path.replace("{id}", ":id");
      app.on(operation.method.toUpperCase(), path, (c) => {
        if (operation.needs) needs(c, operation.needs);
        return operation.answer(context, {
          request: c.req.raw,
          viewer: c.get("viewer"),
          asker: c.get("asker"),
          id: c.req.param("id") ?? "",
        });
      });
    }
  }

  #board(filters: Filters, cursor: string | undefined): Board {
    const { store, view } = this.#options;
    const board = store.board(filters, { cursor });
    return {
      ...board,
      workers: workerRows(view),
      waitsFor: Object.fromEntries(
        board.queued.map((task) => [task.key, waitsFor(task, view)]),
      ),
    };
  }

  #task(c: Context<Env>): TaskDetail {
    const { run } = queryOf(c.req.raw, runQuery);
    const task = this.#detail(c.req.param("id")!, run);
    if (!task) {
      throw new ProblemError(
        404,
        "There is no such task here: no worker has said anything of it, or it was too long ago.",
      );
    }
    return task;
  }

  #detail(taskId: string, key: number | undefined): TaskDetail | null {
    const { store, view } = this.#options;
    const task = store.task(taskId, key);
    return task && {
      ...task,
      waitsFor: task.state === "queued" ? waitsFor(task, view) : null,
    };
  }

  #template(c: Context<Env>): OfferedTemplate {
    const name = c.req.param("name");
    const variant = c.req.query("variant");
    const found = templatesOf(this.#options.view).find(({ row }) =>
      row.name === name && (variant === undefined || row.variant === variant)
    );
    if (!found) {
      throw new ProblemError(
        404,
        "No worker that is online offers this template, or not any more as it was.",
      );
    }
    return found;
  }

  #templateRow({ row }: OfferedTemplate) {
    const { rows: [last = null] } = this.#options.store.tasks(
      { template: row.name },
      { limit: 1 },
    );
    return { ...row, last };
  }
}

/** @throws {ProblemError} somebody may not do it here */
function needs(c: Context<Env>, action: "cancel" | "submit"): void {
  const { may, role } = c.get("viewer");
  if (may[action]) return;
  throw new ProblemError(
    403,
    role === "operator"
      ? `This page may not ${action}: web.allow does not have it.`
      : `Only an operator may ${action}.`,
  );
}

async function page(
  html: Html,
  { status = 200, headers = {} }: {
    status?: number;
    headers?: Record<string, string>;
  } = {},
): Promise<Response> {
  return new Response(String(await html), {
    status,
    headers: { ...headers, "content-type": "text/html; charset=utf-8" },
  });
}

function redirect(
  location: string,
  headers: Record<string, string> = {},
): Response {
  return new Response(null, { status: 303, headers: { ...headers, location } });
}

/** Where to go after logging in: a path below ours, and nothing else. */
function nextOf(text: string | undefined): string {
  return text !== undefined && /^\/(?![/\\])[\x21-\x7e]{0,1000}$/.test(text)
    ? text
    : "/";
}

/** What was typed into a form. */
async function typedIn(request: Request): Promise<Typed> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/x-www-form-urlencoded\b/i.test(type)) {
    throw new ProblemError(415, "A form has to be sent as one.");
  }
  const typed: Typed = Object.create(null);
  for (const [name, value] of new URLSearchParams(await request.text())) {
    typed[name] ??= value;
  }
  return typed;
}
