/**
 * Attacks on the page, by messages and over HTTP, against the program under its
 * narrowest permissions: none succeeds, and it answers afterwards.
 */
import assert from "node:assert/strict";
import type { Lock } from "../../src/messages/lock.ts";
import type { Presence } from "../../src/messages/presence.ts";
import { hashOf, withUser } from "../../src/web/users.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { until, within } from "../harness/waiting.ts";
import { Web } from "../harness/web.ts";
import { event, output, status } from "./messages.ts";
import { form, posted, Stream } from "./reading.ts";

/** Would run, or break out of where it stands, if it were not escaped. */
const SCRIPT =
  `"'><script>hacked()</script><img src=x onerror=hacked()>\n\ndata: x\u202e\u0000`;
const ONE_LINE = SCRIPT.replaceAll("\n", " ").replaceAll("\u0000", "");
const URL_SCRIPT = "javascript:hacked()";
const PASSWORD = "correct horse battery";

interface Scene {
  project: Project;
  client: Client;
  /** Nobody has to log in, and all is allowed. */
  open: Web;
  /** With alice, an operator, and victor, a viewer. */
  closed: Web;
  /** Behind a proxy on another host. */
  proxied: Web;
  /** A session's cookie of a user. */
  cookie(name: string): Promise<string>;
}

/** Whether a server answers as if nothing had happened. */
async function assertAlive(web: Web): Promise<void> {
  const response = await fetch(`${web.address}/login`, {
    redirect: "manual",
    signal: AbortSignal.timeout(20_000),
  });
  await response.text();
  assert.ok([200, 303].includes(response.status), String(response.status));
}

/** Sends bytes as they are; what comes back until the server ends the connection. */
async function raw(web: Web, text: string): Promise<string> {
  const { port, hostname } = new URL(web.address);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  writeAll(connection, new TextEncoder().encode(text)).catch(() => {});
  let answer = "";
  const read = async () => {
    const buffer = new Uint8Array(65_536);
    for (;;) {
      const count = await connection.read(buffer).catch(() => null);
      if (count === null) return;
      answer += new TextDecoder().decode(buffer.subarray(0, count));
    }
  };
  await within(
    () => `the end of what began with ${text.slice(0, 100)}; it got: ${answer}`,
    read(),
  );
  return answer;
}

async function writeAll(to: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) {
    sent += await to.write(bytes.subarray(sent));
  }
}

const HTML = { accept: "text/html" };

async function text(url: string, init: RequestInit = {}): Promise<string> {
  return await (await fetch(url, { headers: HTML, ...init })).text();
}

/** Whether nothing of ours has become more than text in HTML. */
function assertHarmless(html: string, where: string): void {
  assert.ok(!/<script>hacked|<img src=x/.test(html), where);
  for (const [tag] of html.matchAll(/<[a-z](?:"[^"]*"|[^>"])*>/g)) {
    const names = tag.replaceAll(/"[^"]*"/g, "");
    assert.ok(!/\s(on[a-z]+|style)=/.test(names), `${where}: ${tag}`);
    assert.ok(
      !/(href|src|action)="\s*javascript:/i.test(tag),
      `${where}: ${tag}`,
    );
  }
}

/** Each page and fragment of a task, and the lists that it is in. */
async function assertAllHarmless(web: Web, id: string): Promise<void> {
  const task = `${web.address}/tasks/${encodeURIComponent(id)}`;
  const urls = [
    `${web.address}/`,
    task,
    `${task}/output?from=0`,
    `${task}/cell?host=0&column=0`,
    `${web.address}/history`,
    `${web.address}/templates`,
    `${web.address}/submit?again=${encodeURIComponent(id)}`,
  ];
  for (const url of urls) assertHarmless(await text(url), url);
  for (const url of [`${web.address}/stream`, `${task}/stream`]) {
    await using stream = await Stream.open(url);
    const { data } = await stream.event(
      "parts",
      ({ event }) => event === "parts",
    );
    assertHarmless(data.join("\n"), url);
    await stream.event("its end", ({ event }) => event === "summary");
    // What is in a message cannot become an event of its own.
    for (const { event, data } of stream.events) {
      // A stream may be open when its server says that it is there.
      if (event === "ping") assert.equal(typeof data, "number");
      else {
        assert.ok(
          ["parts", "map", "output", "summary", "cells"].includes(event),
        );
      }
    }
  }
}

let fences = 0;

/** Settles when a page has come to all that was published before. */
async function hasRead(web: Web, client: Client): Promise<void> {
  const id = `fence-${++fences}`;
  await client.publish(
    `${client.base}/tasks/${id}/status`,
    JSON.stringify(status(id, "success")),
  );
  await until("what is behind all of it", async () => {
    const response = await fetch(`${web.address}/api/tasks/${id}`);
    await response.body?.cancel();
    return response.ok;
  });
}

/** Settles when a controller has seen all that was published before. */
async function hasSeen(client: Client): Promise<void> {
  const mark = `${client.base}/fence/${++fences}`;
  await client.publish(mark, "", { qos: 2 });
  await client.message(
    "what is behind all of it",
    ({ topic }) => topic === mark,
  );
}

async function publishTask(
  { client, open }: Scene,
  { id, topicId = id, more = {} }: {
    id: string;
    topicId?: string;
    more?: Parameters<typeof status>[2];
  },
): Promise<void> {
  const topic = (leaf: string) => `${client.base}/tasks/${topicId}/${leaf}`;
  const publish = (leaf: string, message: unknown) =>
    client.publish(topic(leaf), JSON.stringify(message), {
      retain: leaf === "status",
    });
  await publish("status", status(id, "running", more));
  const evil = { play: SCRIPT, task: SCRIPT };
  await publish("events", event(id, 1, evil));
  await publish(
    "events",
    event(id, 2, { ...evil, host: SCRIPT, state: "failed", message: SCRIPT }),
  );
  await publish(
    "output",
    output(
      id,
      1,
      `${SCRIPT}\n\u001b[31m${SCRIPT}\u001b]8;;${URL_SCRIPT}\u0007x\n`,
    ),
  );
  await publish(
    "status",
    status(id, "failed", { error_message: SCRIPT, ...more }),
  );
  const url = `${open.address}/api/tasks/${encodeURIComponent(id)}`;
  await until(`the task ${id}`, async () => {
    const response = await fetch(url);
    const found = await response.json();
    return response.ok && found.completed_at !== null;
  });
}

const EVIL_PRESENCE: Presence = {
  worker_id: "evil",
  instance: "i",
  state: "online",
  slots: 1,
  version: SCRIPT,
  ansible_version: SCRIPT,
  host: SCRIPT,
  started_at: "2026-05-04T12:00:00.000Z",
  updated_at: "2026-05-04T12:00:00.000Z",
  templates: [{
    name: "evil",
    description: SCRIPT,
    variables: {
      type: "object",
      properties: {
        [SCRIPT]: { type: "string", title: SCRIPT, description: SCRIPT },
        choice: { enum: [SCRIPT], type: "string", default: SCRIPT },
        slow: { type: "string", pattern: "^(a+)+$" },
        __proto__: { type: "string" },
      },
      required: [SCRIPT],
    },
    may_set: ["limit", "inventory"],
  }],
};

type Attack = [name: string, attempt: (scene: Scene) => Promise<void>];

const BY_MESSAGES: Attack[] = [
  ["script in every field of a task", async (scene) => {
    await publishTask(scene, {
      id: "everything",
      more: {
        playbook: SCRIPT,
        // One argument of a command line, so without line ends.
        inventory: [ONE_LINE, ONE_LINE],
        template: SCRIPT,
        worker_id: SCRIPT,
        current_task: SCRIPT,
        failed_hosts: { names: [SCRIPT], more: 1 },
        unreachable_hosts: { names: [SCRIPT], more: 0 },
        stats: { run: { [SCRIPT]: SCRIPT }, hosts: { [SCRIPT]: {} } },
      },
    });
    await assertAllHarmless(scene.open, "everything");
  }],
  ["a URL that is a script in every field", async (scene) => {
    await publishTask(scene, {
      id: "urls",
      more: {
        playbook: URL_SCRIPT,
        inventory: URL_SCRIPT,
        template: URL_SCRIPT,
        worker_id: URL_SCRIPT,
        error_message: URL_SCRIPT,
      },
    });
    await assertAllHarmless(scene.open, "urls");
  }],
  ["an id that is HTML", async (scene) => {
    const id = `"><img src=x onerror=hacked()>`;
    await publishTask(scene, { id });
    await assertAllHarmless(scene.open, id);
  }],
  ["an id that is a path", async (scene) => {
    for (const id of ["..", ".", "..%2f..%2flogin", "%00"]) {
      const { client } = scene;
      await client.publish(
        `${client.base}/tasks/${id}/status`,
        JSON.stringify(status(id, "success")),
        { retain: true },
      );
    }
    await hasRead(scene.open, scene.client);
    const board = await text(`${scene.open.address}/`);
    for (const [, path] of board.matchAll(/href="\/tasks\/([^"?#]*)/g)) {
      assert.doesNotThrow(() => decodeURIComponent(path!));
      assert.ok(!path!.includes("/"), path!);
    }
  }],
  ["a status on the topic of another task", async ({ client, open }) => {
    await client.publish(
      `${client.base}/tasks/mine/status`,
      JSON.stringify(status("theirs", "success")),
    );
    await hasRead(open, client);
    const response = await fetch(`${open.address}/api/tasks/theirs`);
    await response.text();
    assert.equal(response.status, 404);
  }],
  ["messages that are no JSON, or none of ours", async ({ client, open }) => {
    for (
      const payload of [
        "",
        "{",
        "null",
        "[]",
        '"x"',
        "[".repeat(100_000),
        '{"__proto__":{"isAdmin":true}}',
        JSON.stringify({ ...status("m", "running"), state: "won" }),
        JSON.stringify(event("m", 1.5)),
        JSON.stringify(event("m", -1)),
        JSON.stringify(event("m", 2 ** 60)),
        JSON.stringify({ ...output("m", 1, "x"), text: 7 }),
        new Uint8Array([0xff, 0xfe, 0x00]),
      ]
    ) {
      for (const leaf of ["status", "events", "output"]) {
        await client.publish(`${client.base}/tasks/m/${leaf}`, payload);
      }
      await client.publish(`${client.base}/workers/m/status`, payload);
    }
    await hasRead(open, client);
    await assertAlive(open);
    assert.equal(({} as { isAdmin?: boolean }).isAdmin, undefined);
  }],
  ["a number that would hide all that follows", async ({ client, open }) => {
    const put = (leaf: string, message: unknown) =>
      client.publish(
        `${client.base}/tasks/num/${leaf}`,
        JSON.stringify(message),
      );
    await put("status", status("num", "running"));
    await put("events", event("num", Number.MAX_SAFE_INTEGER));
    await put("events", event("num", 1));
    await until(
      "it",
      async () =>
        (await (await fetch(`${open.address}/api/tasks/num/events`)).json())
          .events?.length === 1,
    );
    assert.match(
      await (await fetch(`${open.address}/api/tasks/num`)).text(),
      /events are not here/,
    );
  }],
  ["a worker and a template that are scripts", async (scene) => {
    const { client, open } = scene;
    await client.publish(
      `${client.base}/workers/evil/status`,
      JSON.stringify(EVIL_PRESENCE),
      { retain: true },
    );
    await until(
      "the worker",
      async () =>
        (await (await fetch(`${open.address}/api/workers`)).json()).workers
          .length > 0,
    );
    for (const path of ["/", "/templates", "/templates/evil"]) {
      assertHarmless(await text(`${open.address}${path}`), path);
    }
  }],
  ["a lock that a script holds and a script waits for", async (scene) => {
    const { client, open } = scene;
    const at = "2026-05-04T12:00:00.000Z";
    const holder: Lock = {
      lock: "evil",
      state: "held",
      task_id: SCRIPT,
      worker_id: SCRIPT,
      instance: "i",
      created_at: at,
      updated_at: at,
      generation: 1,
    };
    await client.publish(
      `${client.base}/locks/evil`,
      JSON.stringify(holder),
      { retain: true },
    );
    await client.publish(
      `${client.base}/tasks/waits/status`,
      JSON.stringify(
        status("waits", "queued", {
          worker_id: "evil",
          lock: "evil",
          current_task: SCRIPT,
        }),
      ),
      { retain: true },
    );
    for (const path of ["/", "/tasks/waits"]) {
      const url = `${open.address}${path}`;
      await until(
        "who holds it",
        async () => (await text(url)).includes(", held by "),
      );
    }
    await assertAllHarmless(open, "waits");
  }],
  ["an expression of a template that never ends", async ({ open }) => {
    const url = `${open.address}/templates/evil`;
    const started = performance.now();
    const answer = fetch(
      url,
      form(url, { "var.slow": `${"a".repeat(60)}!`, limit: "x" }),
    );
    await assertAlive(open);
    await (await answer).text();
    assert.ok(performance.now() - started < 20_000);
  }],
  ["10,000 hosts and 10 MB of output in one line", async (scene) => {
    const { client, open } = scene;
    const put = (leaf: string, message: unknown) =>
      client.publish(
        `${client.base}/tasks/big/${leaf}`,
        JSON.stringify(message),
      );
    await put("status", status("big", "running"));
    const line = "x".repeat(60_000);
    await Promise.all(
      Array.from(
        { length: 170 },
        (_, i) => put("output", output("big", i + 1, line)),
      ),
    );
    await put(
      "status",
      status("big", "success", {
        failed_hosts: { names: Array(1000).fill("h".repeat(255)), more: 9000 },
      }),
    );
    await until(
      "it",
      async () =>
        (await (await fetch(`${open.address}/api/tasks/big`)).json())
          .completed_at,
    );
    const html = await text(`${open.address}/tasks/big/output?from=0`);
    assert.ok(html.length < 200_000, String(html.length));
    await assertAlive(open);
  }],
];

const BY_HTTP: Attack[] = [
  ["paths out of the assets", async ({ open }) => {
    for (
      const path of [
        "/assets/../../../deno.json",
        "/assets/..%2f..%2fdeno.json",
        "/assets/%2e%2e/%2e%2e/web.yaml",
        "/assets/....//web.yaml",
        "/assets//etc/passwd",
        "/assets/style.css%00.txt",
        "/assets/__proto__",
        "/assets/constructor",
        "/tasks/..%2f..%2fetc%2fpasswd",
        "/tasks/%2e%2e/output.txt",
        "/../../../../etc/passwd",
      ]
    ) {
      const answer = await raw(
        open,
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1.1 (404|400) /, path);
      assert.ok(!answer.includes("root:"), path);
    }
  }],
  ["a request for another host", async ({ open, closed }) => {
    for (
      const head of [
        "GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1",
        "GET //evil.example/ HTTP/1.1\r\nHost: 127.0.0.1",
      ]
    ) {
      const answer = await raw(open, `${head}\r\nConnection: close\r\n\r\n`);
      assert.match(answer, /^HTTP\/1.1 (400|404) /, head);
    }
    const redirected = await raw(
      closed,
      "GET / HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\nConnection: close\r\n\r\n",
    );
    assert.ok(!redirected.includes("evil.example"), redirected);
  }],
  ["a name that is made to stand for this address", async ({ open }) => {
    for (
      const host of [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "",
      ]
    ) {
      const answer = await raw(
        open,
        `GET /api/tasks HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1.1 (403|400) /, host);
    }
  }],
  ["SQL in every filter", async ({ open }) => {
    const all = await (await fetch(`${open.address}/api/tasks`)).json();
    assert.ok(all.tasks.length > 0);
    for (
      const name of ["playbook", "inventory", "worker", "template", "search"]
    ) {
      for (
        const value of [
          "' OR '1'='1",
          "x'; DROP TABLE tasks; --",
          '" OR 1=1 --',
          "x' UNION SELECT name, password FROM sessions --",
        ]
      ) {
        const response = await fetch(
          `${open.address}/api/tasks?${name}=${encodeURIComponent(value)}`,
        );
        assert.deepEqual(
          (await response.json()).tasks,
          [],
          `${name}: ${value}`,
        );
      }
    }
    for (
      const query of [
        "state='",
        "cursor=1 OR 1=1",
        "cursor=-1",
        "limit=1;",
        "limit=1e9",
      ]
    ) {
      const response = await fetch(
        `${open.address}/api/tasks?${encodeURI(query)}`,
      );
      await response.text();
      assert.equal(response.status, 400, query);
    }
  }],
  ["a search that is a query of its own", async ({ open }) => {
    for (
      const search of [
        '"',
        "*",
        "a* OR b*",
        "NEAR(a b)",
        "words:a",
        "-a",
        "^a",
        "{a b}",
        "a AND",
        "\u0000",
      ]
    ) {
      const response = await fetch(
        `${open.address}/api/tasks?search=${encodeURIComponent(search)}`,
      );
      await response.text();
      assert.equal(response.status, 200, search);
    }
  }],
  ["a huge query", async ({ open }) => {
    for (const length of [10_000, 1_000_000]) {
      const answer = await raw(
        open,
        `GET /?search=${
          "a".repeat(length)
        } HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1.1 (400|431) |^$/, String(length));
    }
    const many = await fetch(`${open.address}/?${"state=failed&".repeat(900)}`);
    await many.text();
    assert.equal(many.status, 200);
    await assertAlive(open);
  }],
  ["line ends in a header of ours", async ({ closed, open }) => {
    const next = "/x\r\nSet-Cookie: evil=1\r\n";
    const url = `${closed.address}/login`;
    const response = await fetch(
      url,
      form(url, { name: "alice", password: PASSWORD, next }),
    );
    await response.text();
    assert.equal(response.headers.get("location"), "/");
    assert.ok(!response.headers.get("set-cookie")!.includes("evil"));
    const id = encodeURIComponent('x"\r\nSet-Cookie: evil=1');
    const file = await fetch(`${open.address}/tasks/${id}/output.txt`);
    await file.text();
    assert.equal(file.headers.get("set-cookie"), null);
  }],
  ["being sent somewhere else after logging in", async ({ closed }) => {
    const url = `${closed.address}/login`;
    for (
      const next of [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "javascript:hacked()",
        "/\t/evil.example",
        " /x",
      ]
    ) {
      const response = await fetch(
        url,
        form(url, { name: "alice", password: PASSWORD, next }),
      );
      await response.text();
      assert.equal(response.headers.get("location"), "/", next);
      assertHarmless(
        await text(`${url}?next=${encodeURIComponent(next)}`),
        next,
      );
    }
  }],
  ["a form on a page of somebody else", async (scene) => {
    const cookie = await scene.cookie("alice");
    for (const web of [scene.closed, scene.open]) {
      for (
        const headers of [
          { origin: "https://evil.example" },
          { origin: "null" },
          { origin: web.address, "sec-fetch-site": "cross-site" },
          { origin: web.address, "sec-fetch-site": "same-site" },
          { "sec-fetch-site": "none" },
        ]
      ) {
        for (
          const path of [
            "/tasks/everything/cancel",
            "/submit",
            "/login",
            "/logout",
          ]
        ) {
          const response = await fetch(`${web.address}${path}`, {
            ...form(web.address, { playbook: "a", inventory: "b" }),
            headers: { cookie, ...headers },
          });
          await response.text();
          assert.equal(
            response.status,
            403,
            `${path} ${JSON.stringify(headers)}`,
          );
        }
      }
    }
  }],
  ["a form without a word of where it is from", async (scene) => {
    const cookie = await scene.cookie("alice");
    const response = await fetch(`${scene.closed.address}/submit`, {
      method: "POST",
      headers: { cookie },
      body: new URLSearchParams({ playbook: "a", inventory: "b" }),
    });
    await response.text();
    assert.equal(response.status, 403);
  }],
  ["JSON that a page of somebody else sends", async (scene) => {
    const cookie = await scene.cookie("alice");
    for (
      const [headers, statusOf] of [
        [
          {
            origin: "https://evil.example",
            "content-type": "application/json",
          },
          403,
        ],
        [{ origin: "https://evil.example", "content-type": "text/plain" }, 403],
        [{ "content-type": "text/plain" }, 403],
        [{ origin: scene.closed.address, "content-type": "text/plain" }, 415],
      ] as const
    ) {
      const response = await fetch(`${scene.closed.address}/api/tasks`, {
        ...posted({ playbook: "a", inventory: "b" }),
        headers: { cookie, ...headers },
      });
      await response.text();
      assert.equal(response.status, statusOf, JSON.stringify(headers));
    }
    const preflight = await fetch(`${scene.closed.address}/api/tasks`, {
      method: "OPTIONS",
      headers: {
        origin: "https://evil.example",
        "access-control-request-method": "POST",
      },
    });
    await preflight.text();
    assert.equal(preflight.headers.get("access-control-allow-origin"), null);
  }],
  [
    "changing something by GET, or by a method in disguise",
    async ({ open }) => {
      for (
        const [path, init] of [
          ["/tasks/everything/cancel", {}],
          ["/api/tasks/everything/cancel", {}],
          ["/logout", {}],
          ["/tasks/everything/cancel?_method=POST", {}],
          ["/tasks/everything/cancel", {
            headers: { "x-http-method-override": "POST" },
          }],
          ["/tasks/everything", { method: "DELETE" }],
          ["/tasks/everything", { method: "PUT" }],
        ] as [string, RequestInit][]
      ) {
        const response = await fetch(`${open.address}${path}`, init);
        await response.text();
        assert.ok([404, 405].includes(response.status), path);
      }
    },
  ],
  ["without logging in", async ({ closed }) => {
    for (
      const path of [
        "/",
        "/stream",
        "/summary/stream",
        "/tasks/everything",
        "/tasks/everything/stream",
        "/tasks/everything/output?from=0",
        "/tasks/everything/output.txt",
        "/tasks/everything/output/find?text=a",
        "/tasks/everything/cell?host=0&column=0",
        "/history",
        "/templates",
        "/templates/evil",
        "/submit",
        "/api/tasks",
        "/api/tasks/everything",
        "/api/workers",
        "/api/stream",
        "/api/openapi.json",
        "/nothing",
      ]
    ) {
      const response = await fetch(`${closed.address}${path}`, {
        redirect: "manual",
      });
      const body = await response.text();
      assert.ok(
        [303, 401].includes(response.status),
        `${path}: ${response.status}`,
      );
      assert.ok(!body.includes("everything"), path);
    }
  }],
  ["a session that was chosen by somebody else", async ({ closed }) => {
    const url = `${closed.address}/login`;
    const chosen = `ansible-worker=${"A".repeat(43)}`;
    const response = await fetch(
      url,
      form(url, { name: "alice", password: PASSWORD }, { cookie: chosen }),
    );
    await response.text();
    const given = response.headers.get("set-cookie")!;
    assert.ok(!given.includes("AAAAAAAA"));
    assert.match(given, /HttpOnly; SameSite=Lax/);
    const asked = await fetch(`${closed.address}/api/tasks`, {
      headers: { cookie: chosen },
    });
    await asked.text();
    assert.equal(asked.status, 401);
  }],
  ["over TLS the cookie goes nowhere else", async ({ closed }) => {
    const url = `${closed.address}/login`;
    const response = await fetch(
      url,
      form(url, { name: "alice", password: PASSWORD }, {
        "x-forwarded-proto": "https",
      }),
    );
    await response.text();
    assert.match(
      response.headers.get("set-cookie")!,
      /^__Host-ansible-worker=.*; Path=\/; .*; Secure$/,
    );
  }],
  ["a session after its user has logged out", async (scene) => {
    const cookie = await scene.cookie("victor");
    const ask = () =>
      fetch(`${scene.closed.address}/api/tasks`, { headers: { cookie } });
    const before = await ask();
    await before.text();
    assert.equal(before.status, 200);
    const out = await fetch(
      `${scene.closed.address}/logout`,
      form(scene.closed.address, {}, { cookie }),
    );
    await out.text();
    const after = await ask();
    await after.text();
    assert.equal(after.status, 401);
  }],
  ["a session of before another password", async (scene) => {
    const cookie = await scene.cookie("carol");
    const file = scene.project.path("users");
    await Deno.writeTextFile(
      file,
      withUser(await Deno.readTextFile(file), {
        name: "carol",
        role: "operator",
        hash: await hashOf("another password"),
      }),
    );
    const after = await fetch(`${scene.closed.address}/api/tasks`, {
      headers: { cookie },
    });
    await after.text();
    assert.equal(after.status, 401);
  }],
  ["a viewer who would do something", async (scene) => {
    const cookie = await scene.cookie("victor");
    const { closed } = scene;
    for (
      const path of ["/tasks/everything/cancel", "/submit", "/templates/evil"]
    ) {
      const response = await fetch(
        `${closed.address}${path}`,
        form(closed.address, { playbook: "a", inventory: "b" }, { cookie }),
      );
      await response.text();
      assert.equal(response.status, 403, path);
    }
    for (const path of ["/api/tasks", "/api/tasks/everything/cancel"]) {
      const response = await fetch(
        `${closed.address}${path}`,
        posted({ playbook: "a", inventory: "b", role: "operator" }, {
          cookie,
          "x-forwarded-role": "operator",
        }),
      );
      await response.text();
      assert.equal(response.status, 403, path);
    }
  }],
  ["headers that only a proxy may send", async ({ closed, proxied }) => {
    const headers = {
      "x-forwarded-user": "alice",
      "x-forwarded-role": "operator",
      "x-forwarded-for": "192.0.2.1",
      forwarded: "for=192.0.2.1",
    };
    for (const [web, statusOf] of [[closed, 401], [proxied, 403]] as const) {
      const response = await fetch(`${web.address}/api/tasks`, { headers });
      await response.text();
      assert.equal(response.status, statusOf);
    }
  }],
  ["names that objects have by themselves", async ({ closed }) => {
    const url = `${closed.address}/login`;
    for (
      const name of ["__proto__", "constructor", "toString", "", "alice\u0000"]
    ) {
      const response = await fetch(url, form(url, { name, password: "x" }));
      await response.text();
      assert.ok([401, 429].includes(response.status), name);
    }
  }],
  ["a name that is not there takes as long", async ({ closed }) => {
    let tries = 0;
    const time = async (name: string) => {
      const started = performance.now();
      const response = await fetch(`${closed.address}/api/tasks`, {
        headers: {
          authorization: `Basic ${btoa(`${name}:wrong password`)}`,
          "x-forwarded-for": `192.0.2.${++tries}`,
        },
      });
      await response.text();
      assert.equal(response.status, 401);
      return performance.now() - started;
    };
    // What else this machine does can only add to what it takes.
    let there = Infinity;
    let not = Infinity;
    for (let i = 0; i < 3; i++) {
      there = Math.min(there, await time("alice"));
      not = Math.min(not, await time("nobody"));
    }
    assert.ok(not > there / 4, `${not} ${there}`);
  }],
  ["trying passwords, from one address and from many", async ({ closed }) => {
    const url = `${closed.address}/login`;
    const attempt = async (address: string, name: string) => {
      const response = await fetch(
        url,
        form(url, { name, password: "wrong password" }, {
          "x-forwarded-for": address,
        }),
      );
      await response.text();
      return response.status;
    };
    const one = await Promise.all(
      Array.from({ length: 20 }, (_, i) => attempt("198.51.100.1", `n${i}`)),
    );
    assert.equal(one.filter((s) => s === 401).length, 10);
    assert.equal(one.filter((s) => s === 429).length, 10);
    const many: number[] = [];
    for (let i = 0; i < 60; i++) {
      many.push(await attempt(`198.51.100.${i + 2}`, "mallory"));
    }
    assert.equal(many.filter((s) => s === 401).length, 50);
    // Who is right meanwhile, from elsewhere, is let in.
    const right = await fetch(
      url,
      form(url, { name: "alice", password: PASSWORD }, {
        "x-forwarded-for": "203.0.113.9",
      }),
    );
    await right.text();
    assert.equal(right.status, 303);
  }],
  ["a body that is too large, or never ends", async ({ open }) => {
    const head = (more: string) =>
      `POST /submit HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n${more}\r\n\r\n`;
    assert.match(
      await raw(open, head("Content-Length: 99999999")),
      /^HTTP\/1.1 413 /,
    );
    const chunk = `10000\r\n${"a".repeat(65_536)}\r\n`;
    assert.match(
      await raw(open, head("Transfer-Encoding: chunked") + chunk.repeat(60)),
      /^HTTP\/1.1 413 |^$/,
    );
    await assertAlive(open);
  }],
  ["two lengths of one request", async ({ open }) => {
    const answer = await raw(
      open,
      "POST /submit HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    );
    assert.ok(!answer.includes('"tasks"'), answer);
  }],
  ["what is no HTTP", async ({ open }) => {
    for (
      const text of [
        "\u0000\u0001\u0002\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        "GET /tasks/%ff%fe HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nBad Header: x\r\n\r\n",
        "TRACE / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n${"X: y\r\n".repeat(5000)}\r\n`,
      ]
    ) {
      const answer = await raw(open, text);
      assert.ok(!answer.startsWith("HTTP/1.1 500"), answer);
    }
    await assertAlive(open);
  }],
  ["requests that come slowly", async ({ open }) => {
    const started = performance.now();
    const slow = [
      "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
      "POST /submit HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nContent-Length: 100\r\n\r\na",
      "",
    ].map((text) => raw(open, text));
    await assertAlive(open);
    await within("their end", Promise.all(slow), 60);
    assert.ok(performance.now() - started < 30_000);
  }],
  ["10,000 connections", async ({ open }) => {
    const { port } = new URL(open.address);
    const connections: Deno.Conn[] = [];
    try {
      for (let i = 0; i < 10_000; i++) {
        connections.push(await Deno.connect({ port: Number(port) }));
      }
    } catch {
      // No more of them are to be had here.
    }
    try {
      assert.ok(connections.length >= 1000, String(connections.length));
    } finally {
      for (const connection of connections) connection.close();
    }
    await until("an answer", async () => {
      try {
        await assertAlive(open);
        return true;
      } catch {
        return false;
      }
    });
  }],
  [
    "a stream for HEAD, and more readers than there may be",
    async ({ open }) => {
      for (let i = 0; i < 20; i++) {
        const head = await fetch(`${open.address}/stream`, { method: "HEAD" });
        assert.equal(head.status, 405);
      }
      const stop = new AbortController();
      const opened = await Promise.all(
        Array.from(
          { length: 520 },
          () =>
            fetch(`${open.address}/summary/stream`, { signal: stop.signal }),
        ),
      );
      assert.equal(opened.filter(({ status }) => status === 503).length, 20);
      stop.abort();
      await Promise.all(
        opened.map(({ body }) => body?.cancel().catch(() => {})),
      );
      await until("room", async () => {
        const response = await fetch(`${open.address}/summary/stream`);
        await response.body?.cancel();
        return response.status === 200;
      });
    },
  ],
  ["a frame, a script or a style of somebody else", async ({ open }) => {
    for (
      const path of [
        "/",
        "/tasks/everything",
        "/nothing",
        "/assets/style.css",
        "/api/tasks",
      ]
    ) {
      const { headers, body } = await fetch(`${open.address}${path}`);
      await body?.cancel();
      const csp = headers.get("content-security-policy")!;
      assert.match(csp, /default-src 'none'.*frame-ancestors 'none'/, path);
      assert.ok(!csp.includes("unsafe"), path);
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.equal(headers.get("access-control-allow-origin"), null);
    }
    const html = await text(`${open.address}/tasks/everything`);
    assert.ok(!/<script(?![^>]*\ssrc="\/assets\/)[^>]*>/.test(html));
    assert.ok(!/(src|href)="(https?:)?\/\//.test(html));
  }],
  [
    "a request of a form that has more than the form",
    async ({ open, client }) => {
      const url = `${open.address}/submit`;
      const response = await fetch(
        url,
        form(url, {
          playbook: "a.yml",
          inventory: "b",
          task_id: "../x",
          template: "evil",
          __proto__: "x",
          extra_vars: '{"__proto__": {"a": 1}}',
        }),
      );
      await response.text();
      assert.equal(response.status, 422);
      await hasSeen(client);
      assert.equal(
        client.messages.filter(({ topic }) => topic.endsWith("/tasks")).length,
        client.messages.filter(({ topic, text }) =>
          topic.endsWith("/tasks") && text.includes('"template":"evil"')
        ).length,
      );
    },
  ],
  ["a cancel of an id that is a topic", async ({ open, client }) => {
    for (const id of ["+", "#", "a/b", "..%2F..%2Ftasks", "%2b"]) {
      const response = await fetch(
        `${open.address}/api/tasks/${encodeURIComponent(id)}/cancel`,
        posted({}),
      );
      await response.text();
      assert.ok(
        [404, 422].includes(response.status),
        `${id} ${response.status}`,
      );
    }
    await hasSeen(client);
    assert.ok(!client.messages.some(({ topic }) => topic.endsWith("/cancel")));
  }],
];

Deno.test(`${BY_MESSAGES.length + BY_HTTP.length} attacks on the page`, async (t) => {
  await using project = await Project.create();
  await using broker = await Broker.start({
    extra: ["max_queued_messages 100000"],
  });
  await using client = await Client.connect(broker.port);
  let users = "";
  for (
    const [name, role] of [["alice", "operator"], ["carol", "operator"], [
      "victor",
      "viewer",
    ]] as const
  ) {
    users = withUser(users, { name, role, hash: await hashOf(PASSWORD) });
  }
  await Deno.writeTextFile(project.path("users"), users, { mode: 0o600 });
  const start = (id: string, web: Record<string, unknown>) =>
    Web.start({
      project,
      port: broker.port,
      id,
      narrow: true,
      web: { allow: ["submit", "cancel"], ...web },
    });
  await using open = await start("open", {});
  await using closed = await start("closed", { users: project.path("users") });
  await using proxied = await start("proxied", {
    trusted_proxy: {
      address: "192.0.2.1",
      user_header: "X-Forwarded-User",
      role_header: "X-Forwarded-Role",
    },
  });
  for (const web of [open, closed]) {
    await until(
      "the broker",
      () => web.log.includes("connected to the broker"),
    );
  }
  const scene: Scene = {
    project,
    client,
    open,
    closed,
    proxied,
    async cookie(name) {
      const url = `${closed.address}/login`;
      const response = await fetch(
        url,
        form(url, { name, password: PASSWORD }),
      );
      await response.text();
      assert.equal(response.status, 303);
      return response.headers.get("set-cookie")!.split(";")[0]!;
    },
  };
  for (const [name, attempt] of [...BY_MESSAGES, ...BY_HTTP]) {
    await t.step(name, () => attempt(scene));
  }
  await t.step(
    "and it serves afterwards, and has logged no fault of its own",
    async () => {
      for (const web of [open, closed]) {
        await assertAlive(web);
        // All of it is read then.
        await web.stop();
        assert.ok(!web.log.includes("internal error"), web.log);
      }
    },
  );
});
