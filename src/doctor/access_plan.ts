/**
 * Every topic of a group, and what a worker has to be allowed to do with it.
 *
 * A topic that many share is tried under the name of nobody (see `check.ts`). A
 * topic of the worker's own is tried as such, since access rules may name it;
 * and under the name of nobody for what a worker does for others: handing tasks
 * over, and adopting.
 *
 * @module
 */
import type { Config } from "../config/mod.ts";
import type { Topics } from "../messages/topics.ts";

/** What it is for, and how bad it is without. */
export interface Right {
  /** `failed`: the worker cannot do its own work; `warning`: it cannot help. */
  readonly without: "failed" | "warning";
  /** What happens then, as a sentence. */
  readonly then: string;
}

/** One thing to try: subscribe, publish, and see whether it comes back. */
export interface Trial {
  /** What is subscribed to; left out if the worker does not read it. */
  readonly filter?: string;
  /** What is published on. */
  readonly topic: string;
  /** The QoS that the worker uses there. */
  readonly qos: 1 | 2;
  /**
   * Whether the message is one that the worker publishes retained. An empty one
   * then: it needs the same right, and nothing is kept.
   */
  readonly retain?: boolean;
  /** Why it must be readable; left out if the worker does not read it. */
  readonly read?: Right;
  /** Why it must be writable; left out if the worker does not write it. */
  readonly write?: Right;
}

/** The trials about one kind of topic. */
export interface TopicPlan {
  /** Names the check. */
  readonly id: string;
  /** The topic, for a person. */
  readonly title: string;
  /** Tried in this order. */
  readonly trials: readonly Trial[];
}

/** Marks a trial as one on a topic of the worker's own. */
type Owned = Trial & { readonly isOwn: true };

/**
 * Everything to be tried.
 *
 * @param options.nobody stands for a task and a worker that are none
 * @param options.includeOwn whether the worker's own topics may be used, too
 */
export function accessPlan(
  topics: Topics,
  options: { config: Config; nobody: string; includeOwn: boolean },
): TopicPlan[] {
  const { nobody } = options;
  const { worker } = options.config;
  const me = worker.worker_id;
  const failed = (then: string): Right => ({ without: "failed", then });
  const adopting: Right = {
    without: "warning",
    then:
      "Without it this worker cannot adopt another one that is gone: its waiting tasks wait for its return.",
  };
  const handing: Right = {
    without: "warning",
    then:
      "Without it this worker cannot hand tasks over to one that is idle: they wait here.",
  };
  const plans: { id: string; title: string; trials: (Trial | Owned)[] }[] = [
    {
      id: "tasks",
      title: topics.tasks,
      trials: [{
        // The group's own share would take tasks away from it: what the broker
        // gives to us in the moments of this trial would be lost with our
        // session. Under a share of our own we get copies, and the group gets
        // every task as if we were not there.
        filter: `$share/ansible-worker-doctor-${
          nobody.slice(-8)
        }/${topics.tasks}`,
        topic: topics.tasks,
        qos: 2,
        read: failed("Without it no task reaches this worker."),
        write: {
          without: "warning",
          then:
            "Without it this worker cannot give the group what the broker still has for one that is gone: it waits for its return.",
        },
      }],
    },
    {
      id: "everyone",
      title: topics.everyone,
      trials: [{
        filter: topics.everyone,
        topic: topics.everyone,
        qos: 2,
        read: failed("Without it the broker refuses this worker's start."),
      }],
    },
    {
      id: "task-status",
      title: topics.status("+"),
      trials: [{
        filter: topics.status(nobody),
        topic: topics.status(nobody),
        qos: 1,
        retain: true,
        read: failed("Without it workers cannot agree on who has a task."),
        write: failed("Without it nobody hears what becomes of a task."),
      }],
    },
    {
      id: "cancel",
      title: topics.allCancels,
      trials: [{
        filter: topics.allCancels,
        topic: `${topics.group}/tasks/${nobody}/cancel`,
        qos: 1,
        read: failed("Without it no task can be cancelled."),
      }],
    },
    ...(options.config.content
      ? [{
        id: "content",
        title: topics.content,
        trials: [{
          filter: topics.content,
          topic: topics.content,
          qos: 1 as const,
          read: {
            without: "warning" as const,
            then:
              "Without it this worker looks at its repository every content.refresh seconds only.",
          },
        }],
      }]
      : []),
    {
      id: "locks",
      title: topics.allLocks,
      trials: [{
        filter: topics.lock(nobody),
        topic: topics.lock(nobody),
        qos: 1,
        retain: true,
        read: failed("Without it a task that has a lock never starts here."),
        write: failed("Without it a task that has a lock never starts here."),
      }],
    },
    ...(["events", "output"] as const).filter((leaf) =>
      worker[`publish_${leaf}`]
    ).map((leaf) => ({
      id: leaf,
      title: `${topics.group}/tasks/+/${leaf}`,
      trials: [{
        topic: `${topics.group}/tasks/${nobody}/${leaf}`,
        qos: 1 as const,
        write: failed(
          `Without it worker.publish_${leaf}: true has no effect.`,
        ),
      }],
    })),
    {
      id: "presence",
      title: topics.allPresences,
      trials: [
        {
          isOwn: true,
          topic: topics.presence(me),
          qos: 1,
          write: failed("Without it the group does not know of this worker."),
        },
        {
          filter: topics.allPresences,
          topic: topics.presence(nobody),
          qos: 1,
          retain: true,
          read: failed("Without it this worker knows of no other."),
          write: adopting,
        },
      ],
    },
    {
      id: "load",
      title: topics.allLoads,
      trials: [
        {
          isOwn: true,
          topic: topics.load(me),
          qos: 1,
          write: failed("Without it no other worker hands tasks over to it."),
        },
        {
          filter: topics.allLoads,
          topic: topics.load(nobody),
          qos: 1,
          retain: true,
          read: handing,
          write: adopting,
        },
      ],
    },
    {
      id: "probe",
      title: topics.probe(me),
      trials: [{
        isOwn: true,
        filter: topics.probe(me),
        topic: topics.probe(me),
        qos: 1,
        read: failed("Without it a second worker with this id goes unnoticed."),
        write: failed(
          "Without it this worker cannot ask whether its id is free.",
        ),
      }],
    },
    {
      id: "queue",
      title: topics.records("+"),
      trials: [
        {
          isOwn: true,
          filter: topics.records(me),
          topic: topics.record(me, nobody),
          qos: 1,
          read: failed(
            "Without it this worker does not find, after a stop, what waited and ran here.",
          ),
          write: failed("Without it a task is lost when this worker is."),
        },
        {
          filter: topics.records(nobody),
          topic: topics.record(nobody, nobody),
          qos: 1,
          retain: true,
          read: adopting,
          write: adopting,
        },
      ],
    },
    {
      id: "inbox",
      title: topics.inbox("+"),
      trials: [
        {
          isOwn: true,
          filter: topics.inbox(me),
          topic: topics.inbox(me),
          qos: 2,
          read: failed("Without it no task is handed over to this worker."),
        },
        { topic: topics.inbox(nobody), qos: 2, write: handing },
      ],
    },
  ];
  return plans.map(({ trials, ...plan }) => ({
    ...plan,
    trials: trials.filter((trial) => options.includeOwn || !("isOwn" in trial)),
  }));
}
