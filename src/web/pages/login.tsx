/**
 * The page to log in on, and those that say what went wrong.
 *
 * @module
 */
import { harmless } from "../../harmless.ts";
import type { PageContext } from "../model.ts";
import type { Html } from "../pages.ts";
import { document } from "./layout.tsx";

/** Where a page without a viewer belongs to. */
type Place = Pick<PageContext, "base" | "group">;

/** `GET /login` */
export function loginPage(
  { base, group }: Place,
  { problem, next }: { problem: string | null; next: string },
): Html {
  return document({
    base,
    title: `Log in · ${group}`,
    children: (
      <main class="alone" id="main">
        <h1>{harmless(group)}</h1>
        <form method="post" action={`${base}/login`} class="fields" data-once>
          {problem !== null && (
            <p class="problems" role="alert">{harmless(problem)}</p>
          )}
          <input type="hidden" name="next" value={next} />
          <div class="field">
            <label for="name">Name</label>
            <input
              type="text"
              id="name"
              name="name"
              required
              autocomplete="username"
              autocapitalize="none"
              autofocus
            />
          </div>
          <div class="field">
            <label for="password">Password</label>
            <input
              type="password"
              id="password"
              name="password"
              required
              autocomplete="current-password"
            />
          </div>
          <p class="actions">
            <button type="submit" class="main">Log in</button>
          </p>
        </form>
        <p class="hint">
          Who may log in is in the file that <code>web.users</code> names;{" "}
          <code>ansible-worker web passwd</code> writes it.
        </p>
      </main>
    ),
  });
}

/** What went wrong. */
export function problemPage(
  { base, group }: Place,
  { status, title, detail }: {
    status: number;
    title: string;
    detail: string;
  },
): Html {
  return document({
    base,
    title: `${title} · ${group}`,
    children: (
      <main class="alone" id="main">
        <p class="status">{status}</p>
        <h1>{harmless(title)}</h1>
        <p>{harmless(detail)}</p>
        <p class="actions">
          <a class="button" href={`${base}/`}>To the board</a>
        </p>
      </main>
    ),
  });
}
