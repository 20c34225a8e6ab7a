/**
 * Where a worker's playbooks come from: a directory, or a repository.
 *
 * @module
 */
import { Ansible, type AnsibleOptions } from "../ansible/mod.ts";
import type { Config } from "../config/mod.ts";
import { beginContent, type Content, Repository } from "../content/mod.ts";
import type { Log } from "../log.ts";
import type { Runner } from "../tasks/ports.ts";
import type { ServiceManager } from "./service_manager.ts";
import type { StopSignals } from "./signals.ts";

/** What runs playbooks, with its version and its health. */
export interface Playbooks extends Runner, AsyncDisposable {
  /** The version of ansible-core. */
  readonly version: string;
  /** Why no playbook could be run now; null if one could. */
  health(): string | null;
}

/** What is the same wherever they come from. */
type Common =
  & Pick<AnsibleOptions, "secretFiles" | "environment" | "policy" | "observer">
  & { log: Log };

/**
 * Starts the launchers, where need be when there is something to be run.
 *
 * @returns null if a signal came first
 * @throws {AnsibleUnusableError} there is no ansible-playbook that can be used
 */
export async function startPlaybooks(
  config: Config,
  { manager, signals, ...common }: Common & {
    manager: ServiceManager;
    signals: StopSignals;
  },
): Promise<{ ansible: Playbooks; content: Content | null } | null> {
  const { content, worker } = config;
  const { environment, log } = common;
  const start = (
    directories: { playbookDirectory: string; inventoryDirectory: string },
    { slots }: { slots: number },
  ) =>
    Ansible.start({
      ...common,
      ...directories,
      slots,
      killGraceSeconds: worker.kill_grace,
      secrets: config.ansible,
    });
  const slots = worker.max_concurrent_tasks;
  if (content === null) {
    log.info("starting Ansible");
    const ansible = await start({
      playbookDirectory: worker.playbook_directory,
      inventoryDirectory: worker.inventory_directory,
    }, { slots });
    return { ansible, content };
  }
  log.info("looking for playbooks in the repository, and starting Ansible");
  const begun = await beginContent({
    content,
    repository: new Repository({ content, worker, environment }),
    slots,
    log,
    startAnsible: start,
    stopped: signals.next(),
    onProblem: (problem) => {
      log.error(problem);
      manager.ready(problem);
    },
  });
  return begun && { ansible: begun, content: begun };
}
