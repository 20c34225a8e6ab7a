/**
 * One worker, from its configuration to its exit code.
 *
 * @module
 */
import { AnsibleUnusableError, JournalError } from "../ansible/mod.ts";
import type { Config } from "../config/mod.ts";
import { IdInUseError } from "../group/membership.ts";
import type { Log } from "../log.ts";
import { ConnectionLostError } from "../messages/packets.ts";
import { BrokerUnsuitableError } from "../mqtt/mod.ts";
import { assemble, type Parts, type Step } from "./assemble.ts";
import { AddressUnavailableError } from "./observers.ts";
import { type GivenParts, preflight, type Ready } from "./preflight.ts";
import { shutDown, STOPPING } from "./shutdown.ts";
import { Signals, type StopSignals } from "./signals.ts";
import { TIMING, type Timing } from "./timing.ts";

export type { Step } from "./assemble.ts";

/** What the worker needs beside its configuration. */
export interface WorkerOptions {
  log: Log;
  /** Files with secrets in them, which no request may name. */
  secretFiles: readonly string[];
  /** Reads the configuration again, for SIGHUP; rejects if it is not valid. */
  reload(): Promise<Config>;
  /** Called after each step of starting, handing over and adopting a task. */
  onStep?(step: Step): void;
  /** What is other than with all workers, for a group of a test. */
  timing?: Partial<Timing>;
  /** Parts that are given from outside, instead of this host's own. */
  parts?: GivenParts;
}

/**
 * Runs a worker until a signal stops it.
 *
 * @returns the exit code of the process: 0 after a signal, 1 if it could not
 * start or its id is another worker's
 * @throws {ConfigError} a file that the configuration names cannot be read
 */
export async function runWorker(
  config: Config,
  { log, secretFiles, reload, onStep, timing, parts: given = {} }:
    WorkerOptions,
): Promise<number> {
  await using stack = new AsyncDisposableStack();
  try {
    const signals = given.signals ?? stack.use(new Signals());
    const ready = await preflight(config, {
      log,
      reload,
      secretFiles,
      signals,
      given,
      stack,
    });
    if (ready === null) return 0;
    const parts = assemble(ready, {
      log,
      onStep,
      timing: { ...TIMING, ...timing },
      stack,
    });
    ready.observers.read = parts.readings;
    return await work(parts, { manager: ready.manager, signals });
  } catch (error) {
    if (
      error instanceof AddressUnavailableError ||
      error instanceof AnsibleUnusableError ||
      error instanceof BrokerUnsuitableError ||
      error instanceof IdInUseError || error instanceof JournalError
    ) {
      log.error(error.message);
      return 1;
    }
    throw error;
  }
}

/** Works until a signal, or until it cannot go on. */
async function work(
  parts: Parts,
  { manager, signals }: Pick<Ready, "manager"> & { signals: StopSignals },
): Promise<number> {
  const { dispatcher, lifecycle, link } = parts;
  const stopped = signals.next();
  const connecting = link.connect();
  connecting.catch(() => {});
  begin(parts).catch((error) => lifecycle.fail(error));
  try {
    // A broker that cannot serve us stops the start, and only the start.
    await Promise.race([connecting, stopped, lifecycle.failed]);
    if (signals.count === 0) await Promise.race([stopped, lifecycle.failed]);
    manager.stopping(STOPPING);
    await shutDown(signals, parts);
    return 0;
  } catch (error) {
    lifecycle.move("stopped");
    for (const active of dispatcher.active) active.abandon();
    throw error;
  }
}

/** From the first connection to work: what was left behind, then what has come. */
async function begin({ lifecycle, recovery }: Parts): Promise<void> {
  do {
    await lifecycle.untilBoth();
    await recovery.recover().catch((error) => {
      if (!(error instanceof ConnectionLostError)) throw error;
    });
  } while (lifecycle.link !== "both");
  if (lifecycle.phase !== "starting") return;
  lifecycle.move("working");
}
