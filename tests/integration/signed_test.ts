/** Signed requests and cancels, from the controller's side. */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Signer } from "../harness/signing.ts";
import { until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, sanitizeOps: true, sanitizeResources: true, fn });
}

/** A broker, a controller with a key, and workers that trust it. */
async function group() {
  const stack = new AsyncDisposableStack();
  const broker = stack.use(await Broker.start({ persistence: true }));
  const project = stack.use(await Project.create());
  const client = stack.use(await Client.connect(broker.port));
  const signer = await Signer.create("controller");
  await Deno.writeTextFile(project.path("controller.pem"), signer.pem);
  const start = async (id: string, options: object = {}) =>
    stack.use(
      await Worker.start({
        project,
        port: broker.port,
        id,
        config: {
          security: {
            trusted_keys: [{ id: "controller", file: "controller.pem" }],
          },
        },
        ...options,
      }),
    );
  const submit = async (
    id: string,
    options: {
      seconds?: number;
      held?: boolean;
      header?: Record<string, unknown>;
    } = {},
  ) => {
    const { header = {}, ...how } = options;
    const jws = await signer.sign(project.work(id, how), {
      taskId: id,
      header,
    });
    await client.publish("ansible/test/tasks", jws, { qos: 2 });
    return jws;
  };
  const rejected = (reason: string) =>
    client.message(
      `a report: ${reason}`,
      ({ topic, text }) =>
        topic === "ansible/test/rejected" &&
        JSON.parse(text).reason === reason,
    );
  return {
    broker,
    project,
    client,
    signer,
    start,
    submit,
    rejected,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test("a signed request runs; unsigned, a second time, or expired it does not", async () => {
  await using g = await group();
  await g.start("w1");
  const jws = await g.submit("t");
  assert.equal((await g.client.final("t")).state, "success");

  await g.client.submit(g.project.work("u"));
  await g.rejected("unsigned");

  await g.client.publish("ansible/test/tasks", jws, { qos: 2 });
  await g.rejected("replayed");
  // The same signature can be written in more than one way.
  const last = jws.at(-1)!;
  const alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const other = alphabet[alphabet.indexOf(last) ^ 1]!;
  await g.client.publish("ansible/test/tasks", jws.slice(0, -1) + other, {
    qos: 2,
  });
  await until(
    "the second report",
    () =>
      g.client.rejected().filter(({ reason }) => reason === "replayed")
        .length === 2,
  );
  const now = Math.floor(Date.now() / 1000);
  await g.submit("old", { header: { iat: now - 60, exp: now - 1 } });
  await g.rejected("expired");
  assert.deepEqual(
    (await g.project.truth()).map(({ what, id }) => `${what} ${id}`),
    ["start t", "end t"],
  );
});

test("a replay is refused by a worker that has not seen the request, too", async () => {
  await using g = await group();
  const options = { worker: { duplicate_window: 0, status_retention: 1 } };
  const first = await g.start("w1", options);
  const jws = await g.submit("t");
  assert.equal((await g.client.final("t")).state, "success");
  assert.equal(await first.stop(), 0);
  await g.start("w2", options);
  await g.client.publish("ansible/test/tasks", jws, { qos: 2 });
  await g.rejected("duplicate");
  // A request that was signed anew is a new one.
  const later = Math.floor(Date.now() / 1000) + 1;
  await g.submit("t", { header: { iat: later, exp: later + 60 } });
  await until(
    "the second run",
    async () =>
      (await g.project.truth()).filter(({ what }) => what === "end").length ===
        2,
  );
});

test("a task whose signature expires before its start is cancelled, and says so", async () => {
  await using g = await group();
  await g.start("w1");
  await g.submit("long", { seconds: 600 });
  await g.project.started("long");
  const accepted = async (id: string, seconds: number) => {
    const before = g.client.rejected().length;
    const now = Math.floor(Date.now() / 1000);
    await g.submit(id, { header: { iat: now, exp: now + seconds } });
    await until(
      "an answer",
      () =>
        g.client.history(id).length > 0 ||
        g.client.rejected().length > before,
    );
    return g.client.history(id).length > 0;
  };
  // Where all is slow, one that is good for so short a time may be refused.
  let seconds = 2;
  while (!await accepted(`late-${seconds}`, seconds)) seconds *= 2;
  const late = await g.client.final(`late-${seconds}`);
  assert.equal(late.state, "cancelled");
  assert.equal(
    late.error_message,
    "the signature expired before the task could start",
  );
  // While what it waited for is still there.
  await g.client.publish(
    "ansible/test/tasks/long/cancel",
    await g.signer.sign({ reason: "x" }, { taskId: "long", cancel: true }),
  );
  assert.equal((await g.client.final("long")).state, "cancelled");
});

test("signed tasks are handed over, and are delivered again after a crash", async () => {
  await using g = await group();
  const first = await g.start("w1");
  await g.submit("t-0", { seconds: 600 });
  for (const id of ["t-1", "t-2", "t-3"]) await g.submit(id, { held: true });
  await g.client.status("t-3", ({ state }) => state === "queued");
  await g.project.started("t-0");
  await first.kill();
  await g.project.quiet();
  await g.start("w2");
  await g.start("w1");
  await until(
    "w1 to hand one over",
    async () => (await g.project.truth()).some(({ worker }) => worker === "w2"),
  );
  for (const id of ["t-1", "t-2", "t-3"]) await g.project.release(id);
  const ends = await Promise.all(
    [0, 1, 2, 3].map((i) => g.client.final(`t-${i}`)),
  );
  assert.deepEqual(ends.map(({ state }) => state), [
    "failed",
    "success",
    "success",
    "success",
  ]);
});

test("only a signed cancel ends a task, once, and for this task", async () => {
  await using g = await group();
  const worker = await g.start("w1");
  await g.submit("t", { seconds: 600 });
  await g.project.started("t");
  const cancel = (text: string) =>
    g.client.publish("ansible/test/tasks/t/cancel", text);
  await cancel("");
  await g.rejected("unsigned");
  await cancel(
    await g.signer.sign({ reason: "x" }, { taskId: "u", cancel: true }),
  );
  await g.rejected("wrong_subject");
  // What is signed as a request is no cancel.
  await cancel(await g.signer.sign({ reason: "x" }, { taskId: "t" }));
  await g.rejected("bad_signature");
  assert.equal(g.client.history("t").at(-1)!.completed_at, null);
  await cancel(
    await g.signer.sign({ reason: "enough" }, { taskId: "t", cancel: true }),
  );
  const final = await g.client.final("t");
  assert.equal(final.state, "cancelled");
  assert.match(final.error_message!, /enough/);
  assert.equal(await worker.stop(), 0);
});

test("keys can be changed while the worker runs", async () => {
  await using g = await group();
  const worker = await g.start("w1");
  await g.submit("a");
  assert.equal((await g.client.final("a")).state, "success");
  // The same id, another key, this time as JWK.
  const next = await Signer.create("controller");
  await Deno.writeTextFile(g.project.path("controller.pem"), next.jwk);
  worker.signal("SIGHUP");
  await worker.logged("the configuration was read again");
  await g.submit("b");
  await g.rejected("bad_signature");
  const jws = await next.sign(g.project.work("c"), { taskId: "c" });
  await g.client.publish("ansible/test/tasks", jws, { qos: 2 });
  assert.equal((await g.client.final("c")).state, "success");
});
