/**
 * The metrics of one worker, for Prometheus.
 *
 * Counters and histograms are told what happens; gauges are read from the
 * worker when somebody asks. No label takes its values from a message, so that
 * their number is fixed: every series is there, with 0, from the start.
 *
 * @module
 */
import type { LauncherObserver, Replacement } from "../ansible/mod.ts";
import { type Rejected, rejectedSchema } from "../messages/rejected.ts";
import { TASK_STATES } from "../messages/task_status.ts";
import type { TaskObserver } from "../tasks/observer.ts";
import { isFinal } from "../tasks/states.ts";
import type { Task } from "../tasks/task.ts";
import {
  Counter,
  Gauge,
  Histogram,
  type Labels,
  Registry,
} from "./exposition.ts";
import { unhealthyReason } from "./health.ts";
import type { Answer } from "./listener.ts";
import {
  type Connection,
  CONNECTIONS,
  type Readings,
  STANDINGS,
} from "./readings.ts";

/** Upper bounds in seconds: from a start at once to a wait of hours. */
const WAIT_BUCKETS = [
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  5,
  15,
  60,
  300,
  900,
  3600,
  14400,
];

/** From a playbook with one task to the longest time limit that is usual. */
const RUN_BUCKETS = [
  0.5,
  1,
  2.5,
  5,
  10,
  30,
  60,
  120,
  300,
  600,
  1800,
  3600,
  14400,
];

/** Importing Ansible takes half a second, and minutes on a starved host. */
const START_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const REPLACEMENTS: readonly Replacement[] = [
  "changed",
  "used_up",
  "died",
  "died_running",
];

/** The metrics of one worker. */
export class Metrics implements TaskObserver, LauncherObserver {
  readonly #registry = new Registry();
  readonly #ended: Counter;
  readonly #refused: Counter;
  readonly #rejected: Counter;
  readonly #leftBehind: Counter;
  readonly #handedOver: Counter;
  readonly #adopted: Counter;
  readonly #wait: Histogram;
  readonly #run: Histogram;
  readonly #launcherStart: Histogram;
  readonly #launcherRestarts: Counter;
  readonly #reconnects: Counter;

  /**
   * With nothing counted yet.
   *
   * @param options.read the worker's readings at this moment
   */
  constructor(options: { version: string; read(): Readings }) {
    this.#ended = this.#counter(
      "tasks_ended_total",
      "Tasks whose final status this worker has published.",
      { state: TASK_STATES.filter(isFinal) },
    );
    this.#refused = this.#counter(
      "tasks_refused_total",
      "Of the failed tasks, those that were refused and never queued here.",
    );
    this.#leftBehind = this.#counter(
      "tasks_left_behind_total",
      "Of the failed tasks, those that a worker was running when it stopped.",
    );
    this.#handedOver = this.#counter(
      "tasks_handed_over_total",
      "Tasks that another worker of the group has taken from this one.",
    );
    this.#adopted = this.#counter(
      "workers_adopted_total",
      "Workers that were gone, whose tasks this one has taken over.",
    );
    this.#rejected = this.#counter(
      "messages_rejected_total",
      "Messages that were discarded; there is no status for them.",
      { reason: rejectedSchema.shape.reason.options },
    );
    this.#reconnects = this.#counter(
      "reconnects_total",
      "Connections to the broker that were lost and came back.",
      { connection: CONNECTIONS },
    );
    this.#launcherRestarts = this.#counter(
      "launcher_restarts_total",
      "Launchers that were replaced, and why.",
      { reason: REPLACEMENTS },
    );
    this.#wait = this.#histogram(
      "task_wait_seconds",
      "Time from the queue of the group's first worker to the start.",
      WAIT_BUCKETS,
    );
    this.#run = this.#histogram(
      "task_run_seconds",
      "Time from the start of a task to its end.",
      RUN_BUCKETS,
    );
    this.#launcherStart = this.#histogram(
      "launcher_start_seconds",
      "Time that a launcher for playbooks took to be ready.",
      START_BUCKETS,
    );
    this.#gauges(options);
  }

  /** Everything, in the text format of Prometheus. */
  page(): Answer {
    return {
      status: 200,
      type: this.#registry.contentType,
      text: this.#registry.text(),
    };
  }

  /** See `TaskObserver`. */
  started({ waitSeconds }: Task): void {
    this.#wait.observe(waitSeconds ?? 0);
  }

  /** See `TaskObserver`. */
  ended({ state, durationSeconds }: Task): void {
    this.#ended.inc({ state });
    if (durationSeconds !== null) this.#run.observe(durationSeconds);
  }

  /** See `TaskObserver`. */
  refused(): void {
    this.#refused.inc();
  }

  /** See `TaskObserver`. */
  rejected(reason: Rejected["reason"]): void {
    this.#rejected.inc({ reason });
  }

  /** See `GroupObserver`. */
  handedOver(): void {
    this.#handedOver.inc();
  }

  /** See `GroupObserver`. */
  adopted(): void {
    this.#adopted.inc();
  }

  /** See `GroupObserver`. */
  leftBehind(): void {
    this.#leftBehind.inc();
    this.#ended.inc({ state: "failed" });
  }

  /** See `LauncherObserver`. */
  launcherStarted(took: number): void {
    this.#launcherStart.observe(took);
  }

  /** See `LauncherObserver`. */
  launcherReplaced(reason: Replacement): void {
    this.#launcherRestarts.inc({ reason });
  }

  /** A connection that was lost is ready again. */
  reconnected(connection: Connection): void {
    this.#reconnects.inc({ connection });
  }

  #gauges({ version, read }: { version: string; read(): Readings }): void {
    const figures: [string, string, (now: Readings) => number][] = [
      ["slots", "Tasks that may run at once.", (now) => now.slots],
      ["free_slots", "Slots that no task is in.", (now) => now.freeSlots],
      ["tasks_running", "Tasks in slots.", (now) => now.running],
      ["tasks_queued", "Tasks that wait for a slot.", (now) => now.queued],
      [
        "unanswered_deliveries",
        "Messages received that are not answered yet; with when_full: wait, also those that do not fit.",
        (now) => now.unanswered,
      ],
      [
        "publish_queue_topics",
        "Topics on which something is still to be acknowledged by the broker.",
        (now) => now.publishQueue,
      ],
      [
        "healthy",
        "1 while this worker can take a task, as /health says it.",
        (now) => unhealthyReason(now) === null ? 1 : 0,
      ],
    ];
    for (const [name, help, figure] of figures) {
      this.#gauge(name, help, () => [[{}, figure(read())]]);
    }
    this.#gauge(
      "presence",
      "1 for what this worker is to its group at the moment.",
      () => {
        const { standing } = read();
        return STANDINGS.map((state) => [
          { state },
          state === standing ? 1 : 0,
        ]);
      },
    );
    this.#gauge(
      "connected",
      "1 for a connection to the broker that is ready.",
      () => {
        const { connected } = read();
        return CONNECTIONS.map((connection) => [
          { connection },
          connected[connection] ? 1 : 0,
        ]);
      },
    );
    this.#gauge(
      "content_info",
      "Always 1; the labels name the commit that is in use, where playbooks come from git, and what is looked at.",
      () => {
        const { content } = read();
        if (!content) return [];
        const { revision, ref } = content;
        return [[{ revision, ref }, 1]];
      },
    );
    this.#gauge(
      "content_problem",
      "1 while the latest look at the repository had a problem, and what was in use stays in use.",
      () => {
        const { content } = read();
        return content ? [[{}, content.problem === null ? 0 : 1]] : [];
      },
    );
    this.#gauge(
      "content_since_timestamp_seconds",
      "Since when the commit has been in use, in seconds since 1970.",
      () => {
        const { content } = read();
        return content ? [[{}, new Date(content.since).getTime() / 1000]] : [];
      },
    );
    this.#gauge(
      "build_info",
      "Always 1; the labels name the versions of this worker.",
      () => [[{ version, ansible_version: read().ansibleVersion }, 1]],
    );
  }

  #counter(
    name: string,
    help: string,
    labels?: Record<string, readonly string[]>,
  ): Counter {
    const series = labels &&
      Object.entries(labels).flatMap(([label, values]) =>
        values.map((value) => ({ [label]: value }))
      );
    return this.#registry.add(
      new Counter({ name: named(name), help, ...(series && { series }) }),
    );
  }

  #histogram(name: string, help: string, bounds: number[]): Histogram {
    return this.#registry.add(
      new Histogram({ name: named(name), help, bounds }),
    );
  }

  #gauge(name: string, help: string, read: () => [Labels, number][]): void {
    this.#registry.add(new Gauge({ name: named(name), help, read }));
  }
}

function named(name: string): string {
  return `ansible_worker_${name}`;
}
