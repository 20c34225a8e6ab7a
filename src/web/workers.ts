/**
 * Workers and templates, as pages show them, from what is retained at the
 * broker; and what a queued task waits for.
 *
 * @module
 */
import type { GroupView } from "../client/group_view.ts";
import { nextTime, type Offer, offersOf } from "../client/offers.ts";
import { heldBy } from "../client/progress.ts";
import { fieldsOf } from "./forms.ts";
import { shortHash } from "./short_hash.ts";
import type { TaskRow, TemplateRow, WorkerRow } from "./model.ts";

/** The workers, by their names. */
export function workerRows(view: GroupView): WorkerRow[] {
  return view.workers().map((presence) => {
    const load = presence.state === "online"
      ? view.loads.get(presence.worker_id)
      : undefined;
    return {
      workerId: presence.worker_id,
      state: presence.state,
      slots: presence.slots,
      freeSlots: load?.free_slots ?? null,
      queued: load?.queued ?? null,
      host: presence.host,
      version: presence.version,
      ansibleVersion: presence.ansible_version,
      startedAt: presence.started_at,
      updatedAt: presence.updated_at,
      adoptedBy: presence.adopted_by ?? null,
    };
  });
}

/** What a queued task waits for: its worker, a lock, a slot, or its turn. */
export function waitsFor(
  { taskId, state, workerId, lock, currentTask }: TaskRow,
  view: GroupView,
): string {
  const presence = view.presences.get(workerId);
  if (!presence) return `waits: ${workerId} is not known any more`;
  if (presence.state !== "online") {
    return `waits: ${workerId} is ${presence.state}`;
  }
  if (currentTask !== null) {
    const holder = view.waitsFor({ task_id: taskId, state, lock });
    return currentTask + (holder === null ? "" : heldBy(holder));
  }
  if (view.loads.get(workerId)?.free_slots !== 0) return "waits for its turn";
  return presence.slots === 1
    ? `waits: ${workerId} is busy`
    : `waits: all ${presence.slots} slots of ${workerId} are busy`;
}

/** Why nobody takes a task, where that can be told. */
export function whyWaiting(view: GroupView): string | null {
  const online = view.online();
  if (online.length === 0) return "no worker is online";
  return online.every(({ worker_id }) => view.isFull(worker_id))
    ? "all workers are busy, and their queues are full"
    : null;
}

/** A template that is offered, and what it was made from. */
export interface OfferedTemplate {
  row: Omit<TemplateRow, "last">;
  offer: Offer;
}

/** The templates that workers offer, by their names. */
export function templatesOf(view: GroupView): OfferedTemplate[] {
  return offersOf(view.online()).map((offer) => ({
    offer,
    row: {
      name: offer.name,
      variant: variantOf(offer),
      description: offer.description,
      workers: offer.workers,
      nextTime: nextTime(offer)?.toISOString() ?? null,
      schedule: offer.schedule
        ? { cron: offer.schedule.cron, timeZone: offer.schedule.time_zone }
        : null,
      fields: fieldsOf(offer),
    },
  }));
}

/** The same for all workers that mean the same by a name. */
function variantOf({ workers: _, ...meant }: Offer): string {
  return shortHash(JSON.stringify(meant));
}
