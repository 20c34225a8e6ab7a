/**
 * Playbooks of the program's own, which do what the sandbox keeps from it.
 *
 * They are run as those of requests are, by a launcher, but in the directory of
 * the program's own files, and with that directory's `ansible.cfg`: what a user
 * has configured for playbooks is not meant for them.
 *
 * @module
 */
import { dirname, join } from "node:path/posix";
import { Launcher } from "./launcher.ts";
import { whyUnusable } from "./launcher_pool.ts";
import { pythonDirectory } from "./python_files.ts";
import { RunReport } from "./report.ts";

/** What such a playbook is run with. */
export interface OwnPlaybookOptions {
  /** The whole environment of the process. */
  environment: Record<string, string>;
  /** Variables, which travel as data, by stdin. */
  variables: Record<string, unknown>;
  /** Ends it at once. */
  signal: AbortSignal;
}

/** It has failed; the message says at what, and why. */
export class OwnPlaybookError extends Error {
  override name = "OwnPlaybookError";
}

/**
 * Runs one on this host.
 *
 * @param path below the directory of the Python files
 * @returns what `set_stats` has left
 * @throws {OwnPlaybookError} it has failed, or could not be run
 */
export async function runOwnPlaybook(
  path: string,
  { environment, variables, signal }: OwnPlaybookOptions,
): Promise<Record<string, unknown>> {
  const file = join(pythonDirectory(), path);
  const directory = dirname(file);
  const report = new RunReport();
  try {
    await using launcher = new Launcher({
      playbookDirectory: directory,
      environment: {
        ...environment,
        ANSIBLE_CONFIG: join(directory, "ansible.cfg"),
      },
    });
    const stop = () => launcher.end({ immediately: true });
    signal.addEventListener("abort", stop);
    try {
      await launcher.ready;
      signal.throwIfAborted();
      const { return_code, stdout_tail, stderr_tail } = await launcher.run({
        fresh: true,
        argv: ["--inventory=localhost,", "--", file],
        inventory_programs: false,
        extra_vars: JSON.stringify(variables),
        vault_password: null,
        kill_grace: 0,
        events: false,
        output: null,
      }, {
        onEvent: (event) => void report.add(event),
        onOutput() {},
      });
      signal.throwIfAborted();
      const tails = { stdout: stdout_tail, stderr: stderr_tail };
      if (return_code !== 0) {
        throw new OwnPlaybookError(
          withoutHost(report.error(tails) ?? `it ended with ${return_code}`),
        );
      }
      return report.progress.stats?.run ?? {};
    } finally {
      signal.removeEventListener("abort", stop);
    }
  } catch (error) {
    if (error instanceof OwnPlaybookError) throw error;
    if (signal.aborted) {
      throw new OwnPlaybookError(String(signal.reason), { cause: error });
    }
    if (error instanceof Error) {
      throw new OwnPlaybookError(whyUnusable(error, { environment }), {
        cause: error,
      });
    }
    throw error;
  }
}

/** The play tasks are named for what they do: `cannot <name>: <message>`. */
function withoutHost(text: string): string {
  return text.replace(/^localhost: failed at "([^"]*)": /, "cannot $1: ")
    .replaceAll("non-zero return code: ", "");
}
