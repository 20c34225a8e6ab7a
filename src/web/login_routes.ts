/**
 * The routes of logging in and out.
 *
 * @module
 */
import type { Context, Hono } from "hono";
import { clientAddress } from "./access.ts";
import { type Env, page, redirect, type Site, typedIn } from "./site.ts";

/** Adds what is answered to everybody. */
export function addLoginRoutes(app: Hono<Env>, site: Site): void {
  app.get("/login", (c) => loginPage(site, c));
  app.post("/login", (c) => logIn(site, c));
}

/** Adds what is answered to those who are let in. */
export function addLogoutRoute(app: Hono<Env>, site: Site): void {
  app.post("/logout", (c) => logOut(site, c));
}

function loginPage(site: Site, c: Context<Env>): Response | Promise<Response> {
  const { access, pages, group } = site;
  if (!access.hasUsers) return redirect(`${site.web.base}/`);
  return page(
    pages.login({ base: site.web.base, group }, {
      problem: null,
      next: nextOf(c.req.query("next")),
    }),
  );
}

async function logIn(site: Site, c: Context<Env>): Promise<Response> {
  const { access, pages, group } = site;
  if (!access.hasUsers) return redirect(`${site.web.base}/`);
  const request = c.req.raw;
  const { name = "", password = "", next } = await typedIn(request);
  const address = clientAddress(request, c.env.peer);
  const result = await access.logIn({ name, password }, { address });
  if ("user" in result) {
    return redirect(`${site.web.base}${nextOf(next)}`, {
      "set-cookie": access.begin(result.user, { request, address }),
    });
  }
  const isWait = "wait" in result;
  return await page(
    pages.login({ base: site.web.base, group }, {
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

function logOut(site: Site, c: Context<Env>): Response {
  return redirect(
    `${site.web.base}/${site.access.hasUsers ? "login" : ""}`,
    {
      "set-cookie": site.access.end(c.get("token"), {
        request: c.req.raw,
        asker: c.get("asker"),
      }),
    },
  );
}

/** Where to go after logging in: a path below ours, and nothing else. */
function nextOf(text: string | undefined): string {
  return text !== undefined && /^\/(?![/\\])[\x21-\x7e]{0,1000}$/.test(text)
    ? text
    : "/";
}
