/**
 * A worker whose playbooks come from a repository.
 *
 * @module
 */
import { localHosts, type Project } from "./project.ts";
import { GitRepository } from "./git_repository.ts";
import type { Presence } from "../../src/messages/presence.ts";
import type { Client } from "./client.ts";

/** What it is configured with. */
export type ContentKeys = Record<string, unknown>;

/** The files of a first commit: a playbook that tells which one it is of. */
export function filesOf(version: string): Record<string, string> {
  return {
    hosts: localHosts("h1"),
    version,
    "site.yml": `
- hosts: all
  gather_facts: false
  vars_files: [version.yml]
  tasks:
    - set_stats:
        data: { version: "{{ version }}", file: "{{ lookup('file', 'version') }}" }
`,
    "version.yml": `version: ${version}\n`,
  };
}

/** The files in which commits differ. */
export function changed(version: string): Record<string, string> {
  return { version, "version.yml": `version: ${version}\n` };
}

/** A repository in a project, and the options of a worker that looks at it. */
export async function contentOf(
  project: Project,
  keys: ContentKeys = {},
): Promise<{
  repository: GitRepository;
  worker: Record<string, unknown>;
  config: Record<string, unknown>;
}> {
  const repository = await GitRepository.create(
    project.path("repositories/playbooks.git"),
    filesOf("1"),
  );
  return {
    repository,
    worker: { playbook_directory: "." },
    config: {
      content: {
        repository: repository.path,
        directory: project.path("content"),
        refresh: 0,
        ...keys,
      },
    },
  };
}

/** What a worker says of its playbooks, once that fits. */
export async function contentSaid(
  client: Client,
  fits: (content: NonNullable<Presence["content"]>) => boolean,
  worker = "w1",
): Promise<NonNullable<Presence["content"]>> {
  const of = (text: string) =>
    text === "" ? undefined : (JSON.parse(text) as Presence).content;
  const { text } = await client.message(
    "what a worker says of its playbooks",
    ({ topic, text }) =>
      topic === `${client.base}/workers/${worker}/status` &&
      of(text) !== undefined && fits(of(text)!),
  );
  return of(text)!;
}
