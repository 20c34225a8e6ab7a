/**
 * The client commands.
 *
 * @module
 */
import assert from "node:assert/strict";
import { run, work } from "../../../tests/harness/client_program.ts";
import { finalStatus } from "../../../tests/harness/final_status.ts";
import { many, type Scenario } from "./scenario.ts";

/** `submit`, `watch`, `tasks`, `workers` and `cancel`. */
export const CLIENT_COMMANDS: Scenario = {
  name: "client commands",
  async run(stage) {
    const { at, client, project } = stage;
    await stage.worker("w1");
    await succeeds([...work(project, "one"), ...at]);
    await succeeds(["watch", "one", ...at]);
    const tasks = await succeeds(["tasks", ...at]);
    assert.match(tasks, /^one {2,}success /m, "tasks lists what has ended");
    const workers = await succeeds(["workers", ...at]);
    assert.match(workers, /^w1 {2,}online /m, "workers lists who is online");

    const long = work(project, "long", { seconds: 60 });
    await succeeds([...long, "--detach", ...at]);
    await project.started("long");
    await succeeds(["cancel", "long", ...at]);
    assert.equal((await client.final("long")).state, "cancelled");
  },
};

/** None of what the broker keeps is missed, however late it sends it. */
export const ALL_LISTED: Scenario = {
  name: "300 tasks are listed",
  async run({ at, client }) {
    const ids = many(300);
    await Promise.all(
      ids.map((id) =>
        client.publish(`${client.base}/tasks/${id}/status`, finalStatus(id), {
          retain: true,
        })
      ),
    );
    const text = await succeeds(["tasks", "--json", ...at]);
    const listed = text.split("\n").filter((line) => line !== "").length;
    assert.equal(listed, ids.length, `${listed} of 300 tasks are listed`);
  },
};

/** Runs a command that has to end with 0; what it has printed. */
async function succeeds(args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(args);
  assert.equal(code, 0, `${args[0]} ended with ${code}: ${stderr}${stdout}`);
  return stdout;
}
