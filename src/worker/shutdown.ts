/**
 * The way out of a worker, from the first signal on.
 *
 * It takes no more work: what waits goes to peers, and what no peer takes stays
 * in its record for the next start. It stops the work: what runs may go on
 * for `shutdown_grace`, and is ended then, or at the second signal at once. It
 * leaves when the broker has acknowledged everything, or when that takes too
 * long.
 *
 * @module
 */
import type { Config } from "../config/mod.ts";
import type { AdoptionRing } from "../group/adoption_ring.ts";
import type { HandOver } from "../group/hand_over.ts";
import type { LoadReport } from "../group/load.ts";
import type { Membership } from "../group/membership.ts";
import type { Peers } from "../group/peers.ts";
import type { Acceptance } from "../tasks/acceptance.ts";
import type { Dispatcher } from "../tasks/dispatcher.ts";
import type { Log } from "../tasks/ports.ts";
import { fulfilledWithin } from "../deadline.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Link } from "./link.ts";
import type { StopSignals } from "./signals.ts";

/** What is said when it begins. */
export const STOPPING = "stopping: no further task is started";

/** How long the last acknowledgements may take, in milliseconds. */
const LAST_WORDS_MS = 10_000;

/** How long a run may take to be gone after it was killed, in milliseconds. */
const RUN_END_MS = 3000;

/** How long peers have to take what waits here, in milliseconds. */
const HAND_OVER_MS = 5000;

/** How long what has come may hold that up, in milliseconds. */
const SETTLE_MS = 2000;

/** How long each of the last exchanges with the broker may take. */
const GOODBYE_MS = 1000;

/** The parts of a worker that have to stop. */
export interface Stopping {
  config: Config;
  log: Log;
  lifecycle: Lifecycle;
  link: Link;
  dispatcher: Dispatcher;
  membership: Membership;
  peers: Peers;
  handOver: HandOver;
  ring: AdoptionRing;
  acceptance: Acceptance;
  load: LoadReport;
}

/** Stops the work; returns when all that can be said is said. */
export async function shutDown(
  signals: StopSignals,
  parts: Stopping,
): Promise<void> {
  const { config: { worker }, dispatcher, lifecycle, link, log } = parts;
  const { membership, peers } = parts;
  log.info(STOPPING);
  lifecycle.move(lifecycle.phase === "starting" ? "stopped" : "draining");
  parts.ring[Symbol.dispose]();
  parts.load.update();

  const enough = new AbortController();
  const givenAway = membership.announce("draining").then(() =>
    giveAway(parts, enough.signal)
  );
  givenAway.catch((error) =>
    log.warn("cannot hand over what waits here", { error })
  );
  const runs = Promise.all([...dispatcher.active].map(({ ended }) => ended));
  const grace = signals.count > 1 ? 0 : worker.shutdown_grace * 1000;
  await Promise.race([runs, signals.next(grace)]);
  endActive(dispatcher, { immediately: signals.count > 1 });
  void signals.next().then(() => endActive(dispatcher, { immediately: true }));
  await fulfilledWithin(worker.kill_grace * 1000 + RUN_END_MS, runs);
  if (signals.count === 1) await fulfilledWithin(HAND_OVER_MS, givenAway);
  enough.abort();
  const acknowledged = await fulfilledWithin(
    LAST_WORDS_MS,
    dispatcher.idle().then(() => link.allAcknowledged()),
  );
  if (!acknowledged) {
    log.warn("the broker has not acknowledged all statuses in time");
  }
  // With nobody else there, the broker keeps for us what comes meanwhile.
  if (peers.online().length === 0) {
    await fulfilledWithin(GOODBYE_MS, link.takeRequests());
  }
  await fulfilledWithin(GOODBYE_MS, membership.announce("offline"));
  lifecycle.move("stopped");
  log.info("stopped");
}

function endActive(
  dispatcher: Dispatcher,
  options: { immediately: boolean },
): void {
  for (const active of dispatcher.active) {
    active.end(
      { state: "cancelled", error: "the worker was stopped" },
      options,
    );
  }
}

/** Lets the others of the group have what comes, and what waits here. */
async function giveAway(
  { acceptance, handOver, link, peers }: Stopping,
  signal: AbortSignal,
): Promise<void> {
  if (peers.online().length === 0) return;
  await link.leaveRequests();
  // What the broker refuses to let in waits for long.
  await fulfilledWithin(SETTLE_MS, acceptance.settled());
  await handOver.drain(signal);
}
