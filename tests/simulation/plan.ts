/**
 * What is to happen in one run, before it does: which tasks there are, who sends
 * what and when, and what goes wrong.
 *
 * A plan is data. It is drawn from a seed, but a run is repeated from the plan:
 * whoever changes how plans are drawn changes what every seed means, and no plan
 * that was kept.
 *
 * @module
 */
import type { Step } from "../../src/worker/worker.ts";
import type { ProfileName } from "./profiles.ts";
import { Random } from "./random.ts";

/** A task, as somebody will ask for it. */
export interface PlannedTask {
  /** Its id. */
  id: string;
  /** How long its run takes, in seconds. */
  seconds: number;
  /** What comes of it, if nobody ends it before. */
  outcome: "success" | "failed" | "refused";
  /** Its lock; left out for none. */
  lock?: string;
  /** The one worker that it is for, or `everyone`; left out for the group. */
  to?: string;
}

/** How long all runs of a plan take, one after the other, in milliseconds. */
export function runMsOf(
  { tasks, workers }: { tasks: PlannedTask[]; workers: readonly string[] },
): number {
  return tasks.reduce(
    (sum, { seconds, to }) =>
      sum + 1000 * seconds * (to === "everyone" ? workers.length : 1),
    0,
  );
}

/** The name of what is run by itself. */
export const SCHEDULED = "regular";

/** When it is run: each 10 s of the first minute. */
export const CRON = "*/10 0 0 1 1 *";

/** Those times, in milliseconds, but the first: nobody is there yet. */
export const SCHEDULED_MS = [10_000, 20_000, 30_000, 40_000, 50_000];

/** What is planned of a task, a worker's part of one, or a scheduled one. */
export function plannedOf(
  tasks: ReadonlyMap<string, PlannedTask>,
  id: string,
): PlannedTask {
  return tasks.get(id) ?? tasks.get(id.replace(/@[^@]*$/, "")) ??
    { id, seconds: 0.5, outcome: "success" };
}

/** A step after which a worker can be killed. */
export type PlannedStep = Step;

/** Something that happens; `at` is in milliseconds. */
export type Happening =
  & { at: number }
  & (
    | { what: "request"; task: string; qos: 0 | 1 | 2; expirySeconds?: number }
    | { what: "cancel"; task: string }
    /** `back`: its next process starts so many milliseconds later; null: never. */
    | { what: "kill"; worker: string; silently: boolean; back: number | null }
    | {
      what: "kill after a step";
      worker: string;
      step: PlannedStep;
      back: number | null;
    }
    /** The first signal, and a second one so many milliseconds later. */
    | {
      what: "stop";
      worker: string;
      again: number | null;
      back: number | null;
    }
    | {
      what: "cut";
      worker: string;
      connection: "intake" | "control" | "both";
      /** No connection can be made for so many milliseconds. */
      brokenFor: number;
    }
    | {
      what: "slow";
      worker: string;
      delay: [number, number];
      /** Nothing arrives at first for so many milliseconds. */
      blockedFor: number;
      lasts: number;
    }
    /**
     * `forgets`: it is killed, and has lost what so many milliseconds brought;
     * `workers`: all of them are killed with it, and back so much later.
     */
    | {
      what: "restart";
      down: number;
      forgets: number | null;
      workers?: number;
    }
    | { what: "reload"; worker: string }
  );

/** How the workers of a run are configured. */
export interface PlannedSettings {
  /** `worker.max_concurrent_tasks`. */
  slots: number;
  /** `worker.max_queue_size`. */
  queueSize: number;
  /** `worker.when_full`. */
  whenFull: "reject" | "wait";
  /** `worker.publish_events`. */
  events: boolean;
  /** Whether requests and cancels are signed, and have to be. */
  signed: boolean;
  /** Of what arrives, so much arrives in pieces. */
  pieces: number;
  /** Whether something is run by a schedule; not, if left out. */
  schedule?: boolean;
}

/** A plan. */
export interface Plan {
  /** Of the network's, the broker's and the workers' random numbers. */
  seed: number;
  /** What the broker is like. */
  profile: ProfileName;
  /** The workers' ids. */
  workers: string[];
  /** Their configuration. */
  settings: PlannedSettings;
  /** The tasks. */
  tasks: PlannedTask[];
  /** What happens. */
  happenings: Happening[];
  /**
   * How far each worker is from the broker: the longest delay of a packet, in
   * milliseconds. Whoever is left out is near.
   */
  distances?: Record<string, number>;
  /**
   * How often each worker asks the broker for one message at once when it
   * measures how late it is (`Timing`); as often as elsewhere, if left out.
   */
  looksAtOnce?: number;
}

/** What of a plan a profile of brokers decides. */
export interface Leanings {
  /** The QoS at which requests are sent; QoS 2 if left out. */
  requestQos?: (0 | 1 | 2)[];
  /** How the broker restarts; never, if left out. Of a power cut there is one
   * worker: what the broker has forgotten no other one can know. */
  restarts?: "in order" | "forgetting" | "power cut";
  /** Connections become slow, or stand still. */
  slow?: boolean;
  /**
   * Messages cross: workers are at different distances from the broker, queues
   * are short, so that tasks are handed over as soon as they are taken, and many
   * requests are sent again soon.
   */
  crossing?: boolean;
  /** Workers that live may be cut off until the group gives up on them. */
  longCuts?: boolean;
  /** Many requests expire, some of them while their worker is away. */
  expiries?: boolean;
  /** No worker dies or stops: what the broker forgets, its workers know. */
  lasting?: boolean;
}

/**
 * The distances of workers whose messages cross: in the same room, in another
 * town, and on the far side of the world.
 */
const DISTANCES_MS = [3, 60, 300];

/**
 * In most plans of a broker that is never late, its workers are soon done with
 * measuring that: it would be more than half of all packets.
 */
const FEW_LOOKS = 3;

/** When the first request is sent: all workers are ready by then. */
const BEGIN_MS = 3000;

const STEPS: PlannedStep[] = [
  "recorded",
  "queued",
  "answered",
  "running",
  "started",
  "ended",
  "published",
  "offered",
  "taken",
  "marked",
  "taken_over",
  "connected",
  "moved",
  "closed",
];

/** Draws a plan. */
export function drawPlan(
  seed: number,
  { profile, isLate, leanings = {}, workers = 3, tasks = 30 }: {
    profile: ProfileName;
    /** Whether the broker is late with some messages. */
    isLate: boolean;
    leanings?: Leanings;
    workers?: number;
    tasks?: number;
  },
): Plan {
  const random = new Random(seed, "plan");
  const length = leanings.restarts === "power cut" ? 1 : workers;
  const ids = Array.from({ length }, (_, i) => `w${i + 1}`);
  const planned = Array.from(
    { length: tasks },
    (_, i): PlannedTask => ({
      id: `t${String(i + 1).padStart(2, "0")}`,
      seconds: random.chance(0.8)
        ? random.between(0.05, 1.5)
        : random.between(1, 12),
      outcome: random.chance(0.85)
        ? "success"
        : random.chance(0.7)
        ? "failed"
        : "refused",
    }),
  );
  lockSome(planned, {
    random: new Random(seed, "locks"),
    lasting: leanings.longCuts ?? false,
  });
  addressSome(planned, { random: new Random(seed, "addressees"), ids });
  const settings: PlannedSettings = {
    slots: random.whole(1, 3),
    queueSize: random.chance(0.5) && !leanings.crossing
      ? 100
      : random.whole(1, leanings.crossing ? 3 : 8),
    whenFull: random.chance(0.7) ? "reject" : "wait",
    events: random.chance(0.1),
    signed: random.chance(0.05),
    pieces: random.chance(0.3) ? 0.3 : 0,
    schedule: new Random(seed, "schedule").chance(0.3),
  };
  // Bursts fill queues; what trickles in does not.
  const span = tasks * random.pick([20, 150, 500]);
  const when = () => BEGIN_MS + random.next() * span;
  const faults = drawFaults(random, { ids, when, leanings });
  // By two at the same moment, or by somebody who is impatient, in milliseconds.
  const again = leanings.crossing ? [800] : [20, 8000];
  const happenings: Happening[] = [];
  for (const { id } of planned) {
    const at = when();
    const request = (at: number): Happening => ({
      at,
      what: "request",
      task: id,
      qos: random.pick(leanings.requestQos ?? [2]),
      ...(random.chance(leanings.expiries ? 0.3 : 0.08) &&
        { expirySeconds: random.whole(1, 20) }),
    });
    happenings.push(request(at));
    if (random.chance(leanings.crossing ? 0.6 : 0.2)) {
      happenings.push(request(at + random.between(0, random.pick(again))));
    }
    if (random.chance(0.08)) {
      happenings.push({
        at: Math.max(0, at + random.between(-200, 3000)),
        what: "cancel",
        task: id,
      });
    }
  }
  happenings.push(...faults);
  happenings.sort((a, b) => a.at - b.at);
  return {
    seed,
    profile,
    workers: ids,
    settings,
    tasks: planned,
    happenings,
    ...(!isLate && new Random(seed, "looks").chance(0.9) &&
      { looksAtOnce: FEW_LOOKS }),
    ...(leanings.crossing && {
      distances: drawDistances(new Random(seed, "distances"), ids),
    }),
  };
}

/**
 * In half of all plans there are locks; few of them, so that tasks wait. Some of
 * the runs last for longer than the group waits for a worker that is cut off.
 */
function lockSome(
  tasks: PlannedTask[],
  { random, lasting }: { random: Random; lasting: boolean },
): void {
  if (random.chance(0.5)) return;
  const locks = random.whole(1, 4);
  for (const task of tasks) {
    if (!random.chance(0.5)) continue;
    task.lock = `lock${random.whole(1, locks)}`;
    if (lasting && random.chance(0.15)) task.seconds = random.between(30, 90);
  }
}

/** In a third of all plans some tasks are for one worker, or for everyone. */
function addressSome(
  tasks: PlannedTask[],
  { random, ids }: { random: Random; ids: readonly string[] },
): void {
  if (!random.chance(0.35)) return;
  for (const task of tasks) {
    if (!random.chance(0.2)) continue;
    task.to = random.chance(0.5) ? "everyone" : random.pick([...ids]);
  }
}

function drawDistances(
  random: Random,
  ids: readonly string[],
): Record<string, number> {
  return Object.fromEntries(
    random.shuffled(ids).map((id, i) => [
      id,
      DISTANCES_MS[i % DISTANCES_MS.length]!,
    ]),
  );
}

function drawFaults(
  random: Random,
  { ids, when, leanings }: {
    ids: string[];
    when(): number;
    leanings: Leanings;
  },
): Happening[] {
  const faults: Happening[] = [];
  // Somebody has to be there at the end.
  let mayLeave = ids.length - 1;
  const back = () => {
    if (random.chance(0.55)) return random.between(300, 8000);
    // The group gives up on it after 40 s, and has adopted it some time later.
    if (random.chance(0.6) || mayLeave === 0) {
      return random.between(30_000, 70_000);
    }
    mayLeave--;
    return null;
  };
  const faultsOf: Record<string, () => Happening> = {
    kill: () => ({
      at: when(),
      what: "kill",
      worker: random.pick(ids),
      silently: random.chance(0.2),
      back: back(),
    }),
    step: () => ({
      at: when(),
      what: "kill after a step",
      worker: random.pick(ids),
      step: random.pick(STEPS),
      back: back(),
    }),
    cut: () => ({
      at: when(),
      what: "cut",
      worker: random.pick(ids),
      connection: random.pick(["intake", "control", "both"]),
      brokenFor: !leanings.lasting &&
          random.chance(leanings.longCuts ? 0.5 : 0.3)
        ? random.between(3000, 60_000)
        : random.between(0, 3000),
    }),
    slow: () => ({
      at: when(),
      what: "slow",
      worker: random.pick(ids),
      delay: [random.between(1, 50), random.between(50, 2000)],
      blockedFor: random.chance(0.3) ? random.between(0, 120_000) : 0,
      lasts: random.between(1000, 30_000),
    }),
    stop: () => ({
      at: when(),
      what: "stop",
      worker: random.pick(ids),
      again: random.chance(0.3) ? random.between(10, 5000) : null,
      back: back(),
    }),
    reload: () => ({ at: when(), what: "reload", worker: random.pick(ids) }),
  };
  const kinds = leanings.lasting
    ? ["cut"]
    : ["kill", "kill", "step", "step", "cut", "cut", "stop"];
  if (leanings.slow) kinds.push("slow", "slow");
  const count = random.chance(0.15) ? 0 : random.whole(1, 5);
  for (let i = 0; i < count; i++) faults.push(faultsOf[random.pick(kinds)]!());
  if (random.chance(0.1)) faults.push(faultsOf.reload!());
  const { restarts } = leanings;
  if (restarts) {
    faults.push({
      at: when(),
      what: "restart",
      down: random.between(10, 5000),
      forgets: restarts === "in order" ? null : random.between(0, 5000),
      ...(restarts === "power cut" && { workers: random.between(0, 8000) }),
    });
  }
  return faults;
}
