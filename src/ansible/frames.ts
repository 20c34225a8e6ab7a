/**
 * The launcher's protocol: one JSON object a line, in both directions.
 *
 * @module
 */
import type { UnnumberedEvent } from "../messages/event.ts";
import type { Printed } from "../messages/output.ts";
import { ProtocolError, readLines } from "./lines.ts";

/** What a launcher says. */
export type Frame =
  | { type: "ready"; ansible_version: string; said: string }
  | { type: "stale" }
  | { type: "event"; event: RunEvent }
  | ({ type: "output" } & Printed)
  | {
    type: "exit";
    return_code: number | null;
    signal: number | null;
    left: string | null;
    stdout_tail: string;
    stderr_tail: string;
  };

/** What a run says of itself. */
export type RunEvent =
  | UnnumberedEvent
  | {
    event: "progress";
    counts: Record<
      | "ok"
      | "changed"
      | "failed"
      | "skipped"
      | "unreachable"
      | "rescued"
      | "ignored",
      number
    >;
    total: number;
    task: string | null;
  }
  | {
    event: "failure";
    host: string;
    task: string;
    unreachable: boolean;
    message: string;
  }
  | { event: "stats" };

/**
 * Reads frames until the stream ends.
 *
 * @throws {ProtocolError} at a line that is too long, or is no frame
 */
export async function* readFrames(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<Frame> {
  for await (const line of readLines(stream)) yield parse(line);
}

/** Whether the fields are there that somebody relies on, by type of frame. */
const COMPLETE: Record<string, (frame: Record<string, unknown>) => boolean> = {
  ready: ({ ansible_version, said }) =>
    typeof ansible_version === "string" && typeof said === "string",
  stale: () => true,
  event: ({ event }) => isEvent(event),
  output: ({ stream, text }) =>
    (stream === "stdout" || stream === "stderr") && typeof text === "string",
  exit: ({ return_code, signal, left, stdout_tail, stderr_tail }) =>
    isNumberOrNull(return_code) && isNumberOrNull(signal) &&
    (left === null || typeof left === "string") &&
    typeof stdout_tail === "string" && typeof stderr_tail === "string",
};

const COUNTS = [
  "ok",
  "changed",
  "failed",
  "skipped",
  "unreachable",
  "rescued",
  "ignored",
];

/** A run has the rights of the launcher, and could write in its place. */
function isEvent(value: unknown): boolean {
  if (!isObject(value) || typeof value.event !== "string") return false;
  const { counts, total, task, host, message, unreachable } = value;
  switch (value.event) {
    case "progress":
      return isObject(counts) && [total, ...COUNTS.map((name) => counts[name])]
        .every((count) => Number.isInteger(count) && Number(count) >= 0) &&
        (task === null || typeof task === "string");
    case "failure":
      return [host, task, message].every((text) => typeof text === "string") &&
        typeof unreachable === "boolean";
    default:
      return true;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isNumberOrNull(value: unknown): boolean {
  return value === null || Number.isInteger(value);
}

function parse(line: string): Frame {
  try {
    const frame: unknown = JSON.parse(line);
    if (
      isObject(frame) && typeof frame.type === "string" &&
      Object.hasOwn(COMPLETE, frame.type) && COMPLETE[frame.type]!(frame)
    ) return frame as Frame;
  } catch {
    // Said below.
  }
  throw new ProtocolError(
    `the launcher said something unexpected: ${
      JSON.stringify(line.slice(0, 200))
    }`,
  );
}
