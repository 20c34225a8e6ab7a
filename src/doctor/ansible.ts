/**
 * Ansible: whether it is there, and becomes a launcher.
 *
 * @module
 */
import { Ansible, AnsibleUnusableError } from "../ansible/mod.ts";
import { findProgram, runEnvironment } from "../config/mod.ts";
import { defineCheck } from "./check.ts";
import { failed, ok, warning } from "./finding.ts";

/** The first ansible-core that the worker is made for. */
const MIN_VERSION = [2, 14] as const;

/** A launcher that takes longer than this is worth a word, in milliseconds. */
const SLOW_MS = 5000;

const QUIET = { debug() {}, warn() {} };

/** Whether there is an ansible-playbook that the worker can use. */
export const program = defineCheck({
  id: "ansible",
  title: "ansible-playbook",
  needs: ["loaded", "directories", "playbooks"],
  async run(known) {
    const { directories } = known;
    const { ansible: secrets, policy, worker } = known.loaded.config;
    const environment = { ...runEnvironment(), ...secrets.environment };
    const started = performance.now();
    let version: string;
    let said: string;
    try {
      await using ansible = await Ansible.start({
        ...directories,
        slots: 1,
        killGraceSeconds: worker.kill_grace,
        environment,
        policy: () => policy,
        secrets,
        secretFiles: [],
        log: QUIET,
      });
      known.launcherMs = performance.now() - started;
      ({ version, said } = ansible);
    } catch (error) {
      if (!(error instanceof AnsibleUnusableError)) throw error;
      const { cause } = error;
      if (cause instanceof Deno.errors.NotFound) {
        return failed(
          `not found: there is no ansible-playbook in PATH (${
            environment.PATH ?? "not set"
          })`,
          "Install ansible-core 2.14 or later, or put its directory into the PATH of the worker's user.",
        );
      }
      if (cause instanceof Deno.errors.NotCapable) {
        return failed(
          "Deno's sandbox does not allow ansible-playbook to be run",
          "Start the worker with --allow-run=ansible-playbook.",
        );
      }
      return failed(
        error.message,
        'Does "ansible-playbook --version" work for the worker\'s user, in the playbook directory?',
      );
    }
    const path = await findProgram(environment.PATH ?? "");
    const found = `ansible-core ${version}${path ? `, ${path}` : ""}`;
    if (!isSupported(version)) {
      return failed(
        `too old: ${found}`,
        `Install ansible-core ${MIN_VERSION.join(".")} or later.`,
      );
    }
    return said === "" ? ok(found) : warning(
      `says at its start: ${said}`,
      `This is what ${found} prints in the playbook directory, by hand too.`,
    );
  },
});

/** How fast a launcher is ready. */
export const launcher = defineCheck({
  id: "launcher",
  title: "launcher",
  needs: ["launcherMs"],
  run({ launcherMs }) {
    const found = `ready in ${(launcherMs / 1000).toFixed(2)} s`;
    return launcherMs < SLOW_MS ? ok(found) : warning(
      `slow: ${found}`,
      "Tasks do not wait for it, except the first after a start. Is this host busy, or does Python have to compile Ansible each time (no .pyc files)?",
    );
  },
});

/** Whether a version, such as `2.14.18` or `2.19.0rc1`, is new enough. */
export function isSupported(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map((part) =>
    parseInt(part)
  );
  return major > MIN_VERSION[0] ||
    major === MIN_VERSION[0] && minor >= MIN_VERSION[1];
}
