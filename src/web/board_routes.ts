/**
 * The routes of the board and of the history: what there is of tasks, narrowed.
 *
 * @module
 */
import type { Hono } from "hono";
import { eventStream } from "./api.ts";
import type { Board, Filters } from "./model.ts";
import { cursorSchema, filtersOf, filtersSchema, queryOf } from "./queries.ts";
import { contextOf, type Env, page, type Site } from "./site.ts";
import { waitsFor, workerRows } from "./workers.ts";

const boardQuery = filtersSchema.extend({ cursor: cursorSchema });

/** Adds them. */
export function addBoardRoutes(app: Hono<Env>, site: Site): void {
  const { pages, store, live, web: { base } } = site;
  app.get("/", (c) => {
    const { cursor, ...query } = queryOf(c.req.raw, boardQuery);
    return page(
      pages.board(
        contextOf(site, c),
        boardOf(site, { filters: filtersOf(query), cursor }),
      ),
    );
  });
  app.get("/stream", (c) => {
    const { cursor, ...query } = queryOf(c.req.raw, boardQuery);
    const filters = filtersOf(query);
    return eventStream(
      live.board(JSON.stringify([filters, cursor]), {
        board: () => boardOf(site, { filters, cursor }),
        parts: (board) => pages.boardParts(base, board),
      }),
    );
  });
  app.get("/summary/stream", () => eventStream(live.summaries()));
  app.get("/history", (c) => {
    const { playbook, template, inventory } = filtersOf(
      queryOf(c.req.raw, filtersSchema),
    );
    return page(
      pages.history(
        contextOf(site, c),
        store.history({
          ...(playbook !== undefined && { playbook }),
          ...(template !== undefined && { template }),
          ...(inventory !== undefined && { inventory }),
        }),
      ),
    );
  });
}

function boardOf(
  { store, view }: Site,
  { filters, cursor }: { filters: Filters; cursor: string | undefined },
): Board {
  const board = store.board(filters, { cursor });
  return {
    ...board,
    workers: workerRows(view),
    waitsFor: Object.fromEntries(
      board.queued.map((task) => [task.key, waitsFor(task, view)]),
    ),
  };
}
