import assert from "node:assert/strict";
import { endOfLeftBehind } from "../../src/tasks/left_behind.ts";
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
    worker_id: workerId,
    ...NO_PROGRESS,
  };
}

const CASES: [TaskState, string, boolean][] = [
  ["running", "dead", true],
  ["queued", "dead", false],
  ["running", "other", false],
  ["queued", "other", false],
  ["success", "dead", false],
];

for (const [state, workerId, isEnded] of CASES) {
  Deno.test(
    `left behind: ${state} by the ${workerId} worker, ${
      isEnded ? "is ended" : "is left alone"
    }`,
    () => {
      const end = endOfLeftBehind(
        {
          status: status(state, workerId),
          token: "token",
          from: null,
          properties: { responseTopic: "answers" },
        },
        { workerId: "dead", topic: "topic", retentionSeconds: 60 },
      );
      if (!isEnded) return assert.equal(end, null);
      const ended = JSON.parse(String(end!.payload));
      assert.equal(ended.state, "failed");
      assert.equal(
        ended.error_message,
        "the worker stopped while this task was running",
      );
      assert.ok(end!.retain);
      assert.deepEqual(end!.properties, {
        responseTopic: "answers",
        user: { from: "token" },
        expirySeconds: 60,
      });
    },
  );
}
