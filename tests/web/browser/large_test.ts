/** What is large: 10 MB of output, and 200 hosts × 100 play tasks. */
import assert from "node:assert/strict";
import { encodeEvent, EVENT_STATES } from "../../../src/messages/event.ts";
import { encodeOutput } from "../../../src/messages/output.ts";
import {
  encodeTaskStatus,
  type TaskState,
} from "../../../src/messages/task_status.ts";
import { chromium } from "../../../dev/programs.ts";
import { Broker } from "../../harness/broker.ts";
import { Browser } from "../../harness/browser.ts";
import { Client } from "../../harness/client.ts";
import { Project } from "../../harness/project.ts";
import { until } from "../../harness/waiting.ts";
import { Web } from "../../harness/web.ts";
import { status } from "../messages.ts";

const HOSTS = 200;
const TASKS = 100;
const OUTPUT_BYTES = 10 * 1024 * 1024;

/** As a worker tells it. */
function told(state: TaskState): string {
  return encodeTaskStatus(status("large", state, {
    playbook: "large.yml",
    tasks_total: HOSTS * TASKS,
  }));
}

function* events(): Generator<string> {
  let seq = 0;
  const event = (more: Partial<Parameters<typeof encodeEvent>[0]>) =>
    encodeEvent({
      task_id: "large",
      seq: ++seq,
      time: new Date(1_790_000_000_000 + seq).toISOString(),
      event: "result",
      play: "Everything",
      task: "Something",
      host: null,
      state: null,
      changed: null,
      duration_seconds: null,
      message: null,
      left_out: 0,
      ...more,
    });
  for (let t = 0; t < TASKS; t++) {
    const task = `Do number ${t}`;
    yield event({ event: "task_start", task });
    for (let h = 0; h < HOSTS; h++) {
      const state = (h * 7 + t * 3) % 50 === 0
        ? EVENT_STATES[(h + t) % EVENT_STATES.length]!
        : "ok";
      yield event({ task, host: `host-${h}`, state, changed: false });
    }
  }
}

function* output(): Generator<string> {
  let line = 0;
  let sent = 0;
  for (let seq = 1; sent < OUTPUT_BYTES; seq++) {
    let text = "";
    while (text.length < 50_000) {
      text += `\u001b[0;32mok: [host-${line % HOSTS}] => number ${line}, and ${
        "what else there is ".repeat(3)
      }\u001b[0m\n`;
      line++;
    }
    sent += text.length;
    yield encodeOutput({
      task_id: "large",
      seq,
      stream: "stdout",
      text,
      truncated: false,
      left_out: 0,
    });
  }
}

Deno.test({
  name: "the page: 10 MB of output and 20,000 results open at once",
  ignore: !await chromium(),
  async fn() {
    // It comes faster here than from a run: mosquitto would drop what is more
    // than 1,000 messages ahead of a subscriber.
    await using broker = await Broker.start({
      extra: ["max_queued_messages 0"],
    });
    await using project = await Project.create();
    await using web = await Web.start({ project, port: broker.port });
    await using client = await Client.connect(broker.port);
    const topic = `${client.base}/tasks/large`;
    await client.publish(`${topic}/status`, told("running"), {
      retain: true,
    });
    await Promise.all(
      [...events()].map((one) => client.publish(`${topic}/events`, one)),
    );
    await Promise.all(
      [...output()].map((one) => client.publish(`${topic}/output`, one)),
    );
    await client.publish(`${topic}/status`, told("success"), {
      retain: true,
    });

    await using browser = await Browser.start(web.address);
    const page = await browser.open("/");
    await page.locator("#ended .line", { hasText: "large.yml" }).waitFor();
    const since = performance.now();
    await page.goto("/tasks/large");
    await page.locator("#L1").waitFor();
    await page.locator("#map canvas").waitFor();
    const openedMs = performance.now() - since;
    const count = (selector: string) => page.locator(selector).count();
    const nodes = await page.evaluate(
      "document.querySelectorAll('*').length",
    ) as number;
    assert.ok(nodes < 10_000, `${nodes} elements`);

    // The end of it is as near as its beginning.
    const lines = Number(await page.locator("#output-n").innerText());
    assert.ok(lines > 90_000);
    await page.locator(".terminal").focus();
    await page.keyboard.press("End");
    await page.locator(`#L${lines}`).waitFor();
    assert.ok(await count(".terminal .l") < 3000);

    // What is seen of the map is painted, and any of it can be asked for.
    const area = page.locator("#map .area");
    await area.focus();
    await page.keyboard.press("End");
    await page.locator(".readout", { hasText: "host-0 · Do number 99" })
      .waitFor();
    await page.keyboard.press("Enter");
    await page.locator(".cell-result", { hasText: "host-0" }).waitFor();
    await page.getByText("The same as a table").click();
    await until(
      "a row for each host",
      async () => await count(".as-table tbody tr") === HOSTS,
    );
    assert.deepEqual(browser.complaints, []);
    console.log(
      `10 MB and ${HOSTS * TASKS} results: open after ${
        openedMs.toFixed(0)
      } ms, ${nodes} elements`,
    );
  },
});
