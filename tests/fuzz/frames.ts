/**
 * What a launcher says.
 *
 * @module
 */
import fc from "fast-check";
import { type Frame, readFrames } from "../../src/ansible/frames.ts";
import { ProtocolError } from "../../src/ansible/lines.ts";
import { RunReport } from "../../src/ansible/report.ts";
import {
  anyValue,
  bytesOf,
  forEvery,
  JSON_TOKENS,
  mutated,
  type Target,
} from "./mutation.ts";

const counts = {
  ok: 1,
  changed: 0,
  failed: 0,
  skipped: 0,
  unreachable: 0,
  rescued: 0,
  ignored: 0,
};

const FRAMES: Record<string, unknown>[] = [
  { type: "ready", ansible_version: "2.14.18", said: "" },
  { type: "stale" },
  {
    type: "event",
    event: { event: "progress", counts, total: 3, task: "one" },
  },
  {
    type: "event",
    event: {
      event: "failure",
      host: "h1",
      task: "one",
      unreachable: false,
      message: "no",
    },
  },
  { type: "event", event: { event: "stats" } },
  { type: "output", stream: "stdout", text: "x" },
  {
    type: "exit",
    return_code: 2,
    signal: null,
    left: null,
    stdout_tail: "x",
    stderr_tail: "ERROR! x",
  },
];

/** Frames, in some of which a field is another, or is gone. */
function lines(): fc.Arbitrary<string> {
  return fc.tuple(
    fc.constantFrom(...FRAMES),
    fc.option(fc.tuple(fc.nat(), anyValue())),
  ).map(([frame, change]) => {
    if (change === null) return JSON.stringify(frame);
    const [at, value] = change;
    const inner = (frame.event ?? frame) as Record<string, unknown>;
    const name = Object.keys(inner)[at % Object.keys(inner).length]!;
    const changed = { ...inner, [name]: value };
    return JSON.stringify(frame.event ? { ...frame, event: changed } : changed);
  });
}

/** A stream of these bytes, in pieces of a size. */
function streamOf(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) controller.close();
      else controller.enqueue(bytes.slice(at, at += size));
    },
  });
}

/** Does what the worker does with a frame. */
function use(frame: Frame, report: RunReport): void {
  if (frame.type === "event" && report.add(frame.event)) {
    JSON.stringify(report.progress);
  } else if (frame.type === "exit") {
    JSON.stringify(report.final());
    report.error({ stdout: frame.stdout_tail, stderr: frame.stderr_tail });
  }
}

/** Gives frames that can be used, and ends with the protocol's own error. */
export const frameTarget: Target = {
  name: "the launcher's frames",
  share: 20,
  property: () =>
    forEvery(
      fc.tuple(
        bytesOf(
          mutated(
            fc.array(lines(), { maxLength: 6 }).map((all) =>
              all.join("\n") + "\n"
            ),
            JSON_TOKENS,
          ),
        ),
        fc.integer({ min: 1, max: 200 }),
      ),
      async ([bytes, size]) => {
        const report = new RunReport();
        try {
          for await (const frame of readFrames(streamOf(bytes, size))) {
            use(frame, report);
          }
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
        }
      },
    ),
};
