/**
 * A task: where it stands, what failed, its map, its output.
 *
 * @module
 */
import { harmless, harmlessLines } from "../../harmless.ts";
import {
  CELL_STATES,
  type CellDetail,
  type Failure,
  type PageContext,
  type TaskDetail,
} from "../model.ts";
import type { Html, LiveParts } from "../pages.ts";
import { page } from "./layout.tsx";
import { Cell, CELL_PATHS, type CellState, State } from "./marks.tsx";
import { OutputBox } from "./output.tsx";
import { Plays } from "./plays.tsx";
import { CountsLine, nameOf, Progress, taskPath } from "./task_lines.tsx";
import { Counting, Duration, Time } from "./times.tsx";

/** What results can be, for the script that draws them. */
const STATES = JSON.stringify(
  Object.fromEntries(
    (Object.keys(CELL_STATES) as CellState[]).map((name) => [
      CELL_STATES[name],
      { name, path: CELL_PATHS[name] },
    ]),
  ),
);

/** States from which a task still moves. */
function isOpen({ state }: { state: string }): boolean {
  return state === "queued" || state === "running";
}

/** `GET /tasks/{id}` */
export function taskPage(context: PageContext, task: TaskDetail): Html {
  const { base, viewer } = context;
  const path = taskPath(base, task);
  const run = `run=${task.key}`;
  return page({
    context,
    section: null,
    title: nameOf(task),
    stream: `/tasks/${encodeURIComponent(task.taskId)}/stream?${run}`,
    scripts: ["map.js", "output.js"],
    children: (
      <article class="task">
        <header class="head">
          <h1>{nameOf(task)}</h1>
          <Head base={base} task={task} />
          <p class="actions">
            {viewer.may.cancel && (
              <button
                type="button"
                class="danger while-open"
                data-dialog="cancel"
              >
                Cancel …
              </button>
            )}
            {viewer.may.submit && (
              <a
                class="button while-ended"
                href={task.template === null
                  ? `${base}/submit?again=${encodeURIComponent(task.taskId)}`
                  : `${base}/templates/${
                    encodeURIComponent(task.template)
                  }?again=${encodeURIComponent(task.taskId)}`}
              >
                Run again …
              </a>
            )}
          </p>
        </header>
        <Situation task={task} />
        <Facts base={base} task={task} />
        <Failures task={task} />
        <Plays plays={task.plays} />
        <section
          id="map"
          aria-labelledby="map-h"
          hidden
          data-cell={`${path}/cell?${run}`}
          data-states={STATES}
        >
          <h2 id="map-h">Hosts and play tasks</h2>
          <div class="map" data-own></div>
        </section>
        <NoEvents task={task} />
        <OutputBox task={task} path={path} isOpen={isOpen(task)} />
        {viewer.may.cancel && (
          <CancelDialog action={`${path}/cancel`} task={task} />
        )}
      </article>
    ),
  });
}

/** What of it changes while somebody looks. */
export function taskParts(base: string, task: TaskDetail): LiveParts {
  const part = (id: string, element: unknown) => ({ id, html: `${element}` });
  return {
    parts: [
      part("head", <Head base={base} task={task} />),
      part("situation", <Situation task={task} />),
      part("facts", <Facts base={base} task={task} />),
      part("failures", <Failures task={task} />),
      part("plays", <Plays plays={task.plays} />),
      part("no-events", <NoEvents task={task} />),
    ],
    lists: [],
  };
}

/** The state, and what it is called by. */
function Head({ base, task }: { base: string; task: TaskDetail }) {
  const by = (name: string, value: string) =>
    `${base}/?${new URLSearchParams({ [name]: value })}`;
  return (
    <div
      id="head"
      data-phase={isOpen(task) ? "open" : "ended"}
      data-title={`${
        task.state === "running" && task.total > 0
          ? `${task.done}/${task.total}`
          : task.state
      } ${nameOf(task)}`}
    >
      <State state={task.state} />
      {task.inventory !== null && (
        <span>
          on{" "}
          <a href={by("inventory", task.inventory)}>
            {harmless(task.inventory)}
          </a>
        </span>
      )}
      {task.template !== null && (
        <a class="tag" href={by("template", task.template)} title="Template">
          {harmless(task.template)}
        </a>
      )}
      {task.playbook !== null && (
        <a
          href={`${base}/history?${new URLSearchParams({
            playbook: task.playbook,
          })}`}
        >
          history
        </a>
      )}
      <span class="id">
        <code>{harmless(task.taskId)}</code>
        <button type="button" class="plain" data-copy={task.taskId}>
          Copy <span class="sr">the id</span>
        </button>
      </span>
    </div>
  );
}

/** What it is at, or why it ended as it did. */
function Situation({ task }: { task: TaskDetail }) {
  return (
    <div id="situation" class={task.state}>
      {task.waitsFor !== null && <p class="now">{harmless(task.waitsFor)}</p>}
      {task.state === "running" && (
        <p class="now">{harmless(task.currentTask ?? "Starts …")}</p>
      )}
      {task.errorMessage !== null && task.errorMessage.trim() !== "" && (
        <div class="error">
          <pre>{harmlessLines(task.errorMessage.trim())}</pre>
          <button
            type="button"
            class="plain"
            data-copy={task.errorMessage.trim()}
          >
            Copy <span class="sr">the reason</span>
          </button>
        </div>
      )}
      {task.startedAt !== null && (
        <p class="sum">
          <Progress task={task} />
          <CountsLine counts={task.counts} />
        </p>
      )}
    </div>
  );
}

function Facts({ base, task }: { base: string; task: TaskDetail }) {
  const { moves, startedAt, completedAt, otherRuns, gaps } = task;
  const others = [...new Set(moves.map(({ workerId }) => workerId))]
    .filter((one) => one !== task.workerId).map(harmless);
  return (
    <div id="facts">
      <dl class="facts">
        <div>
          <dt>{task.state === "running" ? "Runs for" : "Took"}</dt>
          <dd>
            {task.state === "running"
              ? (
                <Counting
                  seconds={task.durationSeconds ?? 0}
                  at={task.updatedAt}
                />
              )
              : <Duration seconds={task.durationSeconds} />}
          </dd>
        </div>
        <div>
          <dt>Worker</dt>
          <dd>
            {harmless(task.workerId)}
            {others.length > 0 && (
              <span class="dim">, before {others.join(", ")}</span>
            )}
          </dd>
        </div>
        <div>
          <dt>Accepted</dt>
          <dd>
            <Time at={task.createdAt} />
          </dd>
        </div>
        <div>
          <dt>Started</dt>
          <dd>{startedAt === null ? "–" : <Time at={startedAt} />}</dd>
        </div>
        <div>
          <dt>Ended</dt>
          <dd>{completedAt === null ? "–" : <Time at={completedAt} />}</dd>
        </div>
        <div>
          <dt>Return code</dt>
          <dd class="num">{task.returnCode ?? "–"}</dd>
        </div>
        <Hosts name="Hosts that failed" hosts={task.failedHosts} />
        <Hosts name="Hosts not reached" hosts={task.unreachableHosts} />
        {otherRuns.length > 0 && (
          <div>
            <dt>Other runs under this id</dt>
            <dd>
              {otherRuns.map(({ key, createdAt, state }) => (
                <a href={`${taskPath(base, task)}?run=${key}`}>
                  <State state={state} /> <Time at={createdAt} />
                </a>
              ))}
            </dd>
          </div>
        )}
      </dl>
      {gaps.map((gap) => <p class="gap">{harmless(gap)}</p>)}
      {task.stats !== null && task.stats !== undefined && (
        <details id="stats">
          <summary>What set_stats has left</summary>
          <pre>{harmlessLines(JSON.stringify(task.stats, null, 2))}</pre>
        </details>
      )}
    </div>
  );
}

function Hosts(
  { name, hosts: { names, more } }: {
    name: string;
    hosts: { names: string[]; more: number };
  },
) {
  return names.length + more === 0 ? null : (
    <div class="wide">
      <dt>{name}</dt>
      <dd>
        {names.map(harmless).join(", ")}
        {more > 0 && ` and ${more} more`}
      </dd>
    </div>
  );
}

function Failures({ task }: { task: TaskDetail }) {
  const { failures, moreFailures } = task;
  return (
    <section
      id="failures"
      aria-labelledby="failures-h"
      hidden={failures.length === 0}
    >
      <h2 id="failures-h">
        Failures <span class="n">{failures.length + moreFailures}</span>
      </h2>
      <ol class="failures">
        {failures.map((failure) => <FailureItem failure={failure} />)}
      </ol>
      {moreFailures > 0 && (
        <p class="nothing">
          {moreFailures} more are in the map and in the output.
        </p>
      )}
    </section>
  );
}

function FailureItem({ failure }: { failure: Failure }) {
  const { seq, state, host, play, task, time, message } = failure;
  return (
    <li id={`failure-${seq}`} class={state}>
      <p class="where">
        <Cell state={state} /> <b>{harmless(host)}</b>
        <span class="word">
          {state === "ignored" ? "failed, ignored" : state}
        </span>
        <span>
          {harmless(task)} <span class="dim">in {harmless(play)}</span>
        </span>
        <Time at={time} />
      </p>
      {message !== null && <pre>{harmlessLines(message.trim())}</pre>}
    </li>
  );
}

/** Why there is no map. */
function NoEvents({ task }: { task: TaskDetail }) {
  return (
    <p
      id="no-events"
      class="nothing"
      hidden={task.hasEvents || isOpen(task) || task.startedAt === null}
    >
      There is no map of this run: its worker does not tell events. Set{" "}
      <code>worker.publish_events: true</code> in its configuration.
    </p>
  );
}

/** What a click on a cell of the map shows: `GET /tasks/{id}/cell` */
export function cellFragment(_base: string, cell: CellDetail): Html {
  return (
    <div class="result">
      <p class="where">
        <b>{harmless(cell.host)}</b>
        <span>
          {harmless(cell.task)}{" "}
          <span class="dim">in {harmless(cell.play)}</span>
        </span>
      </p>
      {cell.results.length === 0 && <p class="nothing">No result yet.</p>}
      {cell.results.map((result) => (
        <div class={`one ${result.state}`}>
          <p>
            <Cell state={result.state} />{" "}
            <span class="word">{result.state}</span>
            {result.durationSeconds !== null && (
              <Duration seconds={result.durationSeconds} />
            )}
            <Time at={result.time} />
          </p>
          {result.message === null
            ? <p class="nothing">It said nothing.</p>
            : <pre>{harmlessLines(result.message.trim())}</pre>}
        </div>
      ))}
    </div>
  );
}

function CancelDialog({ action, task }: { action: string; task: TaskDetail }) {
  return (
    <dialog id="cancel" aria-labelledby="cancel-h">
      <form method="post" action={action}>
        <h2 id="cancel-h">Cancel {nameOf(task)}?</h2>
        <p>
          If it runs, ansible-playbook is asked to stop, and killed when it does
          not. What it has changed stays changed.
        </p>
        <label>
          Reason <span class="dim">(told in the worker's log)</span>
          <input type="text" name="reason" maxlength={200} autofocus />
        </label>
        <p class="actions">
          <button type="submit" class="danger">Cancel the task</button>
          <button type="button" data-close>Let it go on</button>
        </p>
      </form>
    </dialog>
  );
}
