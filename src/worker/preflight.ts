/**
 * What has to be known and ready before a worker connects: its keys, whoever
 * looks at it, Ansible, and that its id is free.
 *
 * @module
 */
import { JournalFile } from "../ansible/mod.ts";
import { brokerOf, type Config, runEnvironment } from "../config/mod.ts";
import type { Content } from "../content/mod.ts";
import { enquire } from "../group/membership.ts";
import type { Log } from "../log.ts";
import { ConnectionLostError } from "../messages/packets.ts";
import { Topics } from "../messages/topics.ts";
import {
  type Broker,
  BrokerUnsuitableError,
  PublishError,
  Trial,
  Visit,
} from "../mqtt/mod.ts";
import { keptOf } from "../tasks/journal.ts";
import type { LineFile } from "../tasks/ports.ts";
import { Observers } from "./observers.ts";
import { type Playbooks, startPlaybooks } from "./playbooks.ts";
import { CurrentSettings } from "./reload.ts";
import { ServiceManager } from "./service_manager.ts";
import type { StopSignals } from "./signals.ts";

/** Parts that are given from outside, instead of this host's own. */
export interface GivenParts {
  broker?: Broker;
  signals?: StopSignals;
  ansible?: Playbooks;
  journal?: LineFile;
}

/** What a worker is assembled from. */
export interface Ready {
  config: Config;
  broker: Broker;
  topics: Topics;
  settings: CurrentSettings;
  observers: Observers;
  ansible: Playbooks;
  /** Where its playbooks come from; null where that is a directory. */
  content: Content | null;
  /** Where the journal is; null for nowhere. */
  journal: LineFile | null;
  manager: ServiceManager;
}

/**
 * Gets everything ready; what has to be released is put on the stack.
 *
 * @returns null if a signal came first
 * @throws {ConfigError | AnsibleUnusableError | JournalError | BrokerUnsuitableError | IdInUseError}
 */
export async function preflight(
  config: Config,
  { log, reload, secretFiles, signals, given, stack }: {
    log: Log;
    /** Reads the configuration again. */
    reload(): Promise<Config>;
    secretFiles: readonly string[];
    signals: StopSignals;
    given: GivenParts;
    stack: AsyncDisposableStack;
  },
): Promise<Ready | null> {
  const { worker } = config;
  const broker = given.broker ?? await brokerOf(config.mqtt);
  const topics = new Topics(worker.topic_prefix, worker.group_name);
  const settings = await CurrentSettings.of(config);
  const environment = { ...runEnvironment(), ...config.ansible.environment };
  const manager = stack.use(
    new ServiceManager({
      socket: Deno.env.get("NOTIFY_SOCKET"),
      watchdog: Deno.env.get("WATCHDOG_USEC"),
      environment,
      log,
    }),
  );
  signals.hangup = () =>
    manager.reload(() => settings.reload({ read: reload, log }));
  const observers = stack.use(await Observers.begin(config, log));
  const started = given.ansible
    ? { ansible: given.ansible, content: null }
    : await startPlaybooks(config, {
      secretFiles,
      environment,
      policy: () => settings.now.policy,
      log,
      observer: observers,
      manager,
      signals,
    });
  if (started === null) return null;
  const { content } = started;
  const ansible = stack.use(started.ansible);
  log.info("Ansible is ready", { ansible_version: ansible.version });
  const journal = given.journal ??
    await openJournal(config, { environment, log, stack });
  await lookAround(worker.worker_id, {
    broker,
    topics,
    log,
    manager,
    signals,
  });
  if (signals.count > 0) return null;
  return {
    config,
    broker,
    topics,
    settings,
    observers,
    ansible,
    content,
    journal,
    manager,
  };
}

/** Opens the journal, if there is to be one. */
async function openJournal(
  { worker }: Config,
  { environment, log, stack }: {
    environment: Record<string, string>;
    log: Log;
    stack: AsyncDisposableStack;
  },
): Promise<JournalFile | null> {
  if (worker.journal === undefined) return null;
  const journal = stack.use(
    await JournalFile.open({
      path: worker.journal,
      kept: keptOf({ windowSeconds: worker.duplicate_window }),
      environment,
    }),
  );
  if (journal.unreadable > 0) {
    log.warn(
      `the journal had ${journal.unreadable} lines that cannot be read`,
      { journal: worker.journal },
    );
  }
  return journal;
}

/**
 * Before the first connection of our own: whether the broker does what no worker
 * can do without, and whether the id is free.
 */
async function lookAround(
  workerId: string,
  { broker, topics, log, manager, signals }: {
    broker: Broker;
    topics: Topics;
    log: Log;
    manager: ServiceManager;
    signals: StopSignals;
  },
): Promise<void> {
  const trial = new Trial(broker);
  const clientId = () => `ansible-worker-${crypto.randomUUID().slice(0, 8)}`;
  for (let wait = broker.reconnectMin; signals.count === 0;) {
    try {
      await using visit = await Visit.open(broker, {
        clientId: clientId(),
        sessionExpiry: 0,
      });
      await trial.with(visit, {
        topic: topics.sentinel(workerId),
        clientId: clientId(),
      });
      return await enquire(visit, { topics, workerId });
    } catch (error) {
      if (error instanceof PublishError) {
        throw new BrokerUnsuitableError(error.message);
      }
      if (!(error instanceof ConnectionLostError)) throw error;
      const problem =
        `cannot connect to the broker at ${broker.host}:${broker.port}: ${error.message}; trying again`;
      log.warn(problem);
      manager.ready(problem);
      await signals.next(wait * 1000 * (0.5 + Math.random() / 2));
      wait = Math.min(wait * 2, broker.reconnectMax);
    }
  }
}
