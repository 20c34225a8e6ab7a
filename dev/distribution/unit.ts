/**
 * The unit files of an archive and of the package.
 *
 * @module
 */
import { dirname } from "node:path/posix";
import { systemdUnit, webUnit } from "../../src/cli/systemd.ts";
import { configSchema } from "../../src/config/schema.ts";

/** Where the configuration is, once installed. */
export const CONFIGURATION = "/etc/ansible-worker/config.yaml";

/** Where that of the page is, which knows nothing of a worker's secrets. */
export const WEB_CONFIGURATION = "/etc/ansible-worker-web/config.yaml";

/** The unit of the page, for its program at this path. */
export function pageUnit(program: string): string {
  return webUnit({
    command: [program, "-c", WEB_CONFIGURATION],
    file: WEB_CONFIGURATION,
    denoDirectory: null,
    origin:
      "The page, a program of its own beside the workers: see docs/web.md",
    group: null,
    variables: true,
  });
}

/** The unit of several workers on one host: each has a configuration of its name. */
export function instancesUnit(program: string): string {
  return unit(program, { group: "%i" })
    .replaceAll(CONFIGURATION, `${dirname(CONFIGURATION)}/%i.yaml`)
    .replace(
      "# Where",
      "# Each with a worker.worker_id of its own. Where",
    );
}

/** The unit for a program at this path, with the limits of the defaults. */
export function unit(
  program: string,
  { group = null }: { group?: string | null } = {},
): string {
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
    group,
    // Where the package's configuration has it, and the documents.
    writes: [],
    limits: worker,
    variables: null,
  });
}
