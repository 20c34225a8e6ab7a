/** A page that is killed again and again while much comes. */
import assert from "node:assert/strict";
import { Database } from "../../src/web/database.ts";
import { Store } from "../../src/web/store.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { pause, until } from "../harness/waiting.ts";
import { Web } from "../harness/web.ts";
import { event, output, status } from "./messages.ts";

/** How often; `KILLS=50` for long. */
const KILLS = Number(Deno.env.get("KILLS") ?? 3);

const TASKS = 5;

Deno.test(`killed ${KILLS} times under load, the page has all, and all once`, async () => {
  await using project = await Project.create();
  // A queue that holds what comes while the page is away: by itself the broker
  // keeps 1,000 messages.
  await using broker = await Broker.start({
    extra: ["max_queued_messages 1000000"],
  });
  await using client = await Client.connect(broker.port);
  await using web = await Web.start({ project, port: broker.port });
  await until("the broker", () => web.log.includes("connected to the broker"));

  const put = (id: string, leaf: string, message: unknown) =>
    client.publish(
      `${client.base}/tasks/${id}/${leaf}`,
      JSON.stringify(message),
      {
        retain: leaf === "status",
      },
    );
  const ids = Array.from({ length: TASKS }, (_, i) => `t-${i}`);
  let goesOn = true;
  const counts = new Map<string, number>();
  const feed = async (id: string) => {
    await put(id, "status", status(id, "running"));
    let seq = 0;
    while (goesOn) {
      seq++;
      await Promise.all([
        put(
          id,
          "events",
          event(id, seq, { host: seq % 3 ? `h${seq % 3}` : null }),
        ),
        put(id, "output", output(id, seq, `line ${seq}\n`)),
      ]);
      if (seq % 20 === 0) {
        await put(
          id,
          "status",
          status(id, "running", { duration_seconds: seq, tasks_ok: seq }),
        );
      }
    }
    await put(id, "status", status(id, "success"));
    counts.set(id, seq);
  };
  const feeding = Promise.all(ids.map(feed));
  for (let i = 0; i < KILLS; i++) {
    await pause(0.3 + Math.random());
    await web.kill();
    {
      using database = Database.open(project.path("web.db"));
      assert.ok(database.isSound());
    }
    await web.start();
  }
  goesOn = false;
  await feeding;
  const url = `${web.address}/api/tasks?state=success`;
  await until("all of it", async () => {
    const response = await fetch(url).catch(() => null);
    if (!response) return false;
    const { tasks } = await response.json();
    return tasks.length === TASKS;
  });
  // The status may come before what gives way to it.
  await until("the last piece", async () => {
    for (const id of ids) {
      const after = counts.get(id)! - 1;
      for (const what of ["events", "output"]) {
        const response = await fetch(
          `${web.address}/api/tasks/${id}/${what}?after=${after}`,
        );
        const found = await response.json();
        if (found[what].length === 0) return false;
      }
    }
    return true;
  });
  await web.kill();
  using database = Database.open(project.path("web.db"));
  assert.ok(database.isSound());
  const store = new Store(database);
  let total = 0;
  for (const id of ids) {
    const count = counts.get(id)!;
    const { key, gaps, otherRuns } = store.task(id)!;
    const wanted = Array.from({ length: count }, (_, i) => i + 1);
    assert.deepEqual(gaps, []);
    assert.deepEqual(otherRuns, []);
    assert.deepEqual(
      store.events(key, { after: 0, limit: 1e6 }).map(({ seq }) => seq),
      wanted,
    );
    assert.equal(
      [...store.texts(key)].join(""),
      wanted.map((seq) => `line ${seq}\n`).join(""),
    );
    total += count;
  }
  console.log(`${total * 2} messages, ${KILLS} kills`);
});
