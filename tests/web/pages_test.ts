import assert from "node:assert/strict";
import { TASK_STATES } from "../../src/messages/task_status.ts";
import type {
  Board,
  Counts,
  FormField,
  History,
  PageContext,
  TaskDetail,
  TaskRow,
  TemplateRow,
  WorkerRow,
} from "../../src/web/model.ts";
import { pages } from "../../src/web/pages/mod.ts";

/** A text that means harm: it leaves an element, an attribute, a script, a line. */
const HOSTILE =
  `"'><img src=x onerror=alert(1)></script><script>alert(2)</script>` +
  "\u202e\u0000\u001b[31m` javascript:alert(3)";

const AT = "2026-11-26T21:00:00.000Z";

const COUNTS: Counts = {
  ok: 3,
  changed: 1,
  failed: 1,
  unreachable: 1,
  skipped: 1,
  rescued: 1,
  ignored: 1,
};

const CONTEXT: PageContext = {
  viewer: {
    name: HOSTILE,
    role: "operator",
    may: { cancel: true, submit: true },
    canLogOut: true,
  },
  base: "/below",
  group: HOSTILE,
  isConnected: false,
  since: AT,
};

function taskRow(key: number, state: TaskRow["state"]): TaskRow {
  return {
    key,
    taskId: HOSTILE,
    state,
    playbook: HOSTILE,
    inventory: HOSTILE,
    template: HOSTILE,
    workerId: HOSTILE,
    createdAt: AT,
    startedAt: AT,
    completedAt: AT,
    durationSeconds: 1,
    updatedAt: AT,
    done: 3,
    total: 9,
    counts: COUNTS,
    lock: HOSTILE,
    currentTask: HOSTILE,
    errorMessage: HOSTILE,
  };
}

const WORKER: WorkerRow = {
  workerId: HOSTILE,
  state: "online",
  slots: 2,
  freeSlots: 1,
  queued: 1,
  host: HOSTILE,
  version: HOSTILE,
  ansibleVersion: HOSTILE,
  startedAt: AT,
  updatedAt: AT,
  adoptedBy: null,
};

const CHOICES = {
  playbooks: [HOSTILE],
  inventories: [HOSTILE],
  workers: [HOSTILE],
  templates: [HOSTILE],
};

const BOARD: Board = {
  filters: {
    state: ["failed", "running", "queued"],
    playbook: HOSTILE,
    worker: HOSTILE,
    search: HOSTILE,
  },
  workers: [WORKER, { ...WORKER, state: "adopted", adoptedBy: HOSTILE }],
  running: [taskRow(1, "running")],
  queued: [taskRow(2, "queued")],
  waitsFor: { 2: HOSTILE },
  ended: { rows: [taskRow(3, "failed")], next: HOSTILE },
  totals: Object.fromEntries(
    TASK_STATES.map((state) => [state, 1]),
  ) as Board["totals"],
  failedToday: 1,
  choices: CHOICES,
};

function detail(state: TaskRow["state"]): TaskDetail {
  return {
    ...taskRow(4, state),
    returnCode: 2,
    waitsFor: state === "queued" ? HOSTILE : null,
    failedHosts: { names: [HOSTILE], more: 1 },
    unreachableHosts: { names: [HOSTILE], more: 0 },
    stats: { [HOSTILE]: HOSTILE },
    moves: [{ at: AT, state: "queued", workerId: `${HOSTILE}2` }],
    failures: [{
      seq: 1,
      time: AT,
      play: HOSTILE,
      task: HOSTILE,
      host: HOSTILE,
      state: "failed",
      message: HOSTILE,
    }],
    moreFailures: 1,
    plays: [{
      play: HOSTILE,
      start: 0,
      end: 2,
      tasks: [{ column: 0, task: HOSTILE, start: 0, end: 2 }],
    }],
    hasEvents: false,
    outputLines: 1,
    outputBytes: 1,
    gaps: [HOSTILE],
    otherRuns: [{ key: 1, createdAt: AT, state: "success" }],
  };
}

const HISTORY: History = {
  filters: { playbook: HOSTILE, template: HOSTILE },
  bars: [{
    key: 1,
    taskId: HOSTILE,
    state: "failed",
    createdAt: AT,
    durationSeconds: 3,
    workerId: HOSTILE,
  }],
  medianSeconds: 3,
  trend: 0.2,
  days: [{ day: "2026-11-26", ended: 2, failed: 1 }],
  choices: CHOICES,
};

const KINDS: FormField["kind"][] = [
  "text",
  "password",
  "multiline",
  "integer",
  "number",
  "boolean",
  "choice",
  "list",
  "json",
];

const FIELDS: FormField[] = KINDS.map((kind, i) => ({
  name: `var.${kind}${HOSTILE}`,
  label: HOSTILE,
  kind,
  required: i % 2 === 0,
  description: HOSTILE,
  default: HOSTILE,
  options: [HOSTILE],
  min: 1,
  max: 9,
  maxLength: 9,
  pattern: HOSTILE,
}));

const TEMPLATE: TemplateRow = {
  name: HOSTILE,
  variant: HOSTILE,
  description: HOSTILE,
  workers: [HOSTILE],
  nextTime: AT,
  schedule: { cron: HOSTILE, timeZone: HOSTILE },
  fields: FIELDS,
  last: taskRow(5, "success"),
};

const FORM = {
  action: "/below/submit",
  fields: FIELDS,
  values: Object.fromEntries(FIELDS.map(({ name }) => [name, HOSTILE])),
  problems: {
    "": HOSTILE,
    [HOSTILE]: HOSTILE,
    ...Object.fromEntries(FIELDS.map(({ name }) => [name, HOSTILE])),
  },
};

/** Every page and every part, made of nothing but what means harm. */
const ALL: Record<string, () => unknown> = {
  board: () => pages.board(CONTEXT, BOARD),
  "the empty board": () =>
    pages.board(CONTEXT, {
      ...BOARD,
      workers: [],
      running: [],
      queued: [],
      ended: { rows: [], next: null },
    }),
  "its parts": () => {
    const { parts, lists } = pages.boardParts("/below", BOARD);
    return [...parts, ...lists, ...lists.flatMap(({ rows }) => rows)]
      .map(({ html }) => html).join("");
  },
  ...Object.fromEntries(
    TASK_STATES.map((state) => [
      `a task that is ${state}`,
      () => pages.task(CONTEXT, detail(state)),
    ]),
  ),
  "a task's parts": () =>
    pages.taskParts("/below", detail("failed")).parts
      .map(({ html }) => html).join(""),
  "a cell": () =>
    pages.cell("/below", {
      play: HOSTILE,
      task: HOSTILE,
      host: HOSTILE,
      results: [{
        time: AT,
        state: "failed",
        changed: false,
        durationSeconds: 1,
        message: HOSTILE,
      }],
    }),
  output: () =>
    pages.output("/below", {
      lines: 1,
      from: 0,
      rows: [{
        number: 0,
        stream: "stderr",
        spans: [{ text: HOSTILE, classes: "fg-red" }, {
          text: HOSTILE,
          classes: "",
        }],
      }],
    }),
  history: () => pages.history(CONTEXT, HISTORY),
  templates: () => pages.templates(CONTEXT, [TEMPLATE]),
  template: () => pages.template(CONTEXT, TEMPLATE, FORM),
  submit: () => pages.submit(CONTEXT, FORM),
  login: () => pages.login(CONTEXT, { problem: HOSTILE, next: HOSTILE }),
  problem: () =>
    pages.problem(CONTEXT, { status: 404, title: HOSTILE, detail: HOSTILE }),
};

/** The tags of a document, with the names of their attributes. */
function tagsOf(html: string): { tag: string; attributes: string[] }[] {
  return [
    ...html.matchAll(
      /<([a-z][a-z0-9]*)((?:\s+[^\s=>/]+(?:="[^"]*")?)*)\s*\/?>/gi,
    ),
  ]
    .map(([, tag, attributes]) => ({
      tag: tag!,
      attributes: [...attributes!.matchAll(/\s([^\s=>/]+)(?:="[^"]*")?/g)]
        .map(([, name]) => name!),
    }));
}

for (const [name, render] of Object.entries(ALL)) {
  Deno.test(`pages: nothing in a message becomes more than text: ${name}`, async () => {
    const html = String(await render());
    const tags = tagsOf(html);
    assert.ok(tags.length > 1, html);
    // Every < begins a tag that was written here, or ends one.
    const begins = html.replaceAll("<!doctype html>", "").split("<").length - 1;
    const ends = html.split("</").length - 1;
    assert.equal(begins, tags.length + ends);
    for (const { tag, attributes } of tags) {
      assert.notEqual(tag, "img");
      assert.ok(tag !== "script" || attributes.includes("src"), html);
      const acts = attributes.filter((one) =>
        /^(on|style$|srcdoc|hx-)/i.test(one)
      );
      assert.deepEqual(acts, []);
    }
    assert.doesNotMatch(html, /(href|src|action)="\s*javascript:/i);
    // What turns the direction of text is shown as what it is; in a field it is
    // as it was typed, and an attribute is not shown.
    const shown = html.replaceAll(/<textarea[^>]*>[^<]*/g, "")
      .replaceAll(/"[^"]*"/g, "");
    // deno-lint-ignore no-control-regex
    assert.deepEqual(shown.match(/.{0,80}[\u202e\u0000\u001b]/g) ?? [], []);
  });
}

Deno.test("pages: all that is asked for is of this server, below its base", async () => {
  for (const [name, render] of Object.entries(ALL)) {
    const html = String(await render());
    for (
      const [, address] of html.matchAll(/\s(?:href|src|action)="([^"]*)"/g)
    ) {
      assert.match(address!, /^(\/below\/|#|\?)/, name);
    }
  }
  for (const [name, { text }] of Object.entries(pages.assets)) {
    const own = text.replaceAll("http://www.w3.org/2000/svg", "");
    assert.doesNotMatch(own, /https?:\/\/|@import|eval\(|new Function/, name);
  }
});
