/**
 * `ansible-worker cancel`: has tasks ended, and says what became of each.
 *
 * @module
 */
import { Cancellation } from "../client/cancellation.ts";
import { Interrupts } from "../client/interrupts.ts";
import { jsonLine } from "../client/json_view.ts";
import { MessageSigner } from "../client/signer.ts";
import { lostConnection, withClient } from "./client.ts";
import type { ClientOptions } from "./client_options.ts";
import { EXIT } from "./exit_codes.ts";
import { isTaskId } from "./task_ids.ts";

/** What `cancel` takes. */
export interface CancelOptions extends ClientOptions {
  /** Why. */
  reason?: string;
  /** The private key to sign with. */
  key?: string;
}

/**
 * Cancels tasks.
 *
 * @returns the exit code: 0 if all of them are cancelled
 */
export function cancel(
  given: readonly string[],
  options: CancelOptions,
): Promise<number> {
  if (!given.every(isTaskId)) return Promise.resolve(1);
  const taskIds = [...new Set(given)];
  return withClient(options, {
    work: async ({ topics, out, err, connect }) => {
      const signer = await MessageSigner.read(options.key);
      const payloads = new Map(
        await Promise.all(taskIds.map(async (id) =>
          [
            id,
            await signer.signCancel(id, { topics, reason: options.reason }),
          ] as const
        )),
      );
      using interrupts = new Interrupts();
      const cancellation = new Cancellation(payloads, {
        topics,
        onEnd: (taskId, { text, message, isCancelled }) => {
          if (options.json && message) out(jsonLine(message));
          else (isCancelled ? out : err)(`${taskId}: ${text}`);
        },
        onWaiting: (taskId, text) => err(`${taskId}: ${text}`),
      });
      await using connection = await connect({
        topics: cancellation.topics,
        onMessage: (message) => cancellation.receive(message),
        onLost: (reason) => err(lostConnection(reason)),
      });
      const { partTopics } = cancellation;
      await using _parts = partTopics.length > 0
        ? await connect({
          topics: partTopics,
          onMessage: (message) => cancellation.receive(message),
        })
        : null;
      const allCancelled = await Promise.race([
        cancellation.run(connection),
        interrupts.next(),
      ]);
      if (allCancelled === undefined) {
        err("left; what was asked for is under way");
        return EXIT.left;
      }
      return allCancelled ? 0 : 1;
    },
  });
}
