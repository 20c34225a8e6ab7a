/**
 * The doctor: everything that a new operator gets wrong, looked at in the order
 * in which one thing depends on another.
 *
 * @module
 */
import { accessChecks } from "./access.ts";
import { launcher, program } from "./ansible.ts";
import { features, limits, retained, sessions } from "./capabilities.ts";
import { type Check, type Known, lacks } from "./check.ts";
import { clock } from "./clock.ts";
import { content } from "./content.ts";
import { configuration, sandbox } from "./configuration.ts";
import { credentials, mqtt5, tls } from "./connection.ts";
import { home, inventories, playbooks, secrets } from "./files.ts";
import { failed, type Finding, type Outcome, skipped } from "./finding.ts";
import { identity } from "./identity.ts";
import { reachable } from "./network.ts";
import { trial } from "./trial.ts";

/**
 * Looks at everything, one thing after the other. It leaves nothing behind, and
 * a group that is at work does not notice it.
 *
 * @param file the path of the configuration
 */
export async function* examine(file: string): AsyncGenerator<Finding> {
  const known: Known = {
    file,
    nobody: `!doctor-${crypto.randomUUID().slice(0, 8)}`,
  };
  try {
    yield await find(configuration, known);
    const checks = [
      sandbox,
      reachable,
      tls,
      mqtt5,
      credentials,
      features,
      trial,
      sessions,
      limits,
      identity,
      ...accessChecks(known),
      retained,
      content,
      playbooks,
      inventories,
      secrets,
      home,
      program,
      launcher,
      clock,
    ];
    for (const check of checks) yield await find(check, known);
  } finally {
    await known.examination?.[Symbol.asyncDispose]();
  }
}

async function find(check: Check, known: Known): Promise<Finding> {
  const { id, title } = check;
  return { id, title, ...await outcome(check, known) };
}

async function outcome(check: Check, known: Known): Promise<Outcome> {
  const lacking = lacks(check, known);
  if (lacking !== null) return skipped(`needs ${lacking}`);
  try {
    return await check.run(known);
  } catch (error) {
    return failed(
      `could not be checked: ${error instanceof Error ? error.message : error}`,
      "If the network works, this is an error in the doctor itself.",
    );
  }
}
