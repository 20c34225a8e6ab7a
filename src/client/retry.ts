/**
 * From a task that has ended to the request that runs it again, on those hosts
 * alone that have failed or could not be reached.
 *
 * @module
 */
import { inventoriesOf, MAX_LIMIT } from "../messages/task_request.ts";
import type { TaskStatus } from "../messages/task_status.ts";
import { RequestError, type RequestFlags } from "./request.ts";

/** What a retry takes from the status; all else is to be given again. */
export type Retried = Pick<
  RequestFlags,
  "template" | "playbook" | "inventory" | "limit"
>;

/**
 * What the next request takes from a status.
 *
 * @param given what was given beside the task's id
 * @throws {RequestError} it says what of the hosts already, or there is nothing
 * to run again
 */
export function retryOf(
  status: TaskStatus,
  given: RequestFlags,
): Retried {
  for (
    const [option, isGiven] of [
      ["PLAYBOOK", given.playbook !== undefined],
      ["--template", given.template !== undefined],
      // What a template leaves to its requests no status tells apart.
      ["--inventory", status.template === null && given.inventory.length > 0],
      ["--limit", given.limit !== undefined],
    ] as const
  ) {
    if (isGiven) {
      throw new RequestError(
        `${option}: comes from the task, with --retry; leave it out`,
      );
    }
  }
  const { playbook, inventory, template } = status;
  const again = template === null
    ? "give its playbook and inventory"
    : `ask for the template "${template}"`;
  const { task_id, state, failed_hosts, unreachable_hosts } = status;
  const refuse = (why: string) =>
    new RequestError(`--retry: ${task_id} ${why}`);
  if (status.completed_at === null) throw refuse(`is ${state}, and not over`);
  if (failed_hosts.more + unreachable_hosts.more > 0) {
    throw refuse(
      `has failed on more hosts than its status names; to run all of it again, ${again}`,
    );
  }
  const hosts = new Set([...failed_hosts.names, ...unreachable_hosts.names]);
  if (hosts.size === 0) {
    throw refuse(
      `ended as ${state}, and names no host that has failed or was unreachable; to run all of it again, ${again}`,
    );
  }
  const limit = [...hosts].join(",");
  if (limit.length > MAX_LIMIT) {
    throw refuse(`has more such hosts than a request can name (${hosts.size})`);
  }
  if (template !== null) return { template, inventory: given.inventory, limit };
  if (playbook === null || inventory === null) {
    throw refuse("names no playbook");
  }
  const lock = given.lock ?? status.lock;
  return {
    playbook,
    inventory: inventoriesOf(inventory),
    limit,
    ...(lock !== null && { lock }),
  };
}
