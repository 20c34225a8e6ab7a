/**
 * Who writes and who reads which topic, for the AsyncAPI document.
 *
 * @module
 */
import type { ChannelName } from "./channels.ts";

/** What a role does with a topic. */
export interface Operation {
  channel: ChannelName;
  /** Of what is published, or of the subscription. */
  qos: 1 | 2;
  /** Whether the broker keeps what is published; it does not, if left out. */
  retain?: boolean;
  /** Where the answer comes, if the requester wants one. */
  reply?: ChannelName;
  /** What for. */
  summary: string;
}

/** What a role does, by names that begin after the role's own. */
export type Roles = Record<string, Record<string, Operation>>;

/** What each role writes. */
export const SENDS: Roles = {
  controller: {
    SubmitsTask: {
      channel: "tasks",
      qos: 2,
      reply: "responses",
      summary: "Has a playbook run.",
    },
    AsksForLook: {
      channel: "content",
      qos: 1,
      summary: "Has all workers look at their repositories at once.",
    },
    AsksEveryone: {
      channel: "everyone",
      qos: 2,
      reply: "responses",
      summary: "Has a playbook run by each worker of the group.",
    },
    AsksOne: {
      channel: "inbox",
      qos: 2,
      reply: "responses",
      summary: "Has a playbook run by this worker, and by no other.",
    },
    CancelsTask: {
      channel: "cancel",
      qos: 1,
      summary: "Has a task ended, wherever in the group it is.",
    },
  },
  worker: {
    PublishesStatus: {
      channel: "status",
      qos: 1,
      retain: true,
      summary:
        "Says where a task stands; the broker keeps a final status for worker.status_retention seconds.",
    },
    PublishesEvents: {
      channel: "events",
      qos: 1,
      summary: "Says what a run does, with worker.publish_events.",
    },
    PublishesOutput: {
      channel: "output",
      qos: 1,
      summary: "Says what a run prints, with worker.publish_output.",
    },
    ReportsRejected: {
      channel: "rejected",
      qos: 1,
      summary: "Says that it has discarded a message, and why.",
    },
    Responds: {
      channel: "responses",
      qos: 1,
      summary: "Answers a request where the requester wants the answer.",
    },
    PublishesPresence: {
      channel: "presence",
      qos: 1,
      retain: true,
      summary: "Says that it is there, or leaves.",
    },
    PublishesLoad: {
      channel: "load",
      qos: 1,
      retain: true,
      summary: "Says what it has to do.",
    },
    KeepsRecord: {
      channel: "record",
      qos: 1,
      retain: true,
      summary: "Keeps the request of a task until its end.",
    },
    TakesLock: {
      channel: "lock",
      qos: 1,
      retain: true,
      summary: "Takes the lock of a task before its run, and gives it back.",
    },
    ProbesId: {
      channel: "probe",
      qos: 1,
      summary: "Asks whether its id is in use, before it connects under it.",
    },
    HandsOver: {
      channel: "inbox",
      qos: 2,
      summary: "Hands a waiting task to a worker that has room.",
    },
    AsksForDue: {
      channel: "tasks",
      qos: 2,
      summary:
        "Asks for a template whose time has come, as every worker that has it does, with the same id.",
    },
    GivesBack: {
      channel: "tasks",
      qos: 2,
      summary:
        "Gives what the broker has for a worker that is lost to the group.",
    },
  },
};

/** What each role reads. */
export const RECEIVES: Roles = {
  controller: {
    WatchesStatus: {
      channel: "status",
      qos: 1,
      summary: "Follows a task, or all of them.",
    },
    WatchesEvents: {
      channel: "events",
      qos: 1,
      summary: "Follows what a run does.",
    },
    WatchesOutput: {
      channel: "output",
      qos: 1,
      summary: "Follows what a run prints.",
    },
    WatchesRejected: {
      channel: "rejected",
      qos: 1,
      summary: "Learns of messages that were discarded.",
    },
    GetsResponse: {
      channel: "responses",
      qos: 1,
      summary:
        "Follows the tasks that it has asked for, on a topic of its own.",
    },
    WatchesLocks: {
      channel: "lock",
      qos: 1,
      summary: "Knows which task another one waits for.",
    },
    WatchesPresence: {
      channel: "presence",
      qos: 1,
      summary: "Knows which workers are there.",
    },
  },
  worker: {
    TakesTask: { channel: "tasks", qos: 2, summary: "Takes a task." },
    TakesTaskForEveryone: {
      channel: "everyone",
      qos: 2,
      summary: "Takes a task that each worker of the group is asked for.",
    },
    TakesHandedOver: {
      channel: "inbox",
      qos: 2,
      summary:
        "Takes a task that another worker hands over, or that it alone is asked for.",
    },
    LooksAtOnce: {
      channel: "content",
      qos: 1,
      summary: "Looks at its repository, if it has one.",
    },
    EndsTask: { channel: "cancel", qos: 1, summary: "Ends a task of its own." },
    WatchesTopic: {
      channel: "status",
      qos: 1,
      summary: "Agrees with the others on who has a task.",
    },
    WatchesLock: {
      channel: "lock",
      qos: 1,
      summary: "Agrees with the others on which task has a lock.",
    },
    WatchesPeers: {
      channel: "presence",
      qos: 1,
      summary: "Knows which workers of its group are there.",
    },
    WatchesLoads: {
      channel: "load",
      qos: 1,
      summary: "Looks for a worker that has room.",
    },
    FindsRecords: {
      channel: "record",
      qos: 1,
      summary: "Takes over what it had itself, or a worker that is lost.",
    },
    AnswersProbe: {
      channel: "probe",
      qos: 1,
      summary: "Says that its id is in use.",
    },
  },
};
