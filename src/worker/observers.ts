/**
 * Whoever looks at a worker from outside: metrics, health and traces. What is
 * not switched on is not loaded.
 *
 * @module
 */
import type { LauncherObserver, Replacement } from "../ansible/mod.ts";
import { version } from "../version.ts";
import { addressOf, type Config } from "../config/mod.ts";
import type { GroupObserver } from "../group/observer.ts";
import { ListenError } from "../listening.ts";
import type { Log } from "../log.ts";
import type { Rejected } from "../messages/rejected.ts";
import type { HttpListener, Page } from "../metrics/listener.ts";
import {
  type Connection,
  INITIAL_READINGS,
  type Readings,
} from "../metrics/readings.ts";
import type { Metrics } from "../metrics/registry.ts";
import type { Traces } from "../metrics/traces.ts";
import type { TaskObserver } from "../tasks/observer.ts";
import type { Task } from "../tasks/task.ts";

/**
 * The address for metrics cannot be listened on now. That may pass: another
 * program may end, or a network come up.
 */
export class AddressUnavailableError extends Error {
  override name = "AddressUnavailableError";
}

/** Passes on what happens to those who look at the worker. */
export class Observers
  implements TaskObserver, GroupObserver, LauncherObserver, AsyncDisposable {
  /** How the worker stands now; to be replaced when there is one. */
  read: () => Readings = () => INITIAL_READINGS;
  #metrics: Metrics | null = null;
  #traces: Traces | null = null;
  #listener: HttpListener | null = null;

  /**
   * Begins with what is switched on.
   *
   * @throws {AddressUnavailableError} the address for metrics cannot be listened on
   */
  static async begin(config: Config, log: Log): Promise<Observers> {
    const observers = new Observers();
    if (isTracing()) {
      const { Traces } = await import("../metrics/traces.ts");
      observers.#traces = new Traces({
        version,
        workerId: config.worker.worker_id,
        group: config.worker.group_name,
      });
      log.info("tasks are traced with OpenTelemetry");
    }
    if (config.metrics.listen !== undefined) {
      await observers.#listen(config.metrics.listen);
      log.info(`metrics and health are at ${config.metrics.listen}`);
    }
    return observers;
  }

  /** Closes the listener. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener?.[Symbol.asyncDispose]();
  }

  /** See `TaskObserver`. */
  started(task: Task): void {
    this.#metrics?.started(task);
  }

  /** See `TaskObserver`. */
  ended(task: Task): void {
    this.#metrics?.ended(task);
    this.#traces?.ended(task);
  }

  /** See `TaskObserver`. */
  refused(): void {
    this.#metrics?.refused();
  }

  /** See `TaskObserver`. */
  rejected(reason: Rejected["reason"]): void {
    this.#metrics?.rejected(reason);
  }

  /** See `GroupObserver`. */
  handedOver(): void {
    this.#metrics?.handedOver();
  }

  /** See `GroupObserver`. */
  adopted(): void {
    this.#metrics?.adopted();
  }

  /** See `GroupObserver`. */
  leftBehind(): void {
    this.#metrics?.leftBehind();
  }

  /** See `LauncherObserver`. */
  launcherStarted(seconds: number): void {
    this.#metrics?.launcherStarted(seconds);
  }

  /** See `LauncherObserver`. */
  launcherReplaced(reason: Replacement): void {
    this.#metrics?.launcherReplaced(reason);
  }

  /** A connection that was lost is ready again. */
  reconnected(connection: Connection): void {
    this.#metrics?.reconnected(connection);
  }

  async #listen(listen: string): Promise<void> {
    const [{ Metrics }, { HttpListener }, { healthPage }] = await Promise
      .all([
        import("../metrics/registry.ts"),
        import("../metrics/listener.ts"),
        import("../metrics/health.ts"),
      ]);
    const read = () => this.read();
    const metrics = new Metrics({ version, read });
    try {
      this.#listener = await HttpListener.open(
        // The schema has looked at it.
        addressOf(listen)!,
        new Map<string, Page>([
          ["/metrics", () => metrics.page()],
          ["/health", () => healthPage(read())],
        ]),
      );
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      throw new AddressUnavailableError(
        `Cannot listen on ${listen} for metrics and health: ${error.message}; change metrics.listen`,
      );
    }
    this.#metrics = metrics;
  }
}

/**
 * Whether Deno exports traces. It is told so by variables, which the sandbox
 * hides from us; but then it registers itself where the OpenTelemetry API looks
 * for whoever makes spans.
 */
function isTracing(): boolean {
  const registered = (globalThis as Record<symbol, { trace?: unknown }>)[
    Symbol.for("opentelemetry.js.api.1")
  ];
  return registered?.trace !== undefined;
}
