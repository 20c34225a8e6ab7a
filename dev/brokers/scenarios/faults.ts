/**
 * What breaks: the worker, the broker, the connection.
 *
 * @module
 */
import { Proxy } from "../../../tests/harness/proxy.ts";
import { pause } from "../../../tests/harness/waiting.ts";
import { many, type Scenario } from "./scenario.ts";

/** How long the broker or the connection is away, in seconds. */
const AWAY_SECONDS = 2;

/** The task that ran has failed, those that waited run. */
export const KILL_AND_RETURN: Scenario = {
  name: "kill and return",
  async run(stage) {
    const { client, project } = stage;
    const ids = many(6);
    const worker = await stage.worker("w1");
    for (const id of ids) {
      const seconds = id === "t-0" ? 60 : 0.2;
      await client.submit(project.work(id, { seconds }));
    }
    await project.started("t-0");
    await client.status("t-5", ({ state }) => state === "queued");
    await client.status("t-0", ({ state }) => state === "running");
    await worker.kill();
    await project.quiet();
    await stage.worker("w1");
    await stage.allEnd(ids, { failed: 1, success: 5 });
  },
};

/** What runs and what waits goes on, and what comes afterwards is taken. */
export const BROKER_RESTART: Scenario = {
  name: "broker restart",
  async run(stage) {
    const { broker, client, project } = stage;
    const ids = many(5);
    await stage.worker("w1");
    for (const id of ids) {
      const seconds = id === "t-0" ? 4 : 0.2;
      await client.submit(project.work(id, { seconds }));
    }
    await project.started("t-0");
    await client.status("t-4", ({ state }) => state === "queued");
    await broker.stop();
    await pause(AWAY_SECONDS);
    await broker.start();
    await stage.insist(project.work("after"));
    await stage.allEnd([...ids, "after"], { success: 6 });
  },
};

/** The same where only the worker has lost its connection. */
export const CONNECTION_CUT: Scenario = {
  name: "connection cut",
  async run(stage) {
    const { client, project } = stage;
    const proxy = stage.use(Proxy.to(stage.broker.port));
    const ids = many(5);
    await stage.worker("w1", { port: proxy.port, mqtt: { keepalive: 5 } });
    for (const id of ids) {
      const seconds = id === "t-0" ? 4 : 0.2;
      await client.submit(project.work(id, { seconds }));
    }
    await project.started("t-0");
    await client.status("t-4", ({ state }) => state === "queued");
    proxy.cut();
    // It waits with the broker, in the worker's session.
    await client.submit(project.work("meanwhile"));
    await pause(AWAY_SECONDS);
    proxy.heal();
    await stage.allEnd([...ids, "meanwhile"], { success: 6 });
  },
};
