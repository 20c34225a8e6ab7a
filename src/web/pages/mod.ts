/**
 * The pages, as the server gets them.
 *
 * @module
 */
import { ASSETS } from "../assets/mod.ts";
import type { Pages } from "../pages.ts";
import { boardPage, boardParts } from "./board.tsx";
import { submitPage, templatePage, templatesPage } from "./forms.tsx";
import { historyPage } from "./history.tsx";
import { loginPage, problemPage } from "./login.tsx";
import { outputFragment } from "./output.tsx";
import { cellFragment, taskPage, taskParts } from "./task.tsx";

/** All of them. */
export const pages: Pages = {
  board: boardPage,
  boardParts,
  task: taskPage,
  taskParts,
  cell: cellFragment,
  output: outputFragment,
  history: historyPage,
  templates: templatesPage,
  template: templatePage,
  submit: submitPage,
  login: loginPage,
  problem: problemPage,
  assets: ASSETS,
};
