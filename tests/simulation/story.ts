/**
 * What happened in a run, line by line, for whoever wants to know why it failed.
 *
 * @module
 */
import type { Breach } from "./oracle.ts";
import type { Plan } from "./plan.ts";

/** One line. */
export interface StoryLine {
  /** Virtual time, in milliseconds. */
  at: number;
  /** Who did it, or sent it. */
  from: string;
  /** To whom it was sent, if it was sent. */
  to?: string;
  /** What. */
  what: string;
}

/** Packets that say nothing of a task by themselves. */
const ANSWERS =
  /^(PUBACK|PUBREC|PUBREL|PUBCOMP|SUBACK|UNSUBACK|PINGREQ|PINGRESP)\b/;

/** A client id, in the words of the story: `w1`, or `w1 (control)`. */
function nameOf(clientId: string, { workers }: Plan): string {
  const isControl = /.control$/.test(clientId);
  const plain = clientId.replace(/.control$/, "");
  const worker = workers.find((id) => new RegExp(`[-/]${id}$`).test(plain));
  return worker ? `${worker}${isControl ? " (control)" : ""}` : clientId;
}

/** What of a status, a presence or a claim list says something. */
function condensed(what: string): string {
  return what.replace(/\{"(?:task_id|worker_id|lock)".*\}/, (text) => {
    let user = "";
    let payload;
    for (let end = text.length; end > 0; end = text.lastIndexOf("}", end - 1)) {
      try {
        payload = JSON.parse(text.slice(0, end + 1));
        user = text.slice(end + 1).trim();
        break;
      } catch {
        // It ends earlier.
      }
    }
    if (!payload) return text;
    const { state, worker_id, error_message, adopted_by, tasks } = payload;
    const isLock = payload.generation !== undefined;
    if (state === undefined && tasks === undefined) {
      return `request${user && ` ${user}`}`;
    }
    return [
      state,
      isLock && `by ${payload.task_id}, generation ${payload.generation},`,
      worker_id && `by ${worker_id}`,
      adopted_by && `adopted by ${adopted_by}`,
      tasks && `tasks ${JSON.stringify(tasks)}`,
      error_message && JSON.stringify(error_message),
      user,
    ].filter(Boolean).join(" ");
  });
}

/**
 * The story of a run that has failed: everything that was said of the tasks that
 * it failed with, and everything that went wrong.
 */
export function tell(
  lines: readonly StoryLine[],
  { plan, breaches }: { plan: Plan; breaches: readonly Breach[] },
): string {
  const tasks = new Set(breaches.map(({ task }) => task));
  tasks.delete(null);
  const locks = plan.tasks.flatMap(({ id, lock }) =>
    tasks.has(id) && lock !== undefined ? [lock] : []
  );
  const about = [...tasks, ...locks].map((id) => new RegExp(`\\b${id}\\b`));
  const isWanted = ({ from, to, what }: StoryLine) => {
    if (about.some((task) => task.test(what))) return true;
    if (to !== undefined) {
      return /^(CONNECT|CONNACK|DISCONNECT)\b/.test(what) ||
        (tasks.size === 0 && !ANSWERS.test(what)) ||
        (/\/workers\/[^/]+\/status\b/.test(what) && to === "broker");
    }
    return from === "broker" || !/^\d{4}-/.test(what) ||
      / (WARN|ERROR) /.test(what) || tasks.size === 0;
  };
  return lines.filter(isWanted).map(({ at, from, to, what }) =>
    `${(at / 1000).toFixed(3).padStart(9)} ${
      (to === undefined
        ? nameOf(from, plan)
        : `${nameOf(from, plan)} → ${nameOf(to, plan)}`).padEnd(24)
    } ${condensed(what.replace(/^\d{4}-\S+ /, ""))}`
  ).join("\n");
}
