/**
 * `ansible-worker templates`: what may be asked for by name, and of whom.
 *
 * @module
 */
import { painter } from "../client/colours.ts";
import { GroupView } from "../client/group_view.ts";
import { jsonLine } from "../client/json_view.ts";
import { nextTime, offersOf } from "../client/offers.ts";
import { table, textsOf } from "../client/table.ts";
import { TEMPLATE_COLUMNS } from "../client/tables.ts";
import { harmless } from "../harmless.ts";
import { withClient } from "./client.ts";
import type { ClientOptions } from "./client_options.ts";

/** What `templates` takes. */
export interface TemplatesOptions extends ClientOptions {
  /** Print the names alone, for completions. */
  names?: boolean;
}

/** Prints them; returns the exit code. */
export function templates(options: TemplatesOptions): Promise<number> {
  return withClient(options, {
    work: async ({ topics, terminal, out, err, connect }) => {
      const view = new GroupView(topics);
      await using _ = await connect({
        topics: [topics.allPresences],
        onMessage: (message) => view.receive(message),
      });
      const online = view.online();
      const offers = offersOf(online);
      if (options.names) {
        new Set(offers.map(({ name }) => name)).forEach((name) =>
          out(harmless(name))
        );
      } else if (options.json) {
        for (const offer of offers) {
          const next_time = nextTime(offer)?.toISOString() ?? null;
          out(jsonLine({ ...offer, next_time }));
        }
      } else if (offers.length === 0) {
        err(
          online.length === 0
            ? `no worker of ${topics.group} is online`
            : `no worker of ${topics.group} has templates`,
        );
      } else {
        const { columns: width } = terminal.size();
        textsOf(
          table(TEMPLATE_COLUMNS, offers, { width, paint: painter(terminal) }),
          width,
        ).forEach(out);
      }
      return 0;
    },
  });
}
