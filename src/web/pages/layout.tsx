/**
 * What every page has around it.
 *
 * @module
 */
import { html } from "hono/html";
import type { Child } from "hono/jsx";
import { harmless } from "../../harmless.ts";
import type { PageContext } from "../model.ts";
import type { Html } from "../pages.ts";

/** Where a page belongs to. */
export type Section = "board" | "history" | "templates" | "submit" | null;

/** A whole document. */
export function document(
  { base, title, scripts = [], children }: {
    base: string;
    title: string;
    /** Beside what every page has, by their names in `assets`. */
    scripts?: string[];
    children: Child;
  },
): Html {
  const head = (
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <meta name="referrer" content="same-origin" />
      <meta name="now" content={new Date().toISOString()} />
      <title>{harmless(title)}</title>
      <link rel="stylesheet" href={`${base}/assets/style.css`} />
      <link
        id="favicon"
        rel="icon"
        type="image/svg+xml"
        href={`${base}/assets/favicon.svg`}
      />
      {["page.js", ...scripts].map((name) => (
        <script type="module" src={`${base}/assets/${name}`}></script>
      ))}
    </head>
  );
  return html`
    <!doctype html>
    <html lang="en">${head}<body>${children}</body></html>
  `;
}

/** A page for somebody who may look. */
export function page(
  {
    context,
    section,
    title,
    stream,
    isRenewed = false,
    scripts = [],
    children,
  }: {
    context: PageContext;
    section: Section;
    title: string;
    /** Where its events come from, behind the base, with the page's own query. */
    stream: string;
    /** Whether all of it is fetched again where something has changed. */
    isRenewed?: boolean;
    scripts?: string[];
    children: Child;
  },
): Html {
  const { base, group, viewer, isConnected, since } = context;
  const link = (to: Section, path: string, name: string) => (
    <li>
      <a
        href={`${base}${path}`}
        {...(to === section ? { "aria-current": "page" } : {})}
      >
        {name}
      </a>
    </li>
  );
  return document({
    base,
    title: `${title} · ${group}`,
    scripts,
    children: (
      <>
        <a class="skip" href="#main">To the content</a>
        <header class="top">
          <a class="brand" href={`${base}/`}>
            <svg viewBox="0 0 16 16" width="18" height="18" aria-hidden="true">
              <path d="M1 1h6v6H1zM9 9h6v6H9z" class="one" />
              <path d="M9 1h6v6H9zM1 9h6v6H1z" class="two" />
            </svg>
            <span>{harmless(group)}</span>
          </a>
          <nav aria-label="Pages">
            <ul>
              {link("board", "/", "Board")}
              {link("history", "/history", "History")}
              {link("templates", "/templates", "Templates")}
              {viewer.may.submit && link("submit", "/submit", "Run")}
            </ul>
          </nav>
          <p class="live" id="live" role="status" data-live="wait">
            <span class="dot"></span>
            <span class="word">not live</span>
          </p>
          {viewer.name !== null && (
            <form class="who" method="post" action={`${base}/logout`}>
              <span title={viewer.role}>{harmless(viewer.name)}</span>
              {viewer.canLogOut && (
                <button type="submit" class="plain">Log out</button>
              )}
            </form>
          )}
        </header>
        <p id="away" class="notice" role="status" hidden={isConnected}>
          The broker cannot be reached
          <span data-away-since>
            {isConnected ? "" : ` since ${since.slice(11, 16)} UTC`}
          </span>. What is shown is what was known before; what happens
          meanwhile comes later.
        </p>
        <main
          id="main"
          tabindex={-1}
          data-base={base}
          data-stream={`${base}${stream}`}
          data-renewed={isRenewed ? "" : undefined}
        >
          {children}
        </main>
        <footer>
          The same as JSON: <a href={`${base}/api/openapi.json`}>OpenAPI</a>
        </footer>
      </>
    ),
  });
}

/** Says that there is nothing, and what to do about it. */
export function Empty(
  { title, children }: { title: string; children: Child },
) {
  return (
    <div class="empty">
      <p class="title">{title}</p>
      {children}
    </div>
  );
}

/** A line to type, with a button that copies it. */
export function Command({ line }: { line: string }) {
  return (
    <p class="command">
      <code>{line}</code>
      <button type="button" class="plain" data-copy={line}>Copy</button>
    </p>
  );
}
