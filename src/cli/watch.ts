/**
 * `ansible-worker watch`: the tasks of the group, live.
 *
 * @module
 */
import { Board } from "../client/board.ts";
import { GroupView } from "../client/group_view.ts";
import { Interrupts } from "../client/interrupts.ts";
import { jsonLine } from "../client/json_view.ts";
import { taskLine } from "../client/progress.ts";
import { harmless } from "../harmless.ts";
import type { TaskStatus } from "../messages/task_status.ts";
import { complain, lostConnection, withClient } from "./client.ts";
import type { ClientOptions } from "./client_options.ts";
import { EXIT, EXIT_NO_READER, exitCodeOf } from "./exit_codes.ts";
import { isTaskId } from "./task_ids.ts";

/**
 * Shows them until Ctrl-C or, if some were named, until these have ended.
 *
 * @returns the exit code: with names, the highest of those with which `submit`
 * would have ended
 */
export function watch(
  taskIds: readonly string[],
  options: ClientOptions,
): Promise<number> {
  const isNamed = taskIds.length > 0;
  if (!taskIds.every(isTaskId)) return Promise.resolve(EXIT.usage);
  return withClient(options, {
    ...isNamed &&
      { codes: { usage: EXIT.usage, connection: EXIT.connection } },
    work: async ({ topics, terminal, out, unread, connect }) => {
      using interrupts = new Interrupts();
      const view = new GroupView(topics);
      const receivedAt = new Map<string, number>();
      const ended = Promise.withResolvers<number>();
      using board = terminal.isLive && !options.json
        ? new Board(terminal, topics.group)
        : null;
      const print = (status: TaskStatus) => {
        if (options.json) out(jsonLine(status));
        else if (!board) {
          out(taskLine(status, { holder: view.waitsFor(status) }));
        }
      };
      // What had ended before is not news, unless it was asked for.
      let isInitial = true;
      await using _ = await connect({
        topics: [
          ...(isNamed
            ? taskIds.map((id) => topics.status(id))
            : [topics.allStatuses]),
          topics.allPresences,
          topics.allLocks,
        ],
        onMessage: (message) => {
          const previous = view.tasks.get(
            message.topic.split("/").at(-2) ?? "",
          );
          const change = view.receive(message);
          if (change?.kind === "status") {
            const { status } = change;
            receivedAt.set(status.task_id, performance.now());
            // After a reconnect all that is retained comes again.
            const isNews =
              JSON.stringify(previous) !== JSON.stringify(status) &&
              !(isInitial && message.retained &&
                status.completed_at !== null && !isNamed);
            if (isNews) print(status);
          }
          board?.show(() => ({
            tasks: view.inOrder().map((status) => ({
              status,
              at: receivedAt.get(status.task_id) ?? 0,
              holder: view.waitsFor(status),
            })),
            workers: view.online().length,
          }));
          const named = taskIds.map((id) => view.tasks.get(id));
          const isOver = named.every((status) =>
            (status?.completed_at ?? null) !== null
          );
          if (isNamed && isOver) {
            ended.resolve(Math.max(...named.map((one) => exitCodeOf(one!))));
          }
        },
        onLost: (reason) => {
          const text = lostConnection(reason);
          if (board) board.note(text);
          else complain(harmless(text));
        },
        onReconnected: () => board?.note(null),
      });
      isInitial = false;
      const isQuiet = view.tasks.values().every(({ completed_at }) =>
        completed_at !== null
      );
      if (isQuiet && !isNamed && !board) {
        complain(`no task is active in ${topics.group}; waiting`);
      }
      for (const id of taskIds) {
        if (!view.tasks.has(id)) {
          const text = `${id} is not known yet; waiting for it`;
          if (board) board.note(text);
          else complain(text);
        }
      }
      return await Promise.race([
        ended.promise,
        unread.then(() => EXIT_NO_READER),
        // Without names it is the one way to end it.
        interrupts.next().then(() => isNamed ? EXIT.left : EXIT.success),
      ]);
    },
  });
}
