/**
 * Several workers.
 *
 * @module
 */
import assert from "node:assert/strict";
import { until } from "../../../tests/harness/waiting.ts";
import { IMPATIENT } from "../../../tests/harness/worker.ts";
import { many, type Scenario } from "./scenario.ts";

/** Both work, and no task runs twice. */
export const TWO_WORKERS: Scenario = {
  name: "two workers share 20 tasks",
  async run(stage) {
    const { client, project } = stage;
    await Promise.all([stage.worker("w1"), stage.worker("w2")]);
    const ids = many(20);
    await Promise.all(
      ids.map((id) => client.submit(project.work(id, { seconds: 0.2 }))),
    );
    await stage.allEnd(ids, { success: 20 });
    const starts = (await project.truth()).filter(({ what }) =>
      what === "start"
    );
    for (const id of ["w1", "w2"]) {
      const share = starts.filter(({ worker }) => worker === id).length;
      assert.ok(share >= 3, `${id} ran ${share} of 20 tasks`);
    }
  },
};

/** What a worker had that does not come back is ended by its peer. */
export const GONE_FOR_GOOD: Scenario = {
  name: "gone for good",
  async run(stage) {
    const { client, project } = stage;
    const lost = await stage.worker("w1", { inner: IMPATIENT });
    const ids = ["running", "first", "second", "third"];
    for (const id of ids) {
      const seconds = { running: 90, first: 6 }[id] ?? 0;
      await client.submit(project.work(id, { seconds }));
    }
    await project.started("running");
    await client.status("third", ({ state }) => state === "queued");
    await stage.worker("w2", { inner: IMPATIENT });
    // The peer is busy with one, so the others wait at the worker that goes.
    await until(
      "the peer to be busy",
      async () => (await project.truth()).some(({ worker }) => worker === "w2"),
    );
    await lost.kill();
    await stage.allEnd(ids, { failed: 1, success: 3 });
  },
};

/** One broker for two sites, which know nothing of each other. */
export const TWO_PREFIXES: Scenario = {
  name: "two topic prefixes",
  async run(stage) {
    const sites = [];
    for (const name of ["a", "b"]) {
      const prefix = `${stage.group}-${name}`;
      const { project, client } = await stage.under(prefix);
      const ids = many(5).map((id) => `${name}-${id}`);
      await stage.worker("w1", {
        project,
        worker: { topic_prefix: prefix },
      });
      sites.push({ project, client, ids });
    }
    for (const { project, client, ids } of sites) {
      const finals = await Promise.all(
        ids.map((id) => client.run(project.work(id))),
      );
      assert.deepEqual(
        finals.map(({ state }) => state),
        ids.map(() => "success"),
      );
    }
    for (const { project, ids } of sites) {
      const starts = (await project.truth()).filter(({ what }) =>
        what === "start"
      );
      assert.deepEqual(starts.map(({ id }) => id).toSorted(), ids);
    }
  },
};
