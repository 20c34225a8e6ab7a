/**
 * What the tasks need of the rooms that they do not know.
 *
 * @module
 */
import type { TaskRequest } from "../messages/task_request.ts";
import type { Progress } from "./task.ts";

/** The properties of a message that matter to a task. */
export interface MessageProperties {
  user?: Record<string, string>;
  /** Seconds until the message expires. */
  expirySeconds?: number;
  responseTopic?: string;
  correlationData?: Uint8Array;
}

/** A message that the broker keeps until it is released. */
export interface Delivery {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties: MessageProperties;
  readonly redelivered: boolean;
  /** Resolves when the broker can never deliver it again. */
  release(): Promise<void>;
}

/** A message to be published. */
export interface Publication {
  topic: string;
  payload: string | Uint8Array;
  qos: 1 | 2;
  retain?: boolean;
  properties?: MessageProperties;
  /** A newer one on the same topic may take its place while it waits. */
  replaceable?: boolean;
}

/** A message that was seen on a topic. */
export interface Seen {
  payload: Uint8Array;
  retained: boolean;
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

/** A run of a playbook. */
export interface Run {
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
    options: { onProgress(progress: Progress): void },
  ): Run;
}

/** Where the program writes what it does. */
export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}
