/** The page with a real broker, a real worker and real Ansible. */
import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { finalStatus } from "../harness/final_status.ts";
import { localHosts, Project } from "../harness/project.ts";
import { Signer } from "../harness/signing.ts";
import { until } from "../harness/waiting.ts";
import { Web } from "../harness/web.ts";
import { Worker } from "../harness/worker.ts";
import { form, json, posted, Stream } from "./reading.ts";

const PLAYBOOKS = {
  hosts: localHosts("h1", "h2", "h3"),
  "mixed.yml": `
- name: first
  hosts: all
  gather_facts: false
  tasks:
    - name: says
      debug: { msg: "hello <script>alert(1)</script>" }
    - name: breaks
      fail: { msg: "no disk left" }
      when: inventory_hostname == "h2"
    - name: goes on
      debug: { msg: "{{ secret | default('') | length }}" }
`,
};

const PUBLISH = { publish_events: true, publish_output: true };

interface Kit extends AsyncDisposable {
  project: Project;
  broker: Broker;
  client: Client;
}

async function kit(files = PLAYBOOKS): Promise<Kit> {
  await using stack = new AsyncDisposableStack();
  const project = stack.use(await Project.create(files));
  const broker = stack.use(
    await Broker.start({ extra: ["max_queued_messages 100000"] }),
  );
  const client = stack.use(await Client.connect(broker.port));
  const all = stack.move();
  return {
    project,
    broker,
    client,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Whether a page has exactly what a subscriber has seen of a task. */
async function assertSame(web: Web, client: Client, id: string): Promise<void> {
  // It comes behind all the rest.
  const last = await client.final(id);
  const seen = (leaf: string) =>
    client.messages.filter(({ topic }) =>
      topic === `${client.base}/tasks/${id}/${leaf}`
    ).map(({ text }) => JSON.parse(text));
  await until("the final status", async () => {
    const response = await fetch(`${web.address}/api/tasks/${id}`);
    const { completed_at } = await response.json();
    return response.ok && completed_at !== null;
  });
  // Where it is retained it may overtake what the broker has kept for the page.
  for (const leaf of ["events", "output"]) {
    await until(
      `all ${leaf}`,
      async () =>
        (await json(`${web.address}/api/tasks/${id}/${leaf}`))[leaf].length >=
          seen(leaf).length,
    );
  }
  const { key: _, updated_at: __, moves, gaps, ...status } = await json(
    `${web.address}/api/tasks/${id}`,
  );
  for (const [name, value] of Object.entries(last)) {
    assert.deepEqual(status[name], value, name);
  }
  assert.deepEqual(gaps, []);
  assert.equal(moves.at(-1).state, last.state);
  const { events } = await json(`${web.address}/api/tasks/${id}/events`);
  assert.deepEqual(
    events.map(({ column: _, ...event }: { column: number }) => event),
    seen("events"),
  );
  const { output } = await json(`${web.address}/api/tasks/${id}/output`);
  assert.deepEqual(output, seen("output"));
}

/** Whether all that may be read as JSON is what OpenAPI says it is. */
async function assertDescribed(web: Web, id: string): Promise<void> {
  const document = await json(`${web.address}/api/openapi.json`);
  assert.equal(document.openapi, "3.1.0");
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: "api", components: document.components });
  const check = (value: unknown, ref: string) => {
    const validate = ajv.getSchema(`api${ref}`)!;
    assert.ok(validate(value), `${ref}: ${JSON.stringify(validate.errors)}`);
  };
  let checked = 0;
  for (
    const [path, { get }] of Object.entries<
      Record<string, {
        responses: Record<string, {
          content: Record<string, { schema: { $ref: string } }>;
        }>;
      }>
    >(document.paths)
  ) {
    const content = get?.responses[200]?.content["application/json"];
    if (!content) continue;
    check(
      await json(`${web.address}${path.replace("{id}", id)}`),
      content.schema.$ref,
    );
    checked++;
  }
  assert.equal(checked, 6);
  const response = await fetch(`${web.address}/api/tasks/none`);
  assert.equal(response.status, 404);
  check(await response.json(), "#/components/schemas/Problem");
}

Deno.test("a task that is asked for on the page is seen there live, and kept as it was published", async () => {
  await using all = await kit();
  const { project, broker, client } = all;
  await using web = await Web.start({
    project,
    port: broker.port,
    narrow: true,
    web: { allow: ["submit", "cancel"] },
  });
  await using _worker = await Worker.start({
    project,
    port: broker.port,
    worker: PUBLISH,
  });
  await until(
    "the worker",
    async () => (await json(`${web.address}/api/workers`)).workers.length === 1,
  );
  await using board = await Stream.open(`${web.address}/stream`);
  const { task_id: id, state } = await json(
    `${web.address}/api/tasks`,
    posted({
      playbook: "mixed.yml",
      inventory: "hosts",
      extra_vars: { secret: "hidden-in-the-sea", exact: 1.0 },
    }),
  );
  assert.equal(state, "taken");
  await using task = await Stream.open(`${web.address}/tasks/${id}/stream`);
  await task.event(
    "its end",
    ({ event, data }) => event === "output" && !data.isOpen,
  );
  const map = task.events.find(({ event }) => event === "map")!.data;
  for (const { event, data } of task.events) {
    if (event !== "cells") continue;
    map.hosts.push(...data.hosts);
    map.columns.push(...data.columns);
    for (const [host, column, sign] of data.cells) {
      const row = (map.cells[host] ?? "").padEnd(column, ".");
      map.cells[host] = row.slice(0, column) + sign + row.slice(column + 1);
    }
  }
  assert.deepEqual(
    Object.fromEntries(
      map.hosts.map((host: string, i: number) => [host, map.cells[i]]),
    ),
    { h1: "oso", h2: "of", h3: "oso" },
  );
  assert.deepEqual(
    map.columns.map(({ task }: { task: string }) => task),
    ["says", "breaks", "goes on"],
  );
  await assertSame(web, client, id);

  // The page itself, and everything on it that came by a message, escaped.
  const html = await (await fetch(`${web.address}/tasks/${id}`)).text();
  assert.ok(html.includes("no disk left"));
  assert.ok(!html.includes("<script>alert"));
  const host = map.hosts.indexOf("h2");
  const cell = await fetch(
    `${web.address}/tasks/${id}/cell?host=${host}&column=1`,
  );
  assert.ok((await cell.text()).includes("no disk left"));
  const { lines } = await json(
    `${web.address}/tasks/${id}/output/find?text=no%20disk`,
  );
  assert.ok(lines.length > 0);
  const lineHtml = await (await fetch(
    `${web.address}/tasks/${id}/output?from=${lines[0]}&lines=1`,
  )).text();
  assert.ok(lineHtml.includes("no disk left"), lineHtml);
  const whole = await (await fetch(`${web.address}/tasks/${id}/output.txt`))
    .text();
  assert.ok(whole.includes("PLAY RECAP"));
  await board.event(
    "the task",
    ({ data }) => JSON.stringify(data).includes(id),
  );

  await assertDescribed(web, id);

  // What the request carried is nowhere.
  for (const end of ["", "-wal"]) {
    const file = await Deno.readTextFile(`${project.path("web.db")}${end}`);
    assert.ok(!file.includes("hidden-in-the-sea"), `web.db${end}`);
  }
  await until(
    "the request in the log",
    () => web.log.includes(`web: submit task_id=${id} who=`),
  );
  assert.ok(!web.log.includes("hidden-in-the-sea"));
});

Deno.test("a form with a mistake says what is wrong; without one it runs, and can be cancelled", async () => {
  await using all = await kit();
  const { project, broker, client } = all;
  await using web = await Web.start({
    project,
    port: broker.port,
    web: { allow: ["submit", "cancel"] },
  });
  await using _worker = await Worker.start({
    project,
    port: broker.port,
    worker: PUBLISH,
    config: {
      templates: {
        work: {
          playbook: "work.yml",
          inventory: "hosts",
          extra_vars: { truth: project.truthFile },
          variables: {
            properties: {
              id: { type: "string", pattern: "^[a-z]+$", description: "An id" },
              seconds: { type: "integer", default: 0, maximum: 60 },
            },
            required: ["id"],
          },
          may_set: ["limit"],
        },
      },
    },
  });
  const url = `${web.address}/templates/work`;
  await until("the template", async () => {
    const response = await fetch(url, { headers: { accept: "text/html" } });
    await response.body?.cancel();
    return response.ok;
  });
  const wrong = await fetch(
    url,
    form(url, { "var.id": "NO", "var.seconds": "soon", limit: "h1" }),
  );
  assert.equal(wrong.status, 422);
  const html = await wrong.text();
  assert.ok(html.includes("must match ^[a-z]+$"), html);
  assert.ok(html.includes("must be a whole number"), html);
  assert.ok(html.includes('value="NO"'), "it can be corrected");

  const right = await fetch(
    url,
    form(url, { "var.id": "slow", "var.seconds": "60", limit: "h1" }),
  );
  assert.equal(right.status, 303, await right.text());
  const path = right.headers.get("location")!;
  const id = decodeURIComponent(path.split("/").at(-1)!);
  const requests = () =>
    client.messages.filter(({ topic }) => topic.endsWith("/tasks"));
  await until(
    "the request",
    () => requests().some(({ text }) => text.includes(id)),
  );
  assert.equal(requests().length, 1, "none for the form with a mistake");
  const running = await client.status(id, ({ state }) => state === "running");
  assert.equal(running.template, "work");
  const cancel = await fetch(
    `${web.address}${path}/cancel`,
    form(url, { reason: "wrong one" }),
  );
  assert.equal(cancel.status, 303, await cancel.text());
  const final = await client.final(id);
  assert.equal(final.state, "cancelled");
  assert.match(final.error_message!, /^cancelled: wrong one/);
  await assertSame(web, client, id);

  // What only the worker knows is wrong comes back to the form, too.
  const refused = await fetch(
    `${web.address}/submit`,
    form(url, { playbook: "../none.yml", inventory: "hosts" }),
  );
  await refused.text();
  assert.ok([303, 422].includes(refused.status), String(refused.status));
});

Deno.test("what came while the page was away is there afterwards; two pages do not disturb each other", async () => {
  await using all = await kit();
  const { project, broker, client } = all;
  await using _worker = await Worker.start({
    project,
    port: broker.port,
    worker: PUBLISH,
  });
  await using other = await Web.start({ project, port: broker.port, id: "b" });
  await using web = await Web.start({ project, port: broker.port, id: "a" });
  const run = (id: string) =>
    client.run({ task_id: id, playbook: "mixed.yml", inventory: "hosts" });
  for (const page of [web, other]) {
    await until("it", () => page.log.includes("connected to the broker"));
  }
  await run("before");
  await assertSame(web, client, "before");
  await web.kill();
  await run("meanwhile");
  await web.start();
  await run("after");
  for (const id of ["before", "meanwhile", "after"]) {
    await assertSame(web, client, id);
    await assertSame(other, client, id);
  }
  const { tasks } = await json(`${web.address}/api/tasks`);
  assert.deepEqual(
    tasks.map(({ task_id }: { task_id: string }) => task_id),
    ["after", "meanwhile", "before"],
  );
});

Deno.test("with a signing key, workers that want signatures take what is asked for", async () => {
  await using all = await kit();
  const { project, broker, client } = all;
  const signer = await Signer.create("page");
  await Deno.writeTextFile(project.path("page.pub"), signer.pem);
  await Deno.writeTextFile(project.path("page.jwk"), signer.privateJwk, {
    mode: 0o600,
  });
  await using _worker = await Worker.start({
    project,
    port: broker.port,
    config: {
      security: {
        trusted_keys: [{ id: "page", file: project.path("page.pub") }],
      },
    },
  });
  const allow = ["submit", "cancel"];
  await using plain = await Web.start({
    project,
    port: broker.port,
    id: "plain",
    web: { allow },
  });
  await using web = await Web.start({
    project,
    port: broker.port,
    narrow: true,
    web: { allow, signing_key: project.path("page.jwk") },
  });
  const connected = (page: Web) =>
    until("the broker", () => page.log.includes("connected to the broker"));
  await connected(plain);
  await connected(web);
  const refused = await fetch(
    `${plain.address}/api/tasks`,
    posted(project.work("unsigned")),
  );
  assert.equal(refused.status, 422);
  assert.equal(refused.headers.get("content-type"), "application/problem+json");
  const problem = await refused.json();
  assert.equal(problem.status, 422);
  assert.ok(problem.errors.length > 0);
  await json(
    `${web.address}/api/tasks`,
    posted(project.work("signed", { seconds: 60 })),
  );
  await client.status("signed", ({ state }) => state === "running");
  await json(`${web.address}/api/tasks/signed/cancel`, posted({ reason: "r" }));
  assert.equal((await client.final("signed")).state, "cancelled");
});

Deno.test("without a worker a request waits, and without a broker nothing is sent", async () => {
  await using all = await kit();
  const { project, broker } = all;
  await using web = await Web.start({
    project,
    port: broker.port,
    web: { allow: ["submit"] },
  });
  await until("the broker", () => web.log.includes("connected to the broker"));
  const waiting = await fetch(
    `${web.address}/api/tasks`,
    posted(project.work("waits")),
  );
  assert.equal(waiting.status, 202);
  assert.deepEqual(await waiting.json(), {
    task_id: "waits",
    state: "waits",
    reason: "no worker is online",
  });
  await broker.stop();
  await until(
    "the loss",
    () => web.log.includes("connection to the broker is lost"),
  );
  const lost = await fetch(
    `${web.address}/api/tasks`,
    posted(project.work("lost")),
  );
  assert.equal(lost.status, 503);
  assert.match((await lost.json()).detail, /not connected: nothing was sent/);
  await using summary = await Stream.open(`${web.address}/summary/stream`);
  const { data } = await summary.event(
    "it",
    ({ event }) => event === "summary",
  );
  assert.equal(data.isConnected, false);
});

Deno.test("a page without parts is told of runs that come and go within a moment", async () => {
  await using all = await kit();
  const { project, broker, client } = all;
  await using web = await Web.start({ project, port: broker.port });
  await using stream = await Stream.open(`${web.address}/summary/stream`);
  const told = () =>
    stream.events.filter(({ event }) => event === "changed").length;
  // The first one may be told of the connection.
  for (const id of ["a", "b", "c"]) {
    const before = told();
    await client.publish(
      `${client.base}/tasks/${id}/status`,
      finalStatus(id),
      { qos: 1, retain: true },
    );
    await until(`what changes with ${id}`, () => told() > before);
  }
  const numbers = stream.events.filter(({ event }) => event === "summary")
    .map(({ data: { running, queued, failedToday } }) =>
      running + queued + failedToday
    );
  assert.deepEqual(new Set(numbers), new Set([0]));
});

Deno.test("the board and a task say which lock is waited for, who holds it, and when another does", async () => {
  await using all = await kit();
  const { project, broker, client } = all;
  await using web = await Web.start({ project, port: broker.port });
  await using worker = await Worker.start({
    project,
    port: broker.port,
    id: "w1",
    worker: { max_concurrent_tasks: 2 },
  });
  const locked = (id: string) =>
    client.submit(project.work(id, { seconds: 60, lock: "web" }));
  await locked("first");
  await client.status("first", ({ state }) => state === "running");
  await locked("second");
  await locked("third");
  await client.status("third", ({ current_task }) => current_task !== null);
  await using board = await Stream.open(`${web.address}/stream`);
  await board.event(
    "the third task",
    ({ event, data }) =>
      event === "parts" &&
      data.some((html: string) => html.includes("/tasks/third")),
  );
  await using task = await Stream.open(`${web.address}/tasks/third/stream`);
  for (const holder of ["first", "second"]) {
    for (const stream of [board, task]) {
      await stream.event(
        `that ${holder} holds it`,
        ({ event, data }) =>
          event === "parts" &&
          data.some((html: string) =>
            html.includes(`waits for lock web, held by ${holder} at w1<`)
          ),
      );
    }
    await client.cancel(holder);
    await client.final(holder);
  }
  await client.cancel("third");
  await client.final("third");
  assert.equal(await worker.stop(), 0);
});
