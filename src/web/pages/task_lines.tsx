/**
 * Tasks in lists.
 *
 * @module
 */
import { harmless } from "../../harmless.ts";
import type { Counts, TaskRow } from "../model.ts";
import { Cell, type CellState, Mark } from "./marks.tsx";
import { Counting, Duration, Time } from "./times.tsx";

/** The path of a task's page. */
export function taskPath(base: string, { taskId }: { taskId: string }): string {
  return `${base}/tasks/${encodeURIComponent(taskId)}`;
}

/** What a task is called in lists and titles. */
export function nameOf(
  { playbook, template, taskId }: Pick<
    TaskRow,
    "playbook" | "template" | "taskId"
  >,
): string {
  return harmless(playbook ?? template ?? taskId);
}

/** Results by their kinds, those that there are. */
export function CountsLine({ counts }: { counts: Counts }) {
  const kinds = Object.entries(counts) as [CellState, number][];
  return (
    <span class="counts">
      {kinds.filter(([kind, count]) => count > 0 || kind === "ok").map((
        [kind, count],
      ) => (
        <span class={`count n-${kind}`}>
          <Cell state={kind} /> {kind} <b>{count}</b>
        </span>
      ))}
    </span>
  );
}

/** How far a task is. */
export function Progress({ task }: { task: TaskRow }) {
  const { done, total } = task;
  return (
    <span class="progress">
      <progress
        class={task.state}
        max={String(Math.max(total, 1))}
        value={String(Math.min(done, total))}
        aria-label={`Results of ${nameOf(task)}`}
      >
      </progress>
      <span class="num">{total === 0 ? "–" : `${done}/${total}`}</span>
    </span>
  );
}

/** The playbook, its link, and on what. */
function What({ base, task }: { base: string; task: TaskRow }) {
  return (
    <span class="what">
      <a href={taskPath(base, task)}>{nameOf(task)}</a>
      {task.inventory !== null && (
        <span class="on">on {harmless(task.inventory)}</span>
      )}
      {task.template !== null && (
        <span class="tag" title="Template">{harmless(task.template)}</span>
      )}
    </span>
  );
}

/** A task that runs. */
export function RunningLine({ base, task }: { base: string; task: TaskRow }) {
  return (
    <li id={`run-${task.key}`} class="line running">
      <Mark state="running" />
      <What base={base} task={task} />
      <span class="now">{harmless(task.currentTask ?? "")}</span>
      <Progress task={task} />
      <span class="time">
        <Counting seconds={task.durationSeconds ?? 0} at={task.updatedAt} />
      </span>
      <span class="worker">{harmless(task.workerId)}</span>
      <CountsLine counts={task.counts} />
      <span class="id">{harmless(task.taskId)}</span>
    </li>
  );
}

/** A task that waits, and what for. */
export function QueuedLine(
  { base, task, waitsFor }: {
    base: string;
    task: TaskRow;
    waitsFor: string;
  },
) {
  return (
    <li id={`wait-${task.key}`} class="line queued">
      <Mark state="queued" />
      <What base={base} task={task} />
      <span class="why">{harmless(waitsFor)}</span>
      <span class="time">
        <Counting seconds={0} at={task.createdAt} />
      </span>
      <span class="worker">{harmless(task.workerId)}</span>
      <span class="id">{harmless(task.taskId)}</span>
    </li>
  );
}

/** A task that has ended. */
export function EndedLine({ base, task }: { base: string; task: TaskRow }) {
  const reason = task.errorMessage?.trim().split("\n")[0] ?? "";
  return (
    <li id={`end-${task.key}`} class={`line ended ${task.state}`}>
      <Mark state={task.state} />
      <span class="sr">{task.state}:</span>
      <What base={base} task={task} />
      <span class="when">
        <Time at={task.completedAt ?? task.updatedAt} />
      </span>
      <span class="time">
        <Duration seconds={task.durationSeconds} />
      </span>
      <span class="worker">{harmless(task.workerId)}</span>
      <span class="id">{harmless(task.taskId)}</span>
      {reason !== "" && <span class="reason">{harmless(reason)}</span>}
    </li>
  );
}
