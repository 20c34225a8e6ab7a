/** Clients and the doctor on a broker that is late with what is retained. */
import assert from "node:assert/strict";
import { Examination } from "../../src/mqtt/mod.ts";
import { Client } from "../harness/client.ts";
import { at, run } from "../harness/client_program.ts";
import { finalStatus } from "../harness/final_status.ts";
import { ListeningBroker } from "../simulation/listener.ts";

const TASKS = 300;
const WORKERS = 40;

const TIME = "2026-05-04T12:00:00.000Z";

const presence = (id: string) =>
  JSON.stringify({
    worker_id: id,
    instance: id,
    state: "online",
    slots: 1,
    version: "1",
    ansible_version: "2",
    host: "h",
    started_at: TIME,
    updated_at: TIME,
  });

Deno.test({
  name:
    "what a broker sends late, and in any order, is in the lists of the clients and before the doctor, all of it",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using broker = await ListeningBroker.start({
      behaviour: { lateRetained: { share: 1, ms: 150, shuffled: true } },
    });
    const { port } = broker;
    await using client = await Client.connect(port);
    const retain = (topic: string, text: string) =>
      client.publish(`${client.base}/${topic}`, text, { retain: true });
    const ids = Array.from({ length: TASKS }, (_, i) => `t-${i}`);
    await Promise.all(
      ids.map((id) => retain(`tasks/${id}/status`, finalStatus(id))),
    );
    const workers = Array.from({ length: WORKERS }, (_, i) => `w-${i}`);
    await Promise.all(
      workers.map((id) => retain(`workers/${id}/status`, presence(id))),
    );
    const lines = async (...args: string[]) => {
      const { code, stdout, stderr } = await run([...args, ...at(port)]);
      assert.equal(code, 0, stderr + stdout);
      return stdout.split("\n").filter((line) => line !== "");
    };

    await t.step("tasks", async () => {
      const listed = (await lines("tasks", "--json"))
        .map((line) => JSON.parse(line).task_id);
      assert.deepEqual(listed.toSorted(), ids.toSorted());
    });

    await t.step("workers", async () => {
      const listed = (await lines("workers", "--json"))
        .map((line) => JSON.parse(line).worker_id);
      assert.deepEqual(listed.toSorted(), workers.toSorted());
    });

    await t.step("watch, of a task that has ended", async () => {
      assert.match((await lines("watch", "t-299")).join("\n"), /t-299/);
    });

    await t.step("a look of the doctor", async () => {
      await using examination = await Examination.open({
        host: "127.0.0.1",
        port,
        keepalive: 60,
        reconnectMin: 1,
        reconnectMax: 1,
      }, { clientId: "doctor", sessionExpiry: 0, clean: true });
      const found = await examination.lookUpAll(
        `${client.base}/workers/+/status`,
      );
      assert.equal(found.length, WORKERS);
    });
  },
});
