/**
 * Answers where the requester wants them: the response topic and the
 * correlation data of a request (MQTT 5, 4.10).
 *
 * Whoever may publish a request could use the worker's rights at the broker to
 * write to any topic by it. So there are answers only on topics that the
 * configuration allows, and never on the group's own. A response topic that is
 * not allowed is ignored: the request itself is as good as without it.
 *
 * The answers are copies. A task's own status topic is what counts, and nobody
 * waits for an answer to be sent.
 *
 * @module
 */
import type { MessageProperties, Outgoing } from "../messages/packets.ts";
import { matchesGlob } from "node:path";
import type { Topics } from "../messages/topics.ts";
import type { Channel, Log } from "./ports.ts";

/**
 * The longest response topic, and the longest correlation data, in bytes. Each
 * status of the task carries both, and has to fit into what the broker takes.
 */
const MAX_RESPONSE_BYTES = 1024;

/** The most levels; brokers have limits of their own, mosquitto 200. */
const MAX_TOPIC_LEVELS = 100;

/** Where the answers to a request go. */
export interface Response {
  /** The topic, which is an allowed one. */
  readonly topic: string;
  /** Goes along with every answer, byte for byte. */
  readonly correlationData?: Uint8Array;
}

/** Sends answers. */
export class Responses {
  readonly #patterns: () => readonly string[];
  readonly #channel: Channel;
  readonly #group: string;
  readonly #log: Log;
  /** Those that the broker has refused; it would again. */
  readonly #refused = new WeakSet<Response>();

  /**
   * With nothing sent yet.
   *
   * @param options.patterns of the topics that are allowed at this moment
   */
  constructor(options: {
    channel: Channel;
    topics: Topics;
    patterns(): readonly string[];
    log: Log;
  }) {
    this.#channel = options.channel;
    this.#group = options.topics.group;
    this.#patterns = options.patterns;
    this.#log = options.log;
  }

  /**
   * Where the answers to a message go; null for nowhere.
   *
   * @param fields what is known of the message, for the log, if its response
   * topic is not allowed
   */
  to(
    { responseTopic, correlationData }: MessageProperties,
    fields: Record<string, unknown> = {},
  ): Response | null {
    if (responseTopic === undefined) return null;
    const reason = (correlationData?.length ?? 0) > MAX_RESPONSE_BYTES
      ? `its correlation data has more than ${MAX_RESPONSE_BYTES} bytes`
      : refusalOf(responseTopic, {
        group: this.#group,
        patterns: this.#patterns(),
      });
    if (reason !== null) {
      this.#log.info(`the response topic is ignored: ${reason}`, {
        ...fields,
        response_topic: responseTopic.slice(0, 200),
      });
      return null;
    }
    return {
      topic: responseTopic,
      ...(correlationData !== undefined && { correlationData }),
    };
  }

  /**
   * Sends an answer.
   *
   * @param options.about what it is about: answers about one thing stay in
   * order, and a newer one may replace one that is replaceable
   */
  send(
    response: Response,
    { payload, shorten, about, replaceable = false }:
      & Pick<Outgoing, "payload" | "shorten" | "replaceable">
      & { about: string },
  ): void {
    if (this.#refused.has(response)) return;
    const { topic, correlationData } = response;
    this.#channel.publish({
      topic,
      // No topic has this character in it (1.5.4).
      lane: `${topic}\0${about}`,
      payload,
      ...(shorten && { shorten }),
      qos: 1,
      replaceable,
      properties: correlationData === undefined ? {} : { correlationData },
    }).catch((error) => {
      if (this.#refused.has(response)) return;
      this.#refused.add(response);
      this.#log.warn("cannot publish on a response topic", { error });
    });
  }

  /**
   * Sends a status also where its properties say, as they do on the status topic
   * of a task whose requester wants answers.
   */
  follow(message: Outgoing, taskId: string): void {
    const response = this.to(message.properties ?? {}, { task_id: taskId });
    if (response) this.send(response, { ...message, about: taskId });
  }
}

/** Of a message's properties, those that say where answers go. */
export function responsePropertiesOf(
  { responseTopic, correlationData }: MessageProperties,
): Pick<MessageProperties, "responseTopic" | "correlationData"> {
  return {
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData !== undefined && { correlationData }),
  };
}

/** The properties by which a status says where it is also to be sent. */
export function responseProperties(
  response: Response | null,
): Pick<MessageProperties, "responseTopic" | "correlationData"> {
  if (!response) return {};
  const { topic, ...rest } = response;
  return { responseTopic: topic, ...rest };
}

/** Why there are no answers on a topic, as the end of a sentence. */
export function refusalOf(
  topic: string,
  { group, patterns }: { group: string; patterns: readonly string[] },
): string | null {
  const levels = topic.split("/");
  if (topic === "") return "it is empty";
  if (
    new TextEncoder().encode(topic).length > MAX_RESPONSE_BYTES ||
    levels.length > MAX_TOPIC_LEVELS
  ) {
    return `it has more than ${MAX_RESPONSE_BYTES} bytes, or more than ${MAX_TOPIC_LEVELS} levels`;
  }
  if (/[+#]/.test(topic)) return "it has a wildcard in it";
  if (topic.startsWith("$")) return "it begins with $";
  if (/[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u.test(topic)) {
    return "it has a character in it that no topic should have";
  }
  // A pattern takes these for something else than names, the broker does not.
  if (levels.some((level) => ["", ".", ".."].includes(level))) {
    return 'it has a level that is empty, "." or ".."';
  }
  if (topic === group || topic.startsWith(`${group}/`)) {
    return "it is one of the group's own topics";
  }
  return patterns.some((pattern) => matchesGlob(topic, pattern))
    ? null
    : "policy.response_topics does not allow it";
}
