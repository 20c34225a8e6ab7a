/**
 * From a request to its final status.
 *
 * @module
 */
import assert from "node:assert/strict";
import { taskStatusSchema } from "../../../src/messages/task_status.ts";
import type { Scenario } from "./scenario.ts";

/** What docs/messages.md says of one task. */
export const CONTRACT: Scenario = {
  name: "the contract",
  async run(stage) {
    const { client, project } = stage;
    await stage.worker("w1");
    const request = project.work("good", { seconds: 1, inventory: "two" });
    const final = await client.run(request);
    assert.deepEqual(
      [final.state, final.return_code, final.tasks_ok, final.tasks_total],
      ["success", 0, 2, 2],
    );
    assert.equal(final.worker_id, "w1");
    const history = client.history("good");
    const states = history.map(({ state }) => state);
    assert.deepEqual([...new Set(states)], ["queued", "running", "success"]);
    const fields = Object.keys(taskStatusSchema.shape);
    for (const status of history) assert.deepEqual(Object.keys(status), fields);

    const bad = await client.run({
      task_id: "bad",
      playbook: "fails.yml",
      inventory: "hosts",
    });
    assert.deepEqual([bad.state, bad.return_code], ["failed", 2]);
    assert.match(bad.error_message!, /on purpose/);

    await client.publish(`${client.base}/tasks`, "no JSON", { qos: 2 });
    await client.message(
      "a report of what is no request",
      ({ topic }) => topic === `${client.base}/rejected`,
    );
    await stage.kept(["good", "bad"]);
  },
};
