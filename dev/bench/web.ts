/**
 * The page with 100,000 tasks, and with 50 readers while 20 runs go on.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Database } from "../../src/web/database.ts";
import { Recorder } from "../../src/web/recorder.ts";
import { Broker } from "../../tests/harness/broker.ts";
import { Client } from "../../tests/harness/client.ts";
import { Project } from "../../tests/harness/project.ts";
import { pause, until } from "../../tests/harness/waiting.ts";
import { Web } from "../../tests/harness/web.ts";
import { event, output, status } from "../../tests/web/messages.ts";
import type { Figure } from "./figures.ts";
import { processorTime } from "./processor_time.ts";

const TASKS = 100_000;
const RUNS = 20;
const READERS = 50;

/** How often each question is asked. */
const ASKED = 15;

/** How long runs and readers are watched, in seconds. */
const WATCHED = 30;

/** Events and pieces of output of one run in a second, each. */
const RATE = 10;

/** First bytes, searches, and what readers cost. */
export async function web(): Promise<Figure[]> {
  await using project = await Project.create();
  await using broker = await Broker.start({
    extra: ["max_queued_messages 1000000"],
  });
  await using client = await Client.connect(broker.port);
  fill(project.path("web.db"));
  await using page = await Web.start({ project, port: broker.port });
  await until("the broker", () => page.log.includes("connected to the broker"));
  const figures: Figure[] = [];
  for (
    const [what, path] of [
      ["the board's first byte", "/"],
      ["the board of what failed", "/?state=failed"],
      ["a search of a word that all tasks have", "/?search=site"],
      ["a search of one task", "/?search=t-54321"],
      ["a search of an error, with a filter", "/?search=disk&state=failed"],
      ["a page from the middle", "/?cursor=50000"],
      ["the history of a playbook", "/history?playbook=site-3.yml"],
    ] as const
  ) {
    const values: number[] = [];
    for (let i = 0; i < ASKED; i++) {
      const started = performance.now();
      const response = await fetch(`${page.address}${path}`);
      values.push(performance.now() - started);
      await response.text();
    }
    figures.push({ what: `web, 100,000 tasks: ${what}`, values, unit: "ms" });
  }
  figures.push(...await underLoad(page, client));
  return figures;
}

/** Tasks as a year brings them. */
function fill(path: string): void {
  using database = Database.open(path);
  database.all("PRAGMA synchronous = OFF");
  const recorder = new Recorder(database, {
    onCommit: () => {},
    onFailure: (error) => {
      throw error;
    },
  });
  for (let i = 0; i < TASKS; i++) {
    const at = (seconds: number) =>
      new Date(Date.now() - (TASKS - i) * 60_000 + seconds * 1000)
        .toISOString();
    recorder.put({
      kind: "status",
      status: status(`t-${i}`, i % 20 === 0 ? "failed" : "success", {
        created_at: at(0),
        started_at: at(1),
        completed_at: at(31),
        playbook: `site-${i % 10}.yml`,
        worker_id: `w${i % 7}`,
        error_message: i % 20 === 0 ? "web1: failed: no disk left" : null,
      }),
    });
  }
  recorder.flush();
}

async function underLoad(page: Web, client: Client): Promise<Figure[]> {
  const ids = Array.from({ length: RUNS }, (_, i) => `run-${i}`);
  const put = (id: string, leaf: string, message: unknown) =>
    client.publish(
      `${client.base}/tasks/${id}/${leaf}`,
      JSON.stringify(message),
    );
  await Promise.all(ids.map((id) => put(id, "status", status(id, "running"))));
  await until("the runs", async () => {
    const response = await fetch(`${page.address}/api/tasks?state=running`);
    return (await response.json()).tasks.length === RUNS;
  });
  let bytes = 0;
  const readers = await Promise.all(
    Array.from({ length: READERS }, async (_, i) => {
      const path = i % 2 === 0 ? "/stream" : `/tasks/${ids[i % RUNS]}/stream`;
      const { body } = await fetch(`${page.address}${path}`);
      const reader = body!.getReader();
      void (async () => {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) return;
          bytes += value.length;
        }
      })();
      return reader;
    }),
  );
  const before = await processorTime(page.pid);
  const end = performance.now() + WATCHED * 1000;
  let most = 0;
  const watching = (async () => {
    while (performance.now() < end) {
      most = Math.max(most, await resident(page.pid));
      await pause(0.5);
    }
  })();
  await Promise.all(ids.map(async (id) => {
    for (let seq = 1; performance.now() < end; seq++) {
      const next = pause(1 / RATE);
      await put(
        id,
        "events",
        event(id, seq, {
          host: seq % 11 === 1 ? null : `h${seq % 11}`,
          task: `step ${Math.floor(seq / 11)}`,
        }),
      );
      await put(id, "output", output(id, seq, `ok: [h${seq % 11}]\n`));
      if (seq % RATE === 0) {
        await put(
          id,
          "status",
          status(id, "running", { duration_seconds: seq, tasks_ok: seq }),
        );
      }
      await next;
    }
    await put(id, "status", status(id, "success"));
  }));
  await watching;
  const { own } = await processorTime(page.pid);
  // What a subscriber has seen, against what the page has kept.
  let published = 0;
  let missing = 0;
  for (const id of ids) {
    for (const what of ["events", "output"]) {
      const topic = `${client.base}/tasks/${id}/${what}`;
      const seen = client.messages.filter((m) => m.topic === topic).length;
      let kept = 0;
      let after: number | null = 0;
      while (after !== null) {
        const response: Response = await fetch(
          `${page.address}/api/tasks/${id}/${what}?limit=200&after=${after}`,
        );
        const found = await response.json();
        kept += found[what].length;
        after = found.next;
      }
      published += seen;
      missing += seen - kept;
    }
  }
  await Promise.all(readers.map((reader) => reader.cancel()));
  assert.ok(published > RUNS * RATE, String(published));
  const load = `web, ${READERS} readers and ${RUNS} runs`;
  return [
    { what: `${load}: resident at most`, values: [most], unit: "MB" },
    {
      what: `${load}: processor`,
      values: [(own - before.own) / WATCHED * 1000],
      unit: "ms/s",
    },
    { what: `${load}: messages`, values: [published / WATCHED], unit: "/s" },
    { what: `${load}: messages missing`, values: [missing], unit: "" },
    {
      what: `${load}: sent to readers`,
      values: [bytes / WATCHED / 1e6],
      unit: "MB/s",
    },
  ];
}

async function resident(pid: number): Promise<number> {
  const text = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s*(\d+)/.exec(text)![1]) / 1024;
}
