/**
 * `ansible-worker output`: what a task prints, while it runs.
 *
 * @module
 */
import { GroupView } from "../client/group_view.ts";
import { Interrupts } from "../client/interrupts.ts";
import { jsonLine } from "../client/json_view.ts";
import { OutputReader } from "../client/output_reader.ts";
import { harmlessLines } from "../harmless.ts";
import { lostConnection, withClient } from "./client.ts";
import type { ClientOptions } from "./client_options.ts";
import { EXIT, EXIT_NO_READER } from "./exit_codes.ts";
import { print } from "./output.ts";
import { isTaskId } from "./task_ids.ts";

/** Prints it until the end; returns the exit code. */
export function output(
  taskId: string,
  options: ClientOptions,
): Promise<number> {
  if (!isTaskId(taskId)) return Promise.resolve(1);
  return withClient(options, {
    work: async ({ topics, out, write, unread, err, connect }) => {
      using interrupts = new Interrupts();
      const view = new GroupView(topics);
      const reader = new OutputReader({
        onPiece: (piece) => {
          if (options.json) return out(jsonLine(piece));
          const to = Deno[piece.stream];
          const text = to.isTerminal() ? forTerminal(piece.text) : piece.text;
          if (to === Deno.stdout) write(text);
          else print(to, text);
        },
        onGap: err,
      });
      await using _ = await connect({
        topics: [topics.status(taskId), topics.output(taskId)],
        onMessage: (message) => {
          if (topics.parse(message.topic)?.kind === "output") {
            return reader.receive(message.payload);
          }
          const change = view.receive(message);
          if (change?.kind !== "status") return;
          if (change.status.completed_at !== null) reader.taskEnded();
        },
        onLost: (reason) => err(lostConnection(reason)),
      });
      const status = view.tasks.get(taskId);
      if (!status) err(`${taskId} is not known yet; waiting for it`);
      // It may end while what is retained is waited for.
      else if (status.completed_at !== null && reader.count === 0) {
        err(
          `${taskId} has ended already (${status.state}); its output was published while it ran, and is not kept`,
        );
        return 1;
      }
      const end = await Promise.race([
        reader.done,
        unread.then(() => EXIT_NO_READER),
        interrupts.next().then(() => EXIT.left),
      ]);
      if (end !== undefined) return end;
      if (reader.count > 0) return reader.isComplete ? 0 : 1;
      err(
        `${taskId} has ended, and ${
          view.tasks.get(taskId)!.worker_id
        } has published nothing of what it printed; worker.publish_output: true in its configuration switches that on`,
      );
      return 1;
    },
  });
}

/** Colours would be harmless, but not everything that looks like one. */
function forTerminal(text: string): string {
  // deno-lint-ignore no-control-regex
  return harmlessLines(text.replaceAll(/\u001b\[[\d;]*m/g, ""));
}
