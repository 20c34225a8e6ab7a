/**
 * The unit file of an archive and of the package.
 *
 * @module
 */
import { systemdUnit } from "../../src/cli/systemd.ts";
import { configSchema } from "../../src/config/schema.ts";

/** Where the configuration is, once installed. */
export const CONFIGURATION = "/etc/ansible-worker/config.yaml";

/** The unit for a program at this path, with the limits of the defaults. */
export function unit(program: string): string {
  const { worker } = configSchema.parse({
    mqtt: { host: "-" },
    worker: { group_name: "-", playbook_directory: "-" },
  });
  return systemdUnit({
    command: [program, "-c", CONFIGURATION],
    file: CONFIGURATION,
    denoDirectory: null,
    origin:
      "Where worker.shutdown_grace or worker.kill_grace is longer, so must be\n# TimeoutStopSec: systemctl edit ansible-worker",
    group: null,
    limits: worker,
    variables: null,
  });
}
