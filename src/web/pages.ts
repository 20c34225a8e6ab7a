/**
 * What the server wants of the pages: from shapes to HTML. They are in `pages/`;
 * the server gets them when it is made, and knows nothing of how they look.
 *
 * @module
 */
import type { HtmlEscapedString } from "hono/utils/html";
import type {
  Board,
  CellDetail,
  Form,
  History,
  OutputWindow,
  PageContext,
  Part,
  TaskDetail,
  TemplateRow,
} from "./model.ts";

/** A page, or a fragment of one, escaped. */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

/** The pages. */
export interface Pages {
  /** `GET /` */
  board(context: PageContext, board: Board): Html;
  /**
   * The live parts of the board, each an element whose id is the part's, in
   * the order in which they stand; `parts` of a list's rows follow the list.
   * They must be the same for every viewer, and free of `context`: each is made
   * once, and sent to all. A list's element (`rows` in it) is sent when its
   * members or their order change, else only the rows that changed.
   */
  boardParts(base: string, board: Board): LiveParts;
  /** `GET /tasks/{id}` */
  task(context: PageContext, task: TaskDetail): Html;
  /** The live parts of a task's page. */
  taskParts(base: string, task: TaskDetail): LiveParts;
  /** A fragment: what a click on a cell shows. `GET /tasks/{id}/cell` */
  cell(base: string, cell: CellDetail): Html;
  /** A fragment: lines of output. `GET /tasks/{id}/output` */
  output(base: string, window: OutputWindow): Html;
  /** `GET /history` */
  history(context: PageContext, history: History): Html;
  /** `GET /templates` */
  templates(context: PageContext, templates: TemplateRow[]): Html;
  /** `GET /templates/{name}`, and the answer to its post where there is a mistake. */
  template(context: PageContext, template: TemplateRow, form: Form): Html;
  /** `GET /submit`, and the answer to its post where there is a mistake. */
  submit(context: PageContext, form: Form): Html;
  /** `GET /login`, and the answer to a wrong password. */
  login(
    context: Pick<PageContext, "base" | "group">,
    login: { problem: string | null; next: string },
  ): Html;
  /** What went wrong, for whoever looks at a page. */
  problem(
    context: Pick<PageContext, "base" | "group">,
    problem: { status: number; title: string; detail: string },
  ): Html;
  /** Files, by the names under `/assets/`. */
  assets: Record<string, { type: string; text: string }>;
}

/** The parts of a page that change. */
export interface LiveParts {
  /** Elements that are sent whole. */
  parts: Part[];
  /** Lists: the whole element, and its rows, whose ids are elements' too. */
  lists: { id: string; html: string; rows: Part[] }[];
}
