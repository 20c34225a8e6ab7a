/**
 * What the tasks need of the rooms that they do not know: methods. The shapes
 * that travel are in `messages/`.
 *
 * @module
 */
import type { UnnumberedEvent } from "../messages/event.ts";
import type { Printed } from "../messages/output.ts";
import type { Outgoing } from "../messages/packets.ts";
import type { TaskRequest } from "../messages/task_request.ts";
import type { Progress } from "../messages/task_status.ts";

/** The control connection, as far as tasks are concerned. */
export interface Channel {
  /**
   * Subscribes, at QoS 1 unless told otherwise; settles when what is retained there has come, as far as
   * that can be known (see `../mqtt/fence.ts`). Rejects if there is no
   * connection, or it is lost.
   */
  lookUp(topic: string, options?: { qos: 0 | 1 }): Promise<void>;
  /** Rejects if there is no connection, or it is lost. */
  unsubscribe(topic: string): Promise<void>;
  /** Settles with the broker's acknowledgement, however late. */
  publish(message: Outgoing): Promise<void>;
}

/** The control connection, as far as the feeds of runs are concerned. */
export interface Outlet {
  /** There is a bulk message to be published. */
  bulkReady(): void;
  /** Settles with the broker's acknowledgement, however late. */
  publish(message: Outgoing): Promise<void>;
}

/** A run of a playbook. */
export interface Run {
  /** Settles when it has ended; never rejects. */
  readonly finished: Promise<
    {
      return_code: number | null;
      error_message: string | null;
      /** Which of its processes could not be ended, in a sentence. */
      left?: string | null;
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
  /** Settles when a run of it could start; never rejects. */
  pin(request: TaskRequest): Promise<PinnedRunner>;
}

/**
 * What runs playbooks, of one commit where they come from git: it stays as it is
 * until it is disposed of.
 */
export interface PinnedRunner extends Disposable {
  /** The commit; null for none. */
  readonly revision: string | null;
  /** Why it cannot be had; null if it can. */
  readonly refusal: string | null;
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

/** A file of lines, in which what is written stays. */
export interface LineFile {
  /** What was in it at first, oldest first. */
  readonly lines: readonly string[];
  /** Settles when the line is on the disk; rejects if it cannot be written. */
  append(line: string): Promise<void>;
}
