/**
 * `ansible-worker workers`: the workers of the group, and what they have to do.
 *
 * @module
 */
import { painter } from "../client/colours.ts";
import { addressed } from "../client/everyone.ts";
import { GroupView } from "../client/group_view.ts";
import { jsonLine } from "../client/json_view.ts";
import { table, textsOf } from "../client/table.ts";
import {
  WORKER_COLUMNS,
  WORKER_COLUMNS_WITH_CONTENT,
} from "../client/tables.ts";
import { harmless } from "../harmless.ts";
import { withClient } from "./client.ts";
import type { ClientOptions } from "./client_options.ts";

/** What `workers` takes. */
export interface WorkersOptions extends ClientOptions {
  /** Print the ids alone, of those that are there or only away. */
  names?: boolean;
}

/** Prints them; returns the exit code. */
export function workers(options: WorkersOptions): Promise<number> {
  return withClient(options, {
    work: async ({ topics, terminal, out, err, connect }) => {
      const view = new GroupView(topics);
      await using _ = await connect({
        topics: [topics.allPresences, topics.allLoads],
        onMessage: (message) => view.receive(message),
      });
      const workers = view.workers();
      if (options.names) {
        addressed(workers).forEach((id) => out(harmless(id)));
      } else if (options.json) {
        workers.forEach((presence) => out(jsonLine(presence)));
      } else if (workers.length === 0) {
        err(
          `no worker has ever been seen in ${topics.group}; compare group_name and topic_prefix with those of your workers`,
        );
      } else {
        const { columns: width } = terminal.size();
        const rows = workers.map((presence) => ({
          presence,
          load: view.loads.get(presence.worker_id),
        }));
        const columns = workers.some(({ content }) => content)
          ? WORKER_COLUMNS_WITH_CONTENT
          : WORKER_COLUMNS;
        textsOf(
          table(columns, rows, { width, paint: painter(terminal) }),
          width,
        ).forEach(out);
        for (const { worker_id, content } of workers) {
          if (!content || content.problem === null) continue;
          err(`${worker_id}: playbooks from git: ${content.problem}`);
        }
      }
      return 0;
    },
  });
}
