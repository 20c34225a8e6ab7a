/** A flood of bad messages: no memory that stays, and no good task kept out. */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Worker } from "../harness/worker.ts";

const TASKS = "ansible/test/tasks";
const SMALL = 20_000;
const LARGE = 200;
const MEBIBYTE = 1024 * 1024;

/**
 * How much more memory the worker may have, in MB: less than a fifth of what
 * the large messages have together.
 */
const MAX_MEMORY = 300;

/**
 * The heap that the worker gets, in MB. It starts with some 60, and each small
 * message that stayed would take some kilobytes: it would run out of it.
 */
const HEAP = 120;

Deno.test({
  name: "20,000 bad messages, and 200 of 1 MB, keep no good one out",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    // The broker is not to be what gives way first.
    await using broker = await Broker.start({
      extra: ["max_queued_messages 0"],
    });
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      arguments: ([run, ...others]) => [
        run!,
        `--v8-flags=--max-old-space-size=${HEAP}`,
        ...others,
      ],
    });
    assert.equal((await client.run(project.work("before"))).state, "success");
    const before = await worker.memory();
    let sent = 0;
    const flood = async (
      name: string,
      { count, payload }: {
        count: number;
        payload: (i: number) => string | Uint8Array;
      },
    ) => {
      const bad = Array.from(
        { length: count },
        (_, i) => client.publish(TASKS, payload(i), { qos: 2 }),
      );
      sent += count;
      // Behind all of them.
      const good = await client.run(project.work(name), 120);
      assert.equal(good.state, "success");
      await Promise.all(bad);
      const memory = await worker.memory();
      console.log(`${memory.toFixed(0)} MB after ${name}`);
      assert.ok(memory - before < MAX_MEMORY);
    };
    const text = (i: number) => `{"${i}`;
    await flood("small-1", { count: SMALL, payload: text });
    await flood("small-2", { count: SMALL, payload: text });
    const brackets = new Uint8Array(MEBIBYTE).fill("[".charCodeAt(0));
    await flood("large-1", { count: LARGE, payload: () => brackets });
    await flood("large-2", { count: LARGE, payload: () => brackets });

    assert.equal(await worker.stop(), 0);
    await worker.ended();
    // Each is either told of or counted, and many are reported.
    const told = worker.log.split("a message is rejected").length - 1;
    const leftOut = [...worker.log.matchAll(/left_out=(\d+)/g)]
      .reduce((sum, [, count]) => sum + Number(count), 0);
    assert.equal(told + leftOut, sent);
    const reported = client.rejected().length;
    assert.ok(reported > 1000 && reported <= sent, String(reported));
    assert.ok(leftOut > 0);
    console.log(`${told} lines, ${leftOut} left out; ${reported} reports`);
  },
});
