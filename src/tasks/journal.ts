/**
 * The journal: a line in a file of the worker's own when a run is about to
 * begin, and when it has ended, each on the disk before anything else is done.
 * It is trusted above the broker: a broker that has forgotten its latest minutes
 * together with the death of the worker would have a task run twice, and what
 * has ended while it was away would have no true end.
 *
 * Of each task the last line counts:
 *
 * | event | what it says | kept |
 * | --- | --- | --- |
 * | `begun` | the run begins: nobody runs it again | until it has ended |
 * | `ended` | how it has ended | until the broker has it |
 * | `told` | the same; the broker has acknowledged it | `worker.duplicate_window`, and 10 minutes at least |
 *
 * Where no journal is configured, nothing is written, and nothing known.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { z } from "zod";
import type { MessageProperties } from "../messages/packets.ts";
import { receivedStatusSchema } from "../messages/task_status.ts";
import { timeSchema } from "../messages/time.ts";
import type { Topics } from "../messages/topics.ts";
import type { LineFile, Log } from "./ports.ts";
import type { PublishedStatus } from "./published_status.ts";

/** How long at least what the broker has is kept, in seconds. */
const MIN_KEPT_SECONDS = 600;

/** Of how many tasks at most, whose end the broker has. */
const MAX_KEPT = 10_000;

/** One line. */
const entrySchema = z.object({
  at: timeSchema,
  event: z.enum(["begun", "ended", "told"]),
  task_id: z.string(),
  /** Whose it is: what was written under another name is none of ours. */
  worker_id: z.string(),
  topic: z.string(),
  token: z.string().nullable(),
  response_topic: z.string().optional(),
  /** In base64. */
  correlation_data: z.string().optional(),
  status: receivedStatusSchema,
});

type WrittenEntry = z.output<typeof entrySchema>;
type JournalEvent = WrittenEntry["event"];

interface Entry {
  readonly event: JournalEvent;
  readonly at: number;
  readonly seen: PublishedStatus;
}

/** What a journal needs. */
export interface JournalOptions {
  /** Where it is; null for nowhere. */
  file: LineFile | null;
  topics: Topics;
  workerId: string;
  /** How long an id means the same task, in seconds. */
  windowSeconds: number;
  log: Log;
}

/** How much a file keeps of what the broker has. */
export function keptOf(
  { windowSeconds }: Pick<JournalOptions, "windowSeconds">,
): { seconds: number; atMost: number } {
  return {
    seconds: Math.max(windowSeconds, MIN_KEPT_SECONDS),
    atMost: MAX_KEPT,
  };
}

/** What this worker has run, as far as the journal goes back. */
export class Journal {
  readonly #options: JournalOptions;
  /** By task; what was written last is last. */
  readonly #entries = new Map<string, Entry>();

  /** With what stands in the file. */
  constructor(options: JournalOptions) {
    this.#options = options;
    const { file, topics, workerId } = options;
    for (const line of file?.lines ?? []) {
      const entry = read(line);
      if (entry?.worker_id !== workerId) continue;
      if (entry.topic !== topics.status(entry.task_id)) continue;
      this.#entries.set(entry.task_id, {
        event: entry.event,
        at: new Date(entry.at).getTime(),
        seen: seenOf(entry),
      });
    }
  }

  /** What was written last of a task; null for nothing. */
  known(taskId: string): PublishedStatus | null {
    return this.#entries.get(taskId)?.seen ?? null;
  }

  /** The tasks that have begun and not ended, and those that have ended. */
  tasks(): { begun: string[]; ended: string[] } {
    const ids = (isBegun: boolean) =>
      [...this.#entries].filter(([, { event }]) =>
        (event === "begun") === isBegun
      ).map(([id]) => id);
    return { begun: ids(true), ended: ids(false) };
  }

  /**
   * A run is about to begin.
   *
   * @param running its status
   * @throws {Error} that cannot be written: it must not begin
   */
  async begun(running: PublishedStatus): Promise<void> {
    await this.#write("begun", running);
  }

  /**
   * A task has ended; only of what has begun here is that written.
   *
   * @returns settles when that is on the disk, or cannot be written
   */
  async ended(end: PublishedStatus): Promise<void> {
    const taskId = end.status.task_id;
    if (this.#entries.get(taskId)?.event !== "begun") return;
    await this.#write("ended", end).catch((error) => {
      // What this process knows is true all the same.
      this.#note("ended", end);
      this.#options.log.error("cannot write how a task has ended", {
        task_id: taskId,
        error,
      });
    });
  }

  /**
   * The broker has the end of a task, whoever has published it; that is on the
   * disk some time later.
   */
  told(end: PublishedStatus): void {
    const taskId = end.status.task_id;
    const entry = this.#entries.get(taskId);
    if (!entry || entry.event === "told") return;
    this.#write("told", end).catch((error) =>
      this.#options.log.warn("cannot write that the end of a task is told", {
        task_id: taskId,
        error,
      })
    );
  }

  async #write(event: JournalEvent, seen: PublishedStatus): Promise<void> {
    const { file } = this.#options;
    if (!file) return;
    await file.append(this.#lineOf(event, seen));
    this.#note(event, seen);
  }

  #note(event: JournalEvent, seen: PublishedStatus): void {
    const taskId = seen.status.task_id;
    this.#entries.delete(taskId);
    this.#entries.set(taskId, { event, at: Date.now(), seen });
    const kept = keptOf(this.#options);
    const since = Date.now() - kept.seconds * 1000;
    for (const [id, { event, at }] of this.#entries) {
      if (event !== "told") continue;
      if (at >= since && this.#entries.size <= kept.atMost) return;
      this.#entries.delete(id);
    }
  }

  #lineOf(
    event: JournalEvent,
    { status, token, properties }: PublishedStatus,
  ): string {
    const { topics, workerId } = this.#options;
    const { correlationData, responseTopic } = properties;
    const entry: WrittenEntry = {
      at: new Date().toISOString(),
      event,
      task_id: status.task_id,
      worker_id: workerId,
      topic: topics.status(status.task_id),
      token,
      ...(responseTopic !== undefined && { response_topic: responseTopic }),
      ...(correlationData !== undefined &&
        { correlation_data: Buffer.from(correlationData).toString("base64") }),
      status,
    };
    return JSON.stringify(entry);
  }
}

function read(line: string): WrittenEntry | null {
  try {
    return entrySchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

function seenOf(
  { status, token, response_topic, correlation_data }: WrittenEntry,
): PublishedStatus {
  const properties: MessageProperties = {
    ...(response_topic !== undefined && { responseTopic: response_topic }),
    ...(correlation_data !== undefined &&
      { correlationData: Buffer.from(correlation_data, "base64") }),
  };
  return { status, token, from: null, held: true, properties };
}
