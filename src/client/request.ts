/**
 * From what was given on the command line to a request.
 *
 * @module
 */
import { parseTaskRequest } from "../messages/task_request.ts";
import { extraVars, ExtraVarsError } from "./extra_vars.ts";
import { newTaskId } from "./task_id.ts";

/** What was given. */
export interface RequestFlags {
  template?: string;
  playbook?: string;
  /** `--inventory`, each as it was given. */
  inventory: string[];
  /** `--extra-vars`, each as it was given. */
  extraVars: string[];
  limit?: string;
  /** `--tags`, each with commas. */
  tags: string[];
  /** `--skip-tags`, each with commas. */
  skipTags: string[];
  /** How often `-v`. */
  verbosity: number;
  check?: boolean;
  diff?: boolean;
  forks?: string;
  /** `--timeout`, in seconds. */
  timeout?: string;
  /** `--revision`, a tag or a commit. */
  revision?: string;
  lock?: string;
  id?: string;
}

/** No worker would take it; the message names the options, a line each. */
export class RequestError extends Error {
  override name = "RequestError";
}

/** The option that gives a field. */
const OPTIONS: Record<string, string> = {
  task_id: "--id",
  template: "--template",
  playbook: "PLAYBOOK",
  inventory: "--inventory",
  extra_vars: "--extra-vars",
  limit: "--limit",
  tags: "--tags",
  skip_tags: "--skip-tags",
  verbosity: "-v",
  forks: "--forks",
  timeout: "--timeout",
  revision: "--revision",
  lock: "--lock",
};

/**
 * The request.
 *
 * @returns its id, and its JSON
 * @throws {RequestError} with everything that no worker would take
 */
export async function requestOf(
  flags: RequestFlags,
): Promise<{ taskId: string; payload: string }> {
  let variables;
  try {
    variables = await extraVars(flags.extraVars);
  } catch (error) {
    if (!(error instanceof ExtraVarsError)) throw error;
    throw new RequestError(`--extra-vars: ${error.message}`);
  }
  const taskId = flags.id ?? newTaskId();
  const request = {
    // First, so that it is in the excerpt of a request that is not read.
    task_id: taskId,
    template: flags.template,
    playbook: flags.playbook,
    // One as a text, none as a field that is missing.
    inventory: flags.inventory.length > 1
      ? flags.inventory
      : flags.inventory[0],
    extra_vars: variables,
    limit: flags.limit,
    tags: list(flags.tags),
    skip_tags: list(flags.skipTags),
    verbosity: flags.verbosity || undefined,
    check_mode: flags.check,
    diff_mode: flags.diff,
    forks: number(flags.forks, "--forks"),
    timeout: number(flags.timeout, "--timeout"),
    revision: flags.revision,
    lock: flags.lock,
  };
  const payload = JSON.stringify(request);
  const parsed = parseTaskRequest(new TextEncoder().encode(payload));
  if (parsed.ok) return { taskId, payload };
  throw new RequestError(
    parsed.errors.map(({ path, message }) => {
      const [field, ...rest] = path.split(".");
      const option = OPTIONS[field!];
      if (option === undefined) return `the request ${message}`;
      if (field === "playbook" && flags.playbook === undefined) {
        return `PLAYBOOK: ${message}, or --template or --retry in its place`;
      }
      return `${option}: ${
        // The place in a list says little of a list in one word.
        field === "extra_vars" && rest.length > 0
          ? `${rest.join(".")} `
          : ""}${message}`;
    }).join("\n"),
  );
}

function list(given: string[]): string[] | undefined {
  if (given.length === 0) return undefined;
  return given.flatMap((text) => text.split(",")).map((text) => text.trim());
}

/** @throws {RequestError} it is no number */
function number(
  given: string | undefined,
  option: string,
): number | undefined {
  if (given === undefined) return undefined;
  if (!/^\d+(\.\d+)?$/.test(given)) {
    throw new RequestError(`${option}: must be a number`);
  }
  return Number(given);
}
