/**
 * The board: who is there, what runs, what waits and for what, what has ended.
 *
 * @module
 */
import { harmless } from "../../harmless.ts";
import { isConnected } from "../../messages/presence.ts";
import { TASK_STATES, type TaskState } from "../../messages/task_status.ts";
import type { Board, PageContext, WorkerRow } from "../model.ts";
import type { Html, LiveParts } from "../pages.ts";
import { queryOf, Selects } from "./filters.tsx";
import { Command, Empty, page } from "./layout.tsx";
import { Mark, WorkerState } from "./marks.tsx";
import { EndedLine, QueuedLine, RunningLine } from "./task_lines.tsx";

/** `GET /` */
export function boardPage(context: PageContext, board: Board): Html {
  const { base } = context;
  const { filters } = board;
  return page({
    context,
    section: "board",
    title: "Board",
    stream: "/stream",
    children: (
      <>
        <h1 class="sr">Board</h1>
        <Workers board={board} />
        <FilterForm base={base} board={board} />
        <Running base={base} board={board} />
        <Queued base={base} board={board} />
        <Ended base={base} board={board} />
        {board.ended.next !== null && (
          <p class="more">
            <a
              href={`${base}/${queryOf(filters, { cursor: board.ended.next })}`}
            >
              Older tasks
            </a>
          </p>
        )}
      </>
    ),
  });
}

/** What of it changes while somebody looks. */
export function boardParts(base: string, board: Board): LiveParts {
  const part = (id: string, element: unknown) => ({ id, html: `${element}` });
  return {
    parts: [
      part("workers", <Workers board={board} />),
      ...TASK_STATES.map((state) =>
        part(`n-${state}`, <Total board={board} state={state} />)
      ),
    ],
    lists: [
      {
        ...part("running", <Running base={base} board={board} />),
        rows: board.running.map((task) =>
          part(`run-${task.key}`, <RunningLine base={base} task={task} />)
        ),
      },
      {
        ...part("queued", <Queued base={base} board={board} />),
        rows: board.queued.map((task) =>
          part(
            `wait-${task.key}`,
            <QueuedLine
              base={base}
              task={task}
              waitsFor={board.waitsFor[task.key]!}
            />,
          )
        ),
      },
      {
        ...part("ended", <Ended base={base} board={board} />),
        rows: board.ended.rows.map((task) =>
          part(`end-${task.key}`, <EndedLine base={base} task={task} />)
        ),
      },
    ],
  };
}

function Workers({ board: { workers } }: { board: Board }) {
  const isThere = workers.some(isConnected);
  return (
    <section id="workers" aria-labelledby="workers-h">
      <h2 id="workers-h">
        Workers <span class="n">{workers.length}</span>
      </h2>
      {!isThere && (
        <Empty title="No worker is online.">
          <p>
            What is asked for now waits at the broker until one is. Start one
            where Ansible and the playbooks are, with this broker and group in
            its configuration:
          </p>
          <Command line="ansible-worker -c config.yaml" />
          <p>
            One that should be there says what is wrong with{" "}
            <code>ansible-worker doctor -c config.yaml</code>.
          </p>
        </Empty>
      )}
      {workers.length > 0 && (
        <div
          class="scroll"
          {...(workers.length > MANY && {
            tabindex: 0,
            role: "region",
            "aria-label": "All workers",
          })}
        >
          <ul class="workers">
            {workers.map((worker) => <Worker worker={worker} />)}
          </ul>
        </div>
      )}
    </section>
  );
}

/** Beyond so many workers, their list is scrolled in itself. */
const MANY = 12;

/** The most slots that are shown one by one. */
const MAX_SLOTS = 24;

function Worker({ worker }: { worker: WorkerRow }) {
  const { slots, freeSlots, queued, state, adoptedBy } = worker;
  const isHere = isConnected(worker);
  const taken = isHere && freeSlots !== null ? slots - freeSlots : 0;
  const name = harmless(worker.workerId);
  return (
    <li class={`card ${state}`}>
      <p class="name">
        <b>{name}</b> <WorkerState state={state} />
      </p>
      {isHere && (
        <p class="slots">
          {slots <= MAX_SLOTS && (
            <svg
              viewBox={`0 0 ${slots * 13} 11`}
              width={String(slots * 13)}
              height="11"
              aria-hidden="true"
            >
              {Array.from({ length: slots }, (_, i) => (
                <rect
                  x={String(i * 13 + 0.5)}
                  y="0.5"
                  width="10"
                  height="10"
                  rx="2"
                  class={i < taken ? "taken" : "free"}
                />
              ))}
            </svg>
          )}
          <span>
            {taken} of {slots} busy
            {queued !== null && queued > 0 && `, ${queued} waiting`}
          </span>
        </p>
      )}
      <p class="about">
        {adoptedBy !== null
          ? `its tasks are with ${harmless(adoptedBy)}`
          : `ansible-core ${harmless(worker.ansibleVersion)}${
            worker.host === worker.workerId
              ? ""
              : ` on ${harmless(worker.host)}`
          }`}
      </p>
    </li>
  );
}

function Total({ board, state }: { board: Board; state: TaskState }) {
  return <span id={`n-${state}`} class="n">{board.totals[state]}</span>;
}

function FilterForm({ base, board }: { base: string; board: Board }) {
  const { filters, choices } = board;
  const isSet = queryOf(filters) !== "";
  return (
    <form
      class="filters"
      method="get"
      action={`${base}/`}
      role="search"
      aria-label="Tasks"
      data-auto
    >
      <label class="search">
        <span class="sr">Search</span>
        <input
          type="search"
          name="search"
          placeholder="Search tasks"
          maxlength={200}
          value={filters.search ?? ""}
        />
      </label>
      <fieldset class="chips">
        <legend class="sr">States</legend>
        {TASK_STATES.map((state) => (
          <label class={`chip ${state}`}>
            <input
              type="checkbox"
              name="state"
              value={state}
              checked={filters.state?.includes(state) ?? false}
            />
            <Mark state={state} />
            {state} <Total board={board} state={state} />
          </label>
        ))}
      </fieldset>
      <div class="selects">
        <Selects
          names={["playbook", "inventory", "worker", "template"]}
          filters={filters}
          choices={choices}
        />
        <button type="submit">Filter</button>
        {isSet && <a href={`${base}/`}>Show all</a>}
      </div>
    </form>
  );
}

/** Whether the filters leave a list with these states to be shown. */
function shows({ filters: { state } }: Board, states: TaskState[]): boolean {
  return !state || state.length === 0 ||
    states.some((one) => state.includes(one));
}

function Running({ base, board }: { base: string; board: Board }) {
  const { running } = board;
  return (
    <section
      id="running"
      aria-labelledby="running-h"
      hidden={!shows(board, ["running"])}
    >
      <h2 id="running-h">
        Running <span class="n">{running.length}</span>
      </h2>
      {running.length === 0
        ? <p class="nothing">Nothing runs{besides(board)}.</p>
        : (
          <ul class="lines">
            {running.map((task) => <RunningLine base={base} task={task} />)}
          </ul>
        )}
    </section>
  );
}

function Queued({ base, board }: { base: string; board: Board }) {
  const { queued, waitsFor } = board;
  return (
    <section
      id="queued"
      aria-labelledby="queued-h"
      hidden={queued.length === 0 || !shows(board, ["queued"])}
    >
      <h2 id="queued-h">
        Waiting <span class="n">{queued.length}</span>
      </h2>
      <ul class="lines">
        {queued.map((task) => (
          <QueuedLine
            base={base}
            task={task}
            waitsFor={waitsFor[task.key]!}
          />
        ))}
      </ul>
    </section>
  );
}

function Ended({ base, board }: { base: string; board: Board }) {
  const { rows } = board.ended;
  const isFiltered = queryOf(board.filters) !== "";
  return (
    <section
      id="ended"
      aria-labelledby="ended-h"
      hidden={!shows(board, ["success", "failed", "cancelled", "timeout"])}
    >
      <h2 id="ended-h">Ended</h2>
      {rows.length > 0
        ? (
          <ul class="lines">
            {rows.map((task) => <EndedLine base={base} task={task} />)}
          </ul>
        )
        : isFiltered
        ? <p class="nothing">Nothing that has ended is like that.</p>
        : (
          <Empty title="No task has ended yet.">
            <p>
              Ask for one: with a template, with any MQTT 5 client, or with
            </p>
            <Command line="ansible-worker submit site.yml -i hosts.ini" />
          </Empty>
        )}
    </section>
  );
}

function besides({ filters }: Board): string {
  return queryOf(filters) === "" ? "" : " that is like that";
}
