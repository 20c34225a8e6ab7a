/**
 * `ansible-worker tasks`: the tasks of the group, by their retained statuses.
 *
 * @module
 */
import { painter } from "../client/colours.ts";
import { GroupView } from "../client/group_view.ts";
import { jsonLine } from "../client/json_view.ts";
import { table, textsOf } from "../client/table.ts";
import { TASK_COLUMNS } from "../client/tables.ts";
import { withClient } from "./client.ts";
import type { ClientOptions } from "./client_options.ts";

/** Prints them; returns the exit code. */
export function tasks(options: ClientOptions): Promise<number> {
  return withClient(options, {
    work: async ({ topics, terminal, out, err, connect }) => {
      const view = new GroupView(topics);
      await using _ = await connect({
        topics: [topics.allStatuses, topics.allLocks],
        onMessage: (message) => view.receive(message),
      });
      const tasks = view.inOrder();
      if (options.json) tasks.forEach((status) => out(jsonLine(status)));
      else if (tasks.length === 0) err(`no task is known in ${topics.group}`);
      else {
        const { columns: width } = terminal.size();
        const at = performance.now();
        const rows = tasks.map((status) => ({
          status,
          at,
          holder: view.waitsFor(status),
        }));
        textsOf(
          table(TASK_COLUMNS, rows, { width, paint: painter(terminal) }),
          width,
        ).forEach(out);
      }
      return 0;
    },
  });
}
