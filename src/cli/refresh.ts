/**
 * `ansible-worker refresh`: has workers look at their repositories now.
 *
 * @module
 */
import { GroupView } from "../client/group_view.ts";
import { jsonLine } from "../client/json_view.ts";
import { withClient } from "./client.ts";
import type { ClientOptions } from "./client_options.ts";

/** Asks them; returns the exit code. */
export function refresh(options: ClientOptions): Promise<number> {
  return withClient(options, {
    work: async ({ topics, out, err, connect }) => {
      const view = new GroupView(topics);
      await using connection = await connect({
        topics: [topics.allPresences],
        onMessage: (message) => view.receive(message),
      });
      await connection.publish({ topic: topics.content, payload: "", qos: 1 });
      const asked = view.workers().filter(({ content }) => content);
      if (asked.length === 0) {
        err(
          `no worker that is online in ${topics.group} has its playbooks from git`,
        );
      }
      for (const presence of asked) {
        const { worker_id, content } = presence;
        out(
          options.json
            ? jsonLine(presence)
            : `${worker_id} looks; it uses ${content!.revision} of ${
              content!.ref
            }`,
        );
      }
      return 0;
    },
  });
}
