/**
 * The environment of the runs: a few variables of the worker's, named one by
 * one, so that nothing that the configuration uses gets to a playbook.
 *
 * @module
 */

/**
 * The variables of the worker's environment that the runs get, where they are
 * set.
 */
export const RUN_VARIABLES: readonly string[] = [
  "ANSIBLE_CONFIG",
  "HOME",
  "LANG",
  "LOGNAME",
  "PATH",
  "SSH_AUTH_SOCK",
  "TMPDIR",
  "TZ",
  "USER",
];

/** Those of them that are set, with their values. */
export function runEnvironment(): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of RUN_VARIABLES) {
    const value = Deno.env.get(name);
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

/** What a service manager tells a worker that it has started (systemd.exec(5)). */
export const SERVICE_VARIABLES: readonly string[] = [
  "JOURNAL_STREAM",
  "NOTIFY_SOCKET",
  "WATCHDOG_USEC",
];
