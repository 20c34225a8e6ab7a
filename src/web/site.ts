/**
 * What the routes of the page have in common: what they are made of, and how
 * they take what comes and answer.
 *
 * @module
 */
import type { Context } from "hono";
import type { GroupView } from "../client/group_view.ts";
import type { WebPlace } from "../config/mod.ts";
import type { Log } from "../log.ts";
import type { Access } from "./access.ts";
import type { Asker } from "./audit.ts";
import type { Typed } from "./forms.ts";
import type { Live } from "./live.ts";
import type { PageContext, Viewer } from "./model.ts";
import type { Html, Pages } from "./pages.ts";
import { ProblemError } from "./problems.ts";
import type { Requests } from "./requests.ts";
import type { Store } from "./store.ts";

/** What the server is made of. */
export interface Site {
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
export type Env = {
  Bindings: { peer: string };
  Variables: { viewer: Viewer; asker: Asker; token: string | null };
};

/** What every page is to know, for whoever asks. */
export function contextOf(site: Site, c: Context<Env>): PageContext {
  return {
    viewer: c.get("viewer"),
    base: site.web.base,
    group: site.group,
    ...site.connection(),
  };
}

/**
 * Lets on only those who may do something.
 *
 * @throws {ProblemError} somebody may not do it here
 */
export function needs(c: Context<Env>, action: "cancel" | "submit"): void {
  const { may, role } = c.get("viewer");
  if (may[action]) return;
  throw new ProblemError(
    403,
    role === "operator"
      ? `This page may not ${action}: web.allow does not have it.`
      : `Only an operator may ${action}.`,
  );
}

/** A page, or a fragment of one. */
export async function page(
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

/** Where to go on, by a request of its own. */
export function redirect(
  location: string,
  headers: Record<string, string> = {},
): Response {
  return new Response(null, { status: 303, headers: { ...headers, location } });
}

/** What was typed into a form. */
export async function typedIn(request: Request): Promise<Typed> {
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
