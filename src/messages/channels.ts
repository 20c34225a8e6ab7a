/**
 * Every topic, and what travels on it, for the AsyncAPI document.
 *
 * @module
 */
import type { MessageName } from "./schemas.ts";
import { Topics } from "./topics.ts";

const topics = new Topics("{prefix}", "{group}");

/** What stands for a level of a topic, or for several. */
export const PARAMETERS = {
  prefix: {
    description:
      "The workers' worker.topic_prefix, which may have several levels.",
    default: "ansible",
  },
  group: {
    description: "The workers' worker.group_name.",
    examples: ["default"],
  },
  task_id: { description: "The task_id of the request." },
  worker_id: { description: "The worker's worker.worker_id." },
  lock: { description: "The lock, as in a request or a template." },
};

/** What travels and is no JSON. */
export const OTHER_MESSAGES = {
  signedRequest: {
    title: "Signed task request",
    summary:
      "A task request within a JWS in compact form (RFC 7515), signed by Ed25519; what workers with security.trusted_keys take instead of a bare one.",
    contentType: "application/jose",
    payload: jws("ansible-worker-request"),
  },
  signedCancel: {
    title: "Signed cancel",
    summary:
      "A cancel within a JWS in compact form (RFC 7515), signed by Ed25519; what workers with security.trusted_keys take instead of a bare one.",
    contentType: "application/jose",
    payload: jws("ansible-worker-cancel"),
  },
  look: {
    title: "Look",
    summary:
      "Anything: asks for a look at the repositories. What is in it is not read, so that a webhook can be passed on as it is.",
    payload: {},
  },
  probe: {
    title: "Probe",
    summary: "Empty: asks whether a worker with this id is there.",
    payload: { type: "string", maxLength: 0 },
  },
};

type AnyMessage = MessageName | keyof typeof OTHER_MESSAGES;

/** A topic, or all of one kind. */
export interface AsyncapiChannel {
  /** The topic, with its parameters; null where the requester names it. */
  address: string | null;
  /** What it is. */
  title: string;
  /** What it is for. */
  description: string;
  /** What travels on it. */
  messages: AnyMessage[];
}

/** The topics, by their names in the document. */
export const CHANNELS = {
  tasks: {
    address: topics.tasks,
    title: "Tasks",
    description:
      "Requests. Of a group, one worker gets each: they share the subscription $share/ansible-worker-{group}/{prefix}/{group}/tasks.",
    messages: ["request", "signedRequest"],
  },
  everyone: {
    address: topics.everyone,
    title: "Tasks for everyone",
    description:
      "Requests for each worker of the group, those that are away included. Each run is a task of its own, {task_id}@{worker_id}.",
    messages: ["request", "signedRequest"],
  },
  status: {
    address: topics.status("{task_id}"),
    title: "Status of a task",
    description: "Where a task stands, for whoever may read it.",
    messages: ["status"],
  },
  cancel: {
    address: topics.cancel("{task_id}"),
    title: "Cancels of a task",
    description:
      "All workers of the group get them; a retained one is ignored.",
    messages: ["cancel", "signedCancel"],
  },
  events: {
    address: topics.events("{task_id}"),
    title: "Events of a task",
    description: "What a run does, one message a step, in order.",
    messages: ["event"],
  },
  output: {
    address: topics.output("{task_id}"),
    title: "Output of a task",
    description: "What a run prints, in pieces, in order.",
    messages: ["output"],
  },
  content: {
    address: topics.content,
    title: "Looks at repositories",
    description:
      "Whatever is published here has all workers of the group whose playbooks come from git look at their repositories at once.",
    messages: ["look"],
  },
  lock: {
    address: topics.lock("{lock}"),
    title: "Holder of a lock",
    description: "Which task has a lock.",
    messages: ["lock"],
  },
  rejected: {
    address: topics.rejected,
    title: "Rejected messages",
    description: "Reports of messages that were discarded.",
    messages: ["rejected"],
  },
  responses: {
    address: null,
    title: "Response topic of a request",
    description:
      "The response topic of a request's MQTT properties, if the workers' policy.response_topics allows it: gets what is published on the status topic of the task, or the report that the request was rejected.",
    messages: ["status", "rejected"],
  },
  presence: {
    address: topics.presence("{worker_id}"),
    title: "Presence of a worker",
    description:
      "Whether a worker is there. Also its will, by which the broker says that it is lost.",
    messages: ["presence"],
  },
  load: {
    address: topics.load("{worker_id}"),
    title: "Load of a worker",
    description: "What a worker has to do, between workers.",
    messages: ["load"],
  },
  record: {
    address: topics.record("{worker_id}", "{task_id}"),
    title: "Record of a task",
    description:
      "The request of a task that a worker has, as it came, for its next process or for whoever takes its tasks over; with what belongs to it in user properties that begin with ansible-worker-.",
    messages: ["request", "signedRequest"],
  },
  probe: {
    address: topics.probe("{worker_id}"),
    title: "Probes of a worker",
    description:
      "Where a worker that starts asks whether its id is in use; the owner publishes its presence again.",
    messages: ["probe"],
  },
  inbox: {
    address: topics.inbox("{worker_id}"),
    title: "Inbox of a worker",
    description:
      "Requests for this worker and no other; and those that another worker hands over, with what belongs to them in user properties that begin with ansible-worker-.",
    messages: ["request", "signedRequest"],
  },
} satisfies Record<string, AsyncapiChannel>;

/** The name of a topic in the document. */
export type ChannelName = keyof typeof CHANNELS;

function jws(type: string) {
  return {
    type: "string",
    pattern: "^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$",
    description:
      `Protected header: alg EdDSA, kid the id of a trusted key, typ ${type}, aud {prefix}/{group}, sub the task_id, iat and exp in seconds since 1970.`,
  };
}
