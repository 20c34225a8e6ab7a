/**
 * A check, and what it may build on.
 *
 * @module
 */
import type { Loaded } from "../config/mod.ts";
import type { Presence } from "../messages/presence.ts";
import type { Topics } from "../messages/topics.ts";
import type { Broker, Examination } from "../mqtt/mod.ts";
import type { Attempt } from "./attempt.ts";
import type { Outcome } from "./finding.ts";

/**
 * What the checks have found out so far. Each check adds what later ones need;
 * what is not there was not to be had.
 */
export interface Known {
  /** The path of the configuration. */
  readonly file: string;
  /**
   * Names tasks and workers that are none: no task and no worker can have an id
   * with a `!` in it, so whatever is said of this one is said of nobody.
   */
  readonly nobody: string;
  /** The configuration, wrong in nothing but files. */
  loaded?: Loaded;
  /** The topics of its group. */
  topics?: Topics;
  /** The broker, which accepts TCP connections. */
  broker?: Broker;
  /** How connecting went, beyond TLS. */
  encrypted?: Attempt;
  /** How connecting went, with a broker that speaks MQTT 5. */
  answered?: Attempt;
  /** A connection to it. */
  examination?: Examination;
  /** The presences of the group's workers. */
  presences?: Presence[];
  /** Whether no live worker has our id. */
  idIsFree?: boolean;
  /** Where playbooks and inventories are. */
  directories?: { playbookDirectory: string; inventoryDirectory: string };
  /** The playbook directory, which can be read. */
  playbooks?: string;
  /** An ansible-playbook that has been started as launcher, in milliseconds. */
  launcherMs?: number;
}

/** What is missing when something is not known, as the rest of "needs …". */
const NEEDS: Record<keyof Known, string> = {
  file: "a file",
  nobody: "a name",
  loaded: "a configuration that can be read",
  topics: "a configuration that can be read",
  broker: "a broker that can be reached",
  encrypted: "a connection (see TLS)",
  answered: "a broker that speaks MQTT 5",
  examination: "a connection to a broker that a worker can rely on",
  presences: "a connection to the broker",
  idIsFree: "a connection to the broker",
  directories: "a checkout, which the worker makes when it starts",
  playbooks: "a playbook directory that can be read",
  launcherMs: "an ansible-playbook that can be used",
};

/** One check. */
export interface Check {
  /** Names it. */
  readonly id: string;
  /** What it looks at, for a person. */
  readonly title: string;
  /** What has to be known for it. */
  readonly needs: readonly (keyof Known)[];
  /** Looks. */
  run(known: Known): Promise<Outcome> | Outcome;
}

/** A check whose `run()` may count on what it needs. */
export function defineCheck<N extends keyof Known = never>(options: {
  id: string;
  title: string;
  needs: readonly N[];
  run(known: Known & Required<Pick<Known, N>>): Promise<Outcome> | Outcome;
}): Check {
  return options as Check;
}

/** What a check lacks, as the rest of "needs …"; null if it can be made. */
export function lacks({ needs }: Check, known: Known): string | null {
  const first = needs.find((name) => known[name] === undefined);
  return first === undefined ? null : NEEDS[first];
}
