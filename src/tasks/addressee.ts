/**
 * Whom a request is for: the group, of which one worker has it; one worker, and
 * no other; or everyone, where the run of each worker is a task of its own.
 *
 * @module
 */
import { MAX_TASK_ID, partId, taskIdSchema } from "../messages/task_request.ts";
import type { ResolvedRequest } from "../templates/template.ts";

/** Whom a request is for. */
export type Addressee = "group" | "worker" | "everyone";

/** The same, if a text says so. */
export function addresseeOf(text: string | undefined): Addressee {
  return text === "worker" || text === "everyone" ? text : "group";
}

/** What becomes of a request for a worker that is adopted. */
export const WORKER_GONE = "its worker is gone";

/** A request as its worker runs it. */
export function requestFor(
  resolved: ResolvedRequest,
  { to, workerId }: { to: Addressee; workerId: string },
): ResolvedRequest {
  if (to !== "everyone") return resolved;
  const taskId = partId(resolved.request.task_id, workerId);
  return { ...resolved, request: { ...resolved.request, task_id: taskId } };
}

/** Why a task has no valid id; null if it has. */
export function idFault(
  { request: { task_id } }: ResolvedRequest,
  { workerId }: { workerId: string },
): string | null {
  if (taskIdSchema.safeParse(task_id).success) return null;
  return `must be at most ${
    MAX_TASK_ID - partId("", workerId).length
  } characters in a request for everyone, since "@${workerId}" is added here`;
}

/** Whose part of a request for everyone it is; undefined for any other. */
export function partOf(
  { to }: { to: Addressee },
  workerId: string,
): string | undefined {
  return to === "everyone" ? workerId : undefined;
}
