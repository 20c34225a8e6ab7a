/**
 * What the tasks need of the rooms that they do not know.
 *
 * @module
 */
import type { UnnumberedEvent } from "../messages/event.ts";
import type { OutputStream } from "../messages/output.ts";
import type { TaskRequest } from "../messages/task_request.ts";
import type { Progress } from "../messages/task_status.ts";

/** The properties of a message that matter to a task. */
export interface MessageProperties {
  /** User properties. */
  user?: Record<string, string>;
  /** Seconds until the message expires. */
  expirySeconds?: number;
  /** The requester's response topic. */
  responseTopic?: string;
  /** The requester's correlation data. */
  correlationData?: Uint8Array;
}

/** A message that the broker keeps until it is released. */
export interface Delivery {
  /** The topic. */
  readonly topic: string;
  /** Its bytes. */
  readonly payload: Uint8Array;
  /** Its MQTT 5 properties. */
  readonly properties: MessageProperties;
  /** Whether the broker says that it has sent this message before. */
  readonly redelivered: boolean;
  /** Whether its sender asked the broker to keep it for later subscribers. */
  readonly retained: boolean;
  /** Resolves when the broker can never deliver it again. */
  release(): Promise<void>;
}

/** A message to be published. */
export interface Publication {
  /** The topic. */
  topic: string;
  /** Its bytes. */
  payload: string | Uint8Array;
  /** 1 or 2 (4.3). */
  qos: 1 | 2;
  /** Whether the broker keeps it for later subscribers. */
  retain?: boolean;
  /** Its MQTT 5 properties. */
  properties?: MessageProperties;
  /** A newer one on the same topic may take its place while it waits. */
  replaceable?: boolean;
  /**
   * Names what is kept in order, and replaced, together; if left out, all that
   * is published on the topic is.
   */
  lane?: string;
}

/** A message that was seen on a topic. */
export interface Seen {
  /** Its bytes. */
  payload: Uint8Array;
  /** Whether it was a retained message, not one published just now. */
  retained: boolean;
  /** Its MQTT 5 properties. */
  properties: MessageProperties;
}

/** The control connection, as far as tasks are concerned. */
export interface Channel {
  /** Rejects if there is no connection, or it is lost. */
  subscribe(
    topic: string,
    options: { qos: 1; retained?: boolean },
  ): Promise<void>;
  /** Rejects if there is no connection, or it is lost. */
  unsubscribe(topic: string): Promise<void>;
  /** Settles with the broker's acknowledgement, however late. */
  publish(message: Publication): Promise<void>;
}

/** A message that gives way to all others, and whom to tell of its end. */
export interface Parcel {
  /** The message. */
  message: Publication;
  /** The broker has acknowledged it, or has refused it with an error. */
  answered(error?: unknown): void;
}

/** The control connection, as far as the narration of runs is concerned. */
export interface Outlet {
  /** There is something that gives way to be published. */
  poke(): void;
  /** Settles with the broker's acknowledgement, however late. */
  publish(message: Publication): Promise<void>;
}

/** What a run has printed. */
export interface Printed {
  /** Where it was printed. */
  stream: OutputStream;
  /** What was printed there. */
  text: string;
  /** Set on the last one, which has no text: the rest is beyond the limit. */
  truncated?: boolean;
}

/** A run of a playbook. */
export interface Run {
  /** Settles when it has ended; never rejects. */
  readonly finished: Promise<
    {
      return_code: number | null;
      error_message: string | null;
      progress: Progress;
    }
  >;
  /** Asks it to end, and kills it after the grace time. */
  end(options?: { immediately?: boolean }): void;
}

/** What runs playbooks. */
export interface Runner {
  /** Why a request cannot be run, in one sentence; null if it can. */
  refusal(request: TaskRequest): Promise<string | null>;
  /** Starts a run. */
  run(
    request: TaskRequest,
    options: {
      /** The request's extra variables as JSON. */
      extraVars: string | null;
      onProgress(progress: Progress): void;
      /** Set: events are wanted. */
      onEvent?(event: UnnumberedEvent): void;
      /** Set: what it prints is wanted, up to a limit in bytes. */
      output?: { limit: number; onOutput(printed: Printed): void };
    },
  ): Run;
}

/** Where the program writes what it does. */
export interface Log {
  /** For whoever looks for a fault of the program. */
  debug(message: string, fields?: Record<string, unknown>): void;
  /** What happens in the course of things. */
  info(message: string, fields?: Record<string, unknown>): void;
  /** What an operator may have to look at. */
  warn(message: string, fields?: Record<string, unknown>): void;
  /** What an operator has to look at. */
  error(message: string, fields?: Record<string, unknown>): void;
}
