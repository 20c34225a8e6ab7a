/**
 * A run of everything at once: workers that are killed and come back, one that
 * leaves for good, links that are cut, a broker that restarts, tasks that are
 * cancelled and sent again. All of it by a seed.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Proxy } from "../harness/proxy.ts";
import { allFinal, keptPromises, nothingHeld } from "../harness/verdict.ts";
import { pause, until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

/** Numbers that look random, and are the same for the same seed. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // mulberry32's constants.
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

interface Seat {
  id: string;
  proxy: Proxy;
  worker: Worker;
}

/**
 * Runs it.
 *
 * @param options.apart how long it is from one task to the next at most, in
 * seconds: so much happens meanwhile
 * @returns one line about what happened
 */
export async function randomRun(
  seed: number,
  options: { tasks: number; apart?: number },
): Promise<string> {
  const { apart = 0.3 } = options;
  const random = numbers(seed);
  const pick = <T>(list: readonly T[]): T =>
    list[Math.floor(random() * list.length)]!;
  await using stack = new AsyncDisposableStack();
  const broker = stack.use(
    await Broker.start({ persistence: true, extra: ["max_queued_messages 0"] }),
  );
  const project = stack.use(await Project.create());
  const client = stack.use(await Client.connect(broker.port));
  const start = (id: string, proxy: Proxy) =>
    Worker.start({
      project,
      port: proxy.port,
      id,
      mqtt: { keepalive: 5 },
      worker: { max_concurrent_tasks: 3, shutdown_grace: 20 },
    });
  const seats: Seat[] = [];
  for (const id of ["w1", "w2", "w3", "w4"]) {
    const proxy = stack.use(Proxy.to(broker.port));
    seats.push({ id, proxy, worker: await start(id, proxy) });
  }
  /** Workers that have ended: what they logged may have to be told. */
  const past: Worker[] = [];
  stack.defer(async () => {
    for (const { worker } of seats) await worker[Symbol.asyncDispose]();
  });
  const happened: Record<string, number> = {};
  const note = (what: string) => happened[what] = (happened[what] ?? 0) + 1;

  const ids: string[] = [];
  let submitted = false;
  const publishing = (async () => {
    for (let i = 0; i < options.tasks; i++) {
      const id = `t-${i}`;
      ids.push(id);
      const request = project.work(id, {
        seconds: random() < 0.7 ? random() * 0.5 : random() * 2,
      });
      await client.submit(request);
      if (random() < 0.08) {
        note("duplicate");
        await client.submit(request);
      }
      if (random() < 0.08) {
        note("cancel");
        await client.cancel(pick(ids), "by chance");
      }
      if (random() < 0.5) await pause(random() * apart);
    }
    submitted = true;
  })();
  // Awaited below; what goes wrong before that is what counts.
  publishing.catch(() => {});

  const disturb: Record<string, () => Promise<void>> = {
    async kill() {
      const seat = pick(seats);
      past.push(seat.worker);
      await seat.worker[Symbol.asyncDispose]();
      await pause(random() * 2);
      seat.worker = await start(seat.id, seat.proxy);
    },
    async restart() {
      const seat = pick(seats);
      past.push(seat.worker);
      assert.equal(await seat.worker.stop(), 0);
      await seat.worker[Symbol.asyncDispose]();
      seat.worker = await start(seat.id, seat.proxy);
    },
    async cut() {
      const seat = pick(seats);
      seat.proxy.cut();
      await pause(random() * 3);
      seat.proxy.heal();
    },
    async stall() {
      const seat = pick(seats);
      seat.proxy.stall();
      await pause(random() * 8);
      seat.proxy.heal();
    },
  };
  const leaving = seats.pop()!;
  past.push(leaving.worker);
  stack.defer(() => leaving.worker[Symbol.asyncDispose]());
  let restarted = 0;
  while (!submitted) {
    await pause(0.5 + random());
    if (restarted === 0 && ids.length > options.tasks / 3) {
      restarted++;
      note("one leaves for good");
      await leaving.worker.kill();
    } else if (restarted === 1 && ids.length > options.tasks / 2) {
      restarted++;
      note("broker restart");
      // What is published while nobody is subscribed reaches nobody, on
      // mosquitto: hold the publisher until all are back.
      await calm(client, broker, seats);
    } else {
      const what = pick(Object.keys(disturb));
      note(what);
      await disturb[what]!();
    }
  }
  await publishing;
  await allFinal(client, ids).catch(async (error) => {
    throw new Error(`${error.message}\n${await logs(past, seats)}`);
  });
  const count = await keptPromises(project, client, ids);
  await nothingHeld(client, broker.port, seats.map(({ id }) => id));
  for (const { worker } of seats) assert.equal(await worker.stop(), 0);
  await project.quiet();
  return `seed ${seed}: ${JSON.stringify(count)} after ${
    JSON.stringify(happened)
  }`;
}

/** Keeps what all workers have logged; says where. */
async function logs(past: Worker[], seats: Seat[]): Promise<string> {
  const file = await Deno.makeTempFile({
    prefix: "random-run-",
    suffix: ".log",
  });
  const lines = [...past, ...seats.map(({ worker }) => worker)].flatMap(
    ({ id, log }) =>
      log.split("\n").map((line) => [line.slice(0, 24), id, line]),
  ).sort(([a], [b]) => a! < b! ? -1 : 1);
  await Deno.writeTextFile(
    file,
    lines.map(([, id, line]) => `${id} ${line}`).join("\n"),
  );
  return `what the workers logged is in ${file}`;
}

async function calm(
  client: Client,
  broker: Broker,
  seats: Seat[],
): Promise<void> {
  const connects = ({ worker }: Seat) =>
    worker.log.split("connected to the broker").length;
  const resume = client.hold();
  try {
    await client.unacknowledged();
    const before = seats.map(connects);
    await broker.stop();
    await broker.start();
    await until(
      "all workers to be back",
      () => seats.every((seat, i) => connects(seat) >= before[i]! + 2),
    );
  } finally {
    resume();
  }
}
