/**
 * Statuses that no worker of a test has published.
 *
 * @module
 */

const TIME = "2026-05-04T12:00:00.000Z";

/** A final status, as another worker may have published it long ago. */
export function finalStatus(
  taskId: string,
  more: Record<string, unknown> = {},
): string {
  return JSON.stringify({
    task_id: taskId,
    state: "success",
    created_at: TIME,
    started_at: TIME,
    completed_at: TIME,
    duration_seconds: 3725.5,
    tasks_total: 3,
    tasks_ok: 3,
    tasks_changed: 1,
    tasks_failed: 0,
    tasks_skipped: 0,
    tasks_unreachable: 0,
    return_code: 0,
    error_message: null,
    tasks_rescued: 0,
    tasks_ignored: 0,
    playbook: "site.yml",
    inventory: "hosts",
    worker_id: "w9",
    current_task: null,
    template: null,
    revision: null,
    lock: null,
    failed_hosts: { names: [], more: 0 },
    unreachable_hosts: { names: [], more: 0 },
    stats: null,
    ...more,
  });
}
