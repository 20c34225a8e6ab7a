/** Who reaches the port of metrics and health can do no more than read them. */
import assert from "node:assert/strict";
import { freePort } from "../../dev/programs.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Scrape } from "../harness/scrape.ts";
import { within } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

/** Connections that are served at once. */
const MAX_CONNECTIONS = 32;

const options = { sanitizeOps: true, sanitizeResources: true };

async function set() {
  const stack = new AsyncDisposableStack();
  const broker = stack.use(await Broker.start());
  const project = stack.use(await Project.create());
  const client = stack.use(await Client.connect(broker.port));
  const port = freePort();
  const worker = stack.use(
    await Worker.start({
      project,
      port: broker.port,
      config: { metrics: { listen: `127.0.0.1:${port}` } },
      narrow: true,
    }),
  );
  return {
    project,
    client,
    port,
    worker,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** What comes back for these bytes until the other side closes. */
async function answerTo(port: number, text: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  let answer = "";
  const buffer = new Uint8Array(65_536);
  try {
    const bytes = new TextEncoder().encode(text);
    for (let sent = 0; sent < bytes.length;) {
      sent += await connection.write(bytes.subarray(sent));
    }
    for (;;) {
      const read = await within("its end", connection.read(buffer));
      if (read === null) break;
      answer += new TextDecoder().decode(buffer.subarray(0, read));
    }
  } catch (error) {
    // It closes without having read everything.
    if (
      !(error instanceof Deno.errors.ConnectionReset) &&
      !(error instanceof Deno.errors.BrokenPipe)
    ) throw error;
  }
  return answer;
}

const get = (path: string, ...headers: string[]) =>
  [`GET ${path} HTTP/1.1`, "Host: worker", ...headers, "", ""].join("\r\n");

Deno.test({
  ...options,
  name: "only GET and HEAD on two paths are answered, and no body is read",
  async fn(t) {
    await using all = await set();
    const { port } = all;
    const requests: [string, string, RegExp][] = [
      ["metrics", get("/metrics"), /^HTTP\/1\.1 200 [\s\S]*\nansible_worker_/],
      ["health", get("/health"), /^HTTP\/1\.1 200 [\s\S]*"healthy":true/],
      ["a query is passed over", get("/health?a=b"), /^HTTP\/1\.1 200 /],
      ["HTTP 1.0", "GET /health HTTP/1.0\r\n\r\n", /^HTTP\/1\.1 200 /],
      ["the root", get("/"), /^HTTP\/1\.1 404 [\s\S]*\/metrics and \/health/],
      ["below", get("/metrics/"), /^HTTP\/1\.1 404 /],
      ["above", get("/../etc/passwd"), /^HTTP\/1\.1 404 /],
      ["another case", get("/Health"), /^HTTP\/1\.1 404 /],
      ["a member of objects", get("constructor"), /^(HTTP\/1\.1 40|$)/],
      ["a URL", get("http://worker/health"), /^HTTP\/1\.1 404 /],
      [
        "POST, with a body that never comes",
        get("/health", "Content-Length: 1000000").replace("GET", "POST"),
        /^HTTP\/1\.1 405 [\s\S]*allow: GET, HEAD/i,
      ],
      [
        "DELETE",
        get("/metrics").replace("GET", "DELETE"),
        /^HTTP\/1\.1 405 /,
      ],
      [
        "GET, with an endless body",
        get("/health", "Transfer-Encoding: chunked") +
        "ffff\r\nxxxx".repeat(10),
        /^(HTTP\/1\.1 200 |$)/,
      ],
      ["no HTTP", "\u0000\u0001\u0002\r\n\r\n", /^(HTTP\/1\.1 400 |$)/],
      [
        "a large head",
        get("/health", `A: ${"x".repeat(1e6)}`),
        /^(HTTP\/1\.1 4|$)/,
      ],
      ["a large path", get(`/${"x".repeat(1e6)}`), /^(HTTP\/1\.1 4|$)/],
      [
        "an upgrade",
        get("/health", "Connection: Upgrade", "Upgrade: websocket"),
        /^(HTTP\/1\.1 200 |$)/,
      ],
      ["a tunnel", "CONNECT worker:1883 HTTP/1.1\r\n\r\n", /^(HTTP\/1\.1 4|$)/],
      ["two at once", get("/health") + get("/metrics"), /^HTTP\/1\.1 200 /],
      ["silence", "", /^(HTTP\/1\.1 408 |$)/],
      ["half a head", "GET /health HTT", /^(HTTP\/1\.1 408 |$)/],
    ];
    for (const [name, request, expected] of requests) {
      await t.step(name, async () => {
        const answer = await answerTo(port, request);
        assert.match(answer, expected);
        assert.equal(answer.match(/HTTP\/1\.1 [2-5]/g)?.length ?? 1, 1);
      });
    }
    await t.step("HEAD says how long the body would be", async () => {
      const answer = await answerTo(
        port,
        get("/metrics").replace("GET", "HEAD"),
      );
      const [head, body] = answer.split("\r\n\r\n");
      assert.match(head!, /^HTTP\/1\.1 200 /);
      assert.ok(Number(/content-length: (\d+)/i.exec(head!)![1]) > 1000);
      assert.equal(body, "");
    });
    assert.equal(
      (await all.client.run(all.project.work("t"))).state,
      "success",
    );
    assert.equal(await all.worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name: "a crowd at the port does not keep the worker from its tasks",
  async fn() {
    await using all = await set();
    const { port } = all;
    const crowd: Deno.TcpConn[] = [];
    const closed = (connection: Deno.TcpConn) =>
      connection.read(new Uint8Array(1000)).then(() => {}, () => {});
    for (let i = 0; i < MAX_CONNECTIONS + 20; i++) {
      crowd.push(await Deno.connect({ hostname: "127.0.0.1", port }));
    }
    const ends = crowd.map(closed);
    assert.equal(
      (await all.client.run(all.project.work("t"))).state,
      "success",
    );
    // They say nothing, so all of them are sent away.
    await within("the end of the crowd", Promise.all(ends));
    crowd.forEach((connection) => connection.close());
    assert.deepEqual(
      (await Scrape.of(port)).by("tasks_ended_total", "state"),
      { success: 1 },
    );
    assert.equal(await all.worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name: "readers who never close their end are let go",
  async fn() {
    await using all = await set();
    const { port } = all;
    const readers: Deno.TcpConn[] = [];
    for (let i = 0; i < 3 * MAX_CONNECTIONS; i++) {
      const reader = await Deno.connect({ hostname: "127.0.0.1", port });
      readers.push(reader);
      await reader.write(new TextEncoder().encode(get("/health")));
      const buffer = new Uint8Array(1000);
      const read = await within("an answer", reader.read(buffer));
      assert.match(
        new TextDecoder().decode(buffer.subarray(0, read ?? 0)),
        /^HTTP\/1\.1 200 /,
      );
    }
    assert.equal((await Scrape.of(port)).value("healthy"), 1);
    readers.forEach((reader) => reader.close());
    assert.equal(await all.worker.stop(), 0);
  },
});
