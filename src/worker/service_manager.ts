/**
 * What the service manager is told of this worker (sd_notify(3)): that it is
 * ready, that it reads its configuration again, that it stops, what it is doing,
 * and, again and again, that it is alive.
 *
 * A worker counts as started when it is ready for tasks, or when it has failed
 * once to reach its broker: a broker that is down holds up no boot. From then on
 * it is alive as long as its event loop turns; if that stands still for as long
 * as the unit says (`WatchdogSec=`), the manager ends the worker and starts
 * another.
 *
 * The sandbox keeps the worker from the manager's socket, so that a process in
 * the place of an `ansible-playbook` carries the notifications (see
 * `ansible_worker_notify.py`). Where nobody waits for any, there is none.
 *
 * @module
 */
import { pythonDirectory } from "../ansible/mod.ts";

/** How often it says that it is alive, within the time that it has for it. */
const TIMES_ALIVE = 3;

/** How it is reached. */
export interface ServiceManagerOptions {
  /** Its socket, as `NOTIFY_SOCKET` names it; none: there is no manager. */
  socket: string | undefined;
  /** The longest silence that it bears, in microseconds, as `WATCHDOG_USEC`. */
  watchdog: string | undefined;
  /** The environment of what carries the notifications. */
  environment: Record<string, string>;
  /** Where to write what fails. */
  log: { warn(message: string, fields?: Record<string, unknown>): void };
}

/** A process that carries notifications. */
interface Carrier {
  child: Deno.ChildProcess;
  stdin: WritableStreamDefaultWriter<Uint8Array>;
}

/** Whoever has started this worker, and looks after it. */
export class ServiceManager implements AsyncDisposable {
  readonly #options: ServiceManagerOptions;
  #carrier: Carrier | null = null;
  #alive: ReturnType<typeof setInterval> | undefined;
  #reloads = Promise.resolve();

  /** Says nothing yet. */
  constructor(options: ServiceManagerOptions) {
    this.#options = options;
    const { socket, watchdog } = options;
    const silence = Number(watchdog ?? 0) / 1000;
    if (socket && silence > 0) {
      this.#alive = setInterval(
        () => this.#tell("WATCHDOG=1"),
        silence / TIMES_ALIVE,
      );
    }
  }

  /** The worker does its work, or as much of it as it can: how it stands. */
  ready(status: string): void {
    this.#tell("READY=1", `STATUS=${status}`);
  }

  /** Reads the configuration again, one time after the other. */
  reload(read: () => Promise<void>): void {
    this.#reloads = this.#reloads.then(async () => {
      this.#tell("RELOADING=1");
      await read().finally(() => this.#tell("READY=1"));
    });
  }

  /** The worker is about to leave. */
  stopping(status: string): void {
    this.#tell("STOPPING=1", `STATUS=${status}`);
  }

  /** Says no more, when all that was said is on its way. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#alive);
    const carrier = this.#carrier;
    if (!carrier) return;
    await carrier.stdin.close().catch(() => {});
    await carrier.child.status;
  }

  #tell(...assignments: string[]): void {
    const { log, socket } = this.#options;
    if (!socket) return;
    // A line break would begin another assignment.
    const text = assignments.map((one) => one.replaceAll("\n", " ")).join("\n");
    try {
      this.#carrier ??= this.#start(socket);
      this.#carrier.stdin.write(
        new TextEncoder().encode(`${JSON.stringify(text)}\n`),
      ).catch(() => {});
    } catch (error) {
      log.warn("cannot tell the service manager how the worker stands", {
        error,
      });
    }
  }

  #start(socket: string): Carrier {
    const child = new Deno.Command("ansible-playbook", {
      clearEnv: true,
      env: {
        ...this.#options.environment,
        NOTIFY_SOCKET: socket,
        PYTHONPATH: pythonDirectory(),
        ANSIBLE_WORKER_NOTIFIER: "1",
      },
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const carrier = { child, stdin: child.stdin.getWriter() };
    carrier.stdin.closed.catch(() => {});
    // Another one carries what is said next.
    child.status.then(({ success }) => {
      if (this.#carrier === carrier) this.#carrier = null;
      if (!success) {
        this.#options.log.warn(
          "what tells the service manager how the worker stands has failed",
        );
      }
    });
    return carrier;
  }
}
