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
 * | `changed` | a page that has no other | `null`; tasks or workers are other ones than before, and the page is fetched anew |
 * | `ping` | all | every 15 s |
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { isOurs } from "./access.ts";
import { OPERATIONS } from "./api.ts";
import { addBoardRoutes } from "./board_routes.ts";
import { addFormRoutes } from "./form_routes.ts";
import type { Handler } from "./http.ts";
import { TooManyReadersError } from "./live.ts";
import { addLoginRoutes, addLogoutRoute } from "./login_routes.ts";
import { openApi } from "./openapi.ts";
import { ProblemError } from "./problems.ts";
import { NotPublishedError } from "./requests.ts";
import { shortHash } from "./short_hash.ts";
import { type Env, needs, page, redirect, type Site } from "./site.ts";
import { addTaskRoutes } from "./task_routes.ts";
import { UsersError } from "./users.ts";

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

/** What answers requests. */
export function serverOf(site: Site): Handler {
  const { web: { base }, log } = site;
  const server = new Server(site);
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
  readonly #site: Site;
  readonly #base: string;
  /** By their file names, with a tag that changes with their text. */
  readonly #assets = new Map<
    string,
    { type: string; text: string; tag: string }
  >();

  constructor(site: Site) {
    this.#site = site;
    this.#base = site.web.base;
    for (const [name, { type, text }] of Object.entries(site.pages.assets)) {
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
    addLoginRoutes(app, this.#site);
    app.use(async (c, next) => {
      const refused = await this.#admit(c);
      return refused ?? await next();
    });
    addLogoutRoute(app, this.#site);
    addBoardRoutes(app, this.#site);
    addTaskRoutes(app, this.#site);
    addFormRoutes(app, this.#site);
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
    const { pages, group } = this.#site;
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
      this.#site.log.error(error.message);
      return new ProblemError(503, "Nobody can log in: see the page's log.");
    }
    this.#site.log.error("web: internal error", {
      error: error instanceof Error ? error.stack : error,
    });
    return new ProblemError(
      500,
      "Something is wrong here: see the page's log.",
    );
  }

  /** Lets a visitor in, or answers what keeps them out. */
  async #admit(c: Context<Env>): Promise<Response | null> {
    const request = c.req.raw;
    const { pathname, search } = new URL(request.url);
    const isApi = pathname.startsWith(`${this.#base}/api/`);
    const visitor = await this.#site.access.visitor(request, {
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
      refused === 401 && this.#site.access.hasUsers && !isApi &&
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

  #api(app: Hono<Env>): void {
    const { store, view, requests, live } = this.#site;
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
}
