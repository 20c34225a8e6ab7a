/**
 * How a simulated worker is configured.
 *
 * @module
 */
import type { Config } from "../../src/config/mod.ts";
import { configSchema } from "../../src/config/schema.ts";
import { CRON, type PlannedSettings, SCHEDULED } from "./plan.ts";
import { KEY_FILE, KEY_ID } from "./signatures.ts";

/** `worker.topic_prefix` of all workers. */
export const PREFIX = "ansible";

/** `worker.group_name` of all workers. */
export const GROUP = "default";

/** The configuration of a worker. */
export function configOf(workerId: string, settings: PlannedSettings): Config {
  const parsed = configSchema.parse({
    mqtt: { host: "broker" },
    worker: {
      group_name: GROUP,
      worker_id: workerId,
      topic_prefix: PREFIX,
      playbook_directory: "/simulation/playbooks",
      inventory_directory: "/simulation/playbooks",
      max_concurrent_tasks: settings.slots,
      max_queue_size: settings.queueSize,
      when_full: settings.whenFull,
      publish_events: settings.events,
      shutdown_grace: 5,
    },
    ...(settings.schedule && {
      templates: {
        [SCHEDULED]: {
          playbook: "site.yml",
          inventory: "hosts.ini",
          schedule: { cron: CRON },
        },
      },
    }),
    ...(settings.signed && {
      security: { trusted_keys: [{ id: KEY_ID, file: KEY_FILE }] },
    }),
  });
  return parsed as Config;
}
