import assert from "node:assert/strict";
import { endOfLeftBehind } from "../../src/group/left_behind.ts";
import {
  NO_PROGRESS,
  type TaskState,
  type TaskStatus,
} from "../../src/messages/task_status.ts";

function status(state: TaskState, workerId: string): TaskStatus {
  return {
    task_id: "t",
    state,
    created_at: "2030-01-01T00:00:00.000Z",
    started_at: state === "queued" ? null : "2030-01-01T00:00:01.000Z",
    completed_at: null,
    duration_seconds: null,
    return_code: null,
    error_message: null,
    playbook: "p",
    inventory: "i",
    template: null,
    worker_id: workerId,
    ...NO_PROGRESS,
  };
}

const CASES: [TaskState, string, { delivered: boolean }, string | null][] = [
  ["running", "dead", { delivered: false }, "while this task was running"],
  // Its own message was gone before it ran: what came is another copy.
  ["running", "dead", { delivered: true }, "while this task was running"],
  ["queued", "dead", { delivered: false }, "while this task was starting"],
  ["queued", "dead", { delivered: true }, null],
  ["running", "other", { delivered: false }, null],
  ["queued", "other", { delivered: false }, null],
  ["success", "dead", { delivered: false }, null],
];

for (const [state, workerId, { delivered }, error] of CASES) {
  Deno.test(
    `left behind: ${state} by the ${workerId} worker, ${
      delivered ? "" : "not "
    }delivered again, ${error ? "is ended" : "is left alone"}`,
    () => {
      const end = endOfLeftBehind(
        {
          status: status(state, workerId),
          token: "token",
          from: null,
          properties: {},
        },
        {
          workerId: "dead",
          topic: "topic",
          retentionSeconds: 0,
          started: false,
          delivered,
        },
      );
      if (error === null) assert.equal(end, null);
      else {
        const ended = JSON.parse(String(end!.payload));
        assert.equal(ended.state, "failed");
        assert.match(ended.error_message, new RegExp(error));
      }
    },
  );
}
