/**
 * Running playbooks with the real ansible-playbook, from a process that has
 * imported it before.
 *
 * @module
 */
export {
  Ansible,
  type AnsibleOptions,
  AnsibleUnusableError,
  type Run,
  type RunOutcome,
} from "./ansible.ts";
export { JournalError, JournalFile } from "./journal_file.ts";
export { type LauncherObserver, type Replacement } from "./launcher_pool.ts";
export { OwnPlaybookError, runOwnPlaybook } from "./own_playbook.ts";
export { pythonDirectory } from "./python_files.ts";
export { type Policy } from "./refusal.ts";
