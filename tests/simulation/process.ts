/**
 * One process of a worker: the worker's own code, with a network, an Ansible and
 * signals that are simulated.
 *
 * @module
 */
import type { Config } from "../../src/config/mod.ts";
import { Log } from "../../src/log.ts";
import { runWorker, type Step } from "../../src/worker/worker.ts";
import { SimulatedAnsible } from "./ansible.ts";
import type { Link } from "./broker/link.ts";
import { after, type Owner } from "./clock.ts";
import { SimulatedJournal } from "./journal.ts";
import type { Ledger } from "./ledger.ts";
import { Connection, type Road } from "./network.ts";
import type { PlannedTask } from "./plan.ts";
import { Random } from "./random.ts";
import { SimulatedSignals } from "./signals.ts";

/** What a process needs. */
export interface ProcessOptions {
  /** The seed of the run. */
  seed: number;
  /** The worker. */
  workerId: string;
  /** Which process of it this is: 1, 2, 3, … */
  number: number;
  /** Its configuration. */
  config: Config;
  /** The way to the broker. */
  road: Road;
  /** The broker; null while there is none. */
  broker(): ((link: Link) => void) | null;
  /** What is in its journal; null for none. */
  journal: string[] | null;
  /** What the runs do. */
  tasks: ReadonlyMap<string, PlannedTask>;
  /** How often looking at a file takes long; a twentieth if left out. */
  busyDisk?: number;
  /** See `Plan`. */
  looksAtOnce?: number | undefined;
  /** The books. */
  ledger: Ledger;
  /** Gets what it logs; null if nobody reads it. */
  log: ((line: string) => void) | null;
  /** It has reached a step. */
  onStep(step: Step): void;
  /** It has ended by itself, as processes do. */
  onExit(how: string): void;
}

/** A process. */
export class WorkerProcess {
  /** Its name, such as `w1.2`. */
  readonly name: string;
  readonly #owner: Owner;
  readonly #road: Road;
  readonly #signals = new SimulatedSignals();

  /** Starts it. */
  constructor(options: ProcessOptions) {
    const { config, journal, ledger, looksAtOnce, number, road, seed } =
      options;
    const { tasks, workerId } = options;
    this.name = `${workerId}.${number}`;
    this.#road = road;
    const owner: Owner = {
      name: this.name,
      dead: false,
      random: new Random(seed, "worker", workerId, number),
    };
    this.#owner = owner;
    let connections = 0;
    const start = () =>
      runWorker(config, {
        log: new Log({
          level: options.log ? "DEBUG" : "ERROR",
          format: "text",
          write: (line) => {
            if (!owner.dead) options.log?.(line);
          },
        }),
        secretFiles: [],
        reload: () => Promise.resolve(config),
        onStep: (step) => {
          if (!owner.dead) options.onStep(step);
        },
        timing: {
          ...(looksAtOnce !== undefined && { looksAtOnce }),
        },
        parts: {
          signals: this.#signals,
          ansible: new SimulatedAnsible({
            owner,
            policy: config.policy,
            tasks,
            busyDisk: options.busyDisk ?? 0.05,
            ledger,
          }),
          ...(journal && { journal: new SimulatedJournal(owner, journal) }),
          broker: {
            host: "broker",
            port: 1883,
            keepalive: config.mqtt.keepalive,
            reconnectMin: config.mqtt.reconnect_min,
            reconnectMax: config.mqtt.reconnect_max,
            openStream: () =>
              new Connection({
                owner,
                road,
                random: new Random(
                  seed,
                  "network",
                  this.name,
                  connections++,
                ),
                accept: options.broker(),
              }),
          },
        },
      });
    after(0, owner, () => {
      start().then(
        (code) => this.#ended(options, `exits with ${code}`),
        (error) => this.#ended(options, `fails: ${error?.stack ?? error}`),
      );
    });
  }

  /** Whether it is there. */
  get isAlive(): boolean {
    return !this.#owner.dead;
  }

  /** Whether it was told to stop. */
  get isStopping(): boolean {
    return this.#signals.count > 0;
  }

  /** It is gone, at once; or its whole host is, of which nobody hears. */
  kill(options: { silently: boolean } = { silently: false }): void {
    this.#owner.dead = true;
    for (const connection of this.#road.connections) {
      connection.vanish(options);
    }
  }

  /** Sends it a signal to stop. */
  stop(): void {
    after(0, this.#owner, () => this.#signals.stop());
  }

  /** Sends it a SIGHUP. */
  reload(): void {
    after(0, this.#owner, () => this.#signals.hangup());
  }

  #ended(options: ProcessOptions, how: string): void {
    if (this.#owner.dead) return;
    this.kill();
    options.onExit(how);
  }
}
