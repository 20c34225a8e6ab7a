/**
 * Whether a group has kept its promises, by what really ran and what was said.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { TaskStatus } from "../../src/messages/task_status.ts";
import type { Client, Message } from "./client.ts";
import type { Project } from "./project.ts";
import { judgeTask } from "./promises.ts";
import { PATIENCE, until } from "./waiting.ts";

/**
 * Asserts that each task has exactly one final status, that none has started
 * twice, and that what ran agrees with what was said.
 *
 * @returns how many tasks ended in each state
 */
export async function keptPromises(
  project: Project,
  client: Client,
  ids: readonly string[],
): Promise<Record<string, number>> {
  const truth = await project.truth();
  const told = Map.groupBy(client.messages, ({ topic }) => topic);
  const ran = Map.groupBy(truth, ({ id }) => id);
  const count: Record<string, number> = {};
  for (const id of ids) {
    const finals = finalsAmong(told.get(`${client.base}/tasks/${id}/status`));
    const runs = ran.get(id) ?? [];
    const story = () =>
      `${id}\n${JSON.stringify(runs)}\n${
        client.history(id).map((status) => JSON.stringify(status)).join("\n")
      }`;
    const starts = runs.filter(({ what }) => what === "start").length;
    const ends = runs.filter(({ what }) => what === "end").length;
    for (const { text } of judgeTask({ finals, starts, ends })) {
      assert.fail(`${text}: ${story()}`);
    }
    const [final] = finals as [TaskStatus];
    count[final.state] = (count[final.state] ?? 0) + 1;
  }
  const starts = truth.filter(({ what }) => what === "start");
  assert.equal(new Set(starts.map(({ id }) => id)).size, starts.length);
  return count;
}

/** The final statuses among a task's; the same one said again is one. */
function finalsAmong(messages: readonly Message[] = []): TaskStatus[] {
  const texts = new Set(messages.map(({ text }) => text));
  texts.delete("");
  return [...texts].map((text): TaskStatus => JSON.parse(text))
    .filter(({ completed_at }) => completed_at !== null);
}

/**
 * Settles when every task has a final status; rejects when no other one has had
 * one for too long.
 */
export async function allFinal(
  client: Client,
  ids: readonly string[],
): Promise<void> {
  const left = new Set(ids);
  let read = 0;
  let last = performance.now();
  await until("an end of the waiting", () => {
    for (; read < client.messages.length; read++) {
      const message = client.messages[read]!;
      const id = message.topic.split("/").at(-2)!;
      if (
        message.topic === `${client.base}/tasks/${id}/status` &&
        message.text.includes('"completed_at":"') && left.delete(id)
      ) last = performance.now();
    }
    return left.size === 0 || performance.now() > last + PATIENCE * 1000;
  }, Infinity);
  if (left.size > 0) {
    const some = [...left].slice(0, 5);
    throw new Error(
      `no final status for ${PATIENCE} s: ${left.size} left, such as ${
        some.map((id) =>
          `${id}:\n${
            client.messages.filter(({ topic }) =>
              topic === `${client.base}/tasks/${id}/status`
            ).map(({ at, retained, text, user }) =>
              `${at.toFixed(0)} ${retained} ${JSON.stringify(user)} ${text}`
            ).join("\n") || "no status"
          }`
        ).join("\n")
      }`,
    );
  }
}

/** Asserts that the workers that are online have nothing any more. */
export async function nothingHeld(
  client: Client,
  port: number,
  workers: readonly string[],
): Promise<void> {
  for (const id of workers) {
    let records: string[] = [];
    await until(() => `${id} to have nothing: ${records}`, async () => {
      const [found, load] = await Promise.all([
        client.records(port, id),
        client.retained(port, `${client.base}/workers/${id}/load`),
      ]);
      records = found;
      const { queued, free_slots: freeSlots } = JSON.parse(load ?? "{}");
      return found.length === 0 && queued === 0 && freeSlots > 0;
    });
  }
}
