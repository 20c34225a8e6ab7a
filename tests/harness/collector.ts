/**
 * What traces are exported to: a collector of OpenTelemetry, by HTTP with JSON.
 *
 * @module
 */
import { until } from "./waiting.ts";

/** A span as it was exported. */
export interface Span {
  traceId: string;
  spanId: string;
  /** "" for one that begins a trace. */
  parentSpanId: string;
  name: string;
  /** 5 for a consumer, 1 for a part of something else. */
  kind: number;
  /** 2 for an error. */
  status: number;
  /** Milliseconds since 1970. */
  start: number;
  end: number;
  attributes: Record<string, string>;
  /** The name of the service that has sent it. */
  service: string;
}

interface Attributes {
  attributes: { key: string; value: { stringValue?: string } }[];
}

interface Exported {
  resourceSpans: {
    resource: Attributes;
    scopeSpans: {
      scope: { name: string };
      spans: (
        & Attributes
        & Omit<Span, "start" | "end" | "attributes" | "status">
        & {
          startTimeUnixNano: string;
          endTimeUnixNano: string;
          status: { code: number };
        }
      )[];
    }[];
  }[];
}

/** A collector on a port of this machine. */
export class Collector implements AsyncDisposable {
  /** The spans of the scope `ansible-worker` that have come. */
  readonly spans: Span[] = [];
  /** How many requests have come. */
  requests = 0;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /** Listens. */
  constructor() {
    this.#server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      onListen() {},
    }, async (request) => {
      this.requests++;
      const body = await request.json();
      if (new URL(request.url).pathname === "/v1/traces") this.#take(body);
      return Response.json({});
    });
  }

  /** The variables that make Deno export to it. */
  get environment(): Record<string, string> {
    return {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${this.#server.addr.port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_SERVICE_NAME: "ansible-worker",
      OTEL_BSP_SCHEDULE_DELAY: "50",
    };
  }

  /** The span of a task, and those in it by their names. */
  async task(id: string): Promise<{ task: Span; parts: Map<string, Span> }> {
    const find = () =>
      this.spans.find(({ name, attributes }) =>
        name === "task" && attributes["ansible_worker.task_id"] === id
      );
    await until(`the span of ${id}`, () => find() !== undefined);
    const task = find()!;
    const parts = this.spans.filter(({ parentSpanId }) =>
      parentSpanId === task.spanId
    );
    return { task, parts: new Map(parts.map((part) => [part.name, part])) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  #take({ resourceSpans }: Exported): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      for (const { scope, spans } of scopeSpans) {
        if (scope.name !== "ansible-worker") continue;
        for (const span of spans) {
          const { startTimeUnixNano, endTimeUnixNano, status, ...rest } = span;
          this.spans.push({
            ...rest,
            status: status.code,
            start: Number(BigInt(startTimeUnixNano) / 1000n) / 1000,
            end: Number(BigInt(endTimeUnixNano) / 1000n) / 1000,
            attributes: named(span),
            service: named(resource)["service.name"] ?? "",
          });
        }
      }
    }
  }
}

function named({ attributes }: Attributes): Record<string, string> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? ""]),
  );
}
