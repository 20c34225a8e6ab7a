/**
 * States as small pictures: each has a shape of its own beside its colour.
 *
 * @module
 */
import type { TaskState } from "../../messages/task_status.ts";
import type { Presence } from "../../messages/presence.ts";
import type { CELL_STATES } from "../model.ts";

const SHAPES: Record<TaskState, unknown> = {
  queued: <circle cx="8" cy="8" r="6" fill="none" stroke-dasharray="2.6 2.1" />,
  running: (
    <>
      <circle cx="8" cy="8" r="6" fill="none" class="track" />
      <path d="M8 2a6 6 0 0 1 6 6" fill="none" class="turns" />
    </>
  ),
  success: (
    <>
      <circle cx="8" cy="8" r="7" class="full" />
      <path d="M4.8 8.3 7.1 10.6 11.3 5.9" fill="none" class="on" />
    </>
  ),
  failed: (
    <>
      <path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" class="full" />
      <path d="M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8" fill="none" class="on" />
    </>
  ),
  cancelled: (
    <>
      <rect x="1.5" y="1.5" width="13" height="13" rx="3" class="full" />
      <path d="M5 8h6" fill="none" class="on" />
    </>
  ),
  timeout: (
    <>
      <path d="M8 .8 15.4 14.6H.6z" class="full" />
      <path d="M8 6v3.8M8 12.2v.4" fill="none" class="on" />
    </>
  ),
};

/** A task's state as a picture; what it means is told beside it. */
export function Mark({ state }: { state: TaskState }) {
  return (
    <svg
      class={`mark ${state}`}
      viewBox="0 0 16 16"
      width="16"
      height="16"
      aria-hidden="true"
    >
      {SHAPES[state]}
    </svg>
  );
}

/** A task's state as a picture and a word. */
export function State({ state }: { state: TaskState }) {
  return (
    <span class={`state ${state}`}>
      <Mark state={state} />
      <span class="word">{state}</span>
    </span>
  );
}

/** Whether a worker is there, as a picture and a word. */
export function WorkerState({ state }: { state: Presence["state"] }) {
  return (
    <span class={`presence ${state}`}>
      <svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">
        {state === "online"
          ? <circle cx="5" cy="5" r="4.5" />
          : state === "draining"
          ? <path d="M.5 5h9A4.5 4.5 0 0 1 .5 5z" />
          : <circle cx="5" cy="5" r="3.7" class="hollow" />}
      </svg>
      <span class="word">{state}</span>
    </span>
  );
}

/** What a cell of a map is. */
export type CellState = keyof typeof CELL_STATES;

/** The outline of each kind of result, in a square of 10. */
export const CELL_PATHS: Record<CellState, string> = {
  ok: "M1 1h8v8H1z",
  changed: "M0 0h10v10H0z",
  failed:
    "M0 0h10v10H0zM2 3.1 3.9 5 2 6.9 3.1 8 5 6.1 6.9 8 8 6.9 6.1 5 8 3.1 6.9 2 5 3.9 3.1 2z",
  unreachable: "M0 0h10v10H0zM2 2v6h6V2z",
  skipped: "M3.5 3.5h3v3h-3z",
  rescued: "M5 0l5 5-5 5-5-5z",
  ignored: "M0 0h10v10zM0 3l7 7H0z",
};

/** A result's state as its square of the map; what it means is told beside it. */
export function Cell({ state }: { state: CellState }) {
  return (
    <svg
      class="cell"
      viewBox="0 0 10 10"
      width="10"
      height="10"
      aria-hidden="true"
    >
      <path class={`c-${state}`} fill-rule="evenodd" d={CELL_PATHS[state]} />
    </svg>
  );
}
