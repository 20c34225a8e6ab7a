/**
 * A trace of each task, by Deno's own OpenTelemetry, which exports it to
 * wherever the variables `OTEL_*` say.
 *
 * A task is one span, `task`, from its acceptance by the first worker of the
 * group to its end, with the spans `queue` and `run` in it. All three are made
 * when the task has ended, with the times that its status has: until then it may
 * still move to another worker. The span `task` is a child of the publisher's,
 * if the request says which that is.
 *
 * @module
 */
import {
  createTraceState,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import type { Task } from "../tasks/task.ts";
import { traceContext } from "./trace_context.ts";

/** Makes spans of tasks that have ended. */
export class Traces {
  readonly #tracer: Tracer;
  readonly #workerId: string;
  readonly #group: string;

  /** None made yet. */
  constructor(options: { version: string; workerId: string; group: string }) {
    this.#tracer = trace.getTracer("ansible-worker", options.version);
    this.#workerId = options.workerId;
    this.#group = options.group;
  }

  /** See `TaskObserver`. */
  ended(task: Task): void {
    const { createdAt, startedAt, completedAt, state } = task;
    if (!completedAt) return;
    const publisher = traceContext(task.message.properties.user);
    const parent = publisher === null
      ? ROOT_CONTEXT
      : trace.setSpanContext(ROOT_CONTEXT, {
        traceId: publisher.traceId,
        spanId: publisher.spanId,
        traceFlags: publisher.flags,
        isRemote: true,
        ...(publisher.state !== null &&
          { traceState: createTraceState(publisher.state) }),
      });
    const span = this.#tracer.startSpan("task", {
      kind: SpanKind.CONSUMER,
      startTime: createdAt,
      attributes: {
        "ansible_worker.task_id": task.id,
        "ansible_worker.playbook": task.request.playbook,
        "ansible_worker.state": state,
        "ansible_worker.worker_id": this.#workerId,
        "ansible_worker.group": this.#group,
        // Deno's exporter leaves it out of the span itself.
        ...(publisher?.state != null &&
          { "ansible_worker.tracestate": publisher.state }),
      },
    }, parent);
    const inside = trace.setSpan(parent, span);
    const part = (name: string, from: Date, to: Date) =>
      this.#tracer.startSpan(name, { startTime: from }, inside).end(to);
    part("queue", createdAt, startedAt ?? completedAt);
    if (startedAt) part("run", startedAt, completedAt);
    if (state === "failed" || state === "timeout") {
      span.setStatus({ code: SpanStatusCode.ERROR, message: state });
    }
    span.end(completedAt);
  }
}
