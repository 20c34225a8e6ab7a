import assert from "node:assert/strict";
import {
  Lifecycle,
  type LinkState,
  type Phase,
} from "../../src/worker/lifecycle.ts";

const PHASES: Phase[] = ["starting", "working", "draining", "stopped"];
const LINKS: LinkState[] = ["down", "control", "both"];

/** A lifecycle that has made some moves, and what it has told. */
function lifecycleAfter(...moves: (Phase | LinkState)[]) {
  const log: string[] = [];
  const connected: boolean[] = [];
  const lifecycle = new Lifecycle({
    log: { debug: (message) => log.push(message) },
    onConnected: ({ first }) => connected.push(first),
  });
  moves.forEach((to) => lifecycle.move(to));
  return { lifecycle, log, connected };
}

/** The shortest ways to each phase and each state of the link. */
const WAYS: Record<Phase | LinkState, (Phase | LinkState)[]> = {
  starting: [],
  working: ["working"],
  draining: ["working", "draining"],
  stopped: ["stopped"],
  down: [],
  control: ["control"],
  both: ["control", "both"],
};

Deno.test("Lifecycle.move() makes the moves of its table and no others", () => {
  const allowed = new Set([
    "starting working",
    "starting stopped",
    "working draining",
    "working stopped",
    "draining stopped",
    "down control",
    "control down",
    "control both",
    "both down",
    "both control",
  ]);
  for (const axis of [PHASES, LINKS]) {
    for (const from of axis) {
      for (const to of axis) {
        if (from === to) continue;
        const { lifecycle } = lifecycleAfter(...WAYS[from]);
        if (allowed.has(`${from} ${to}`)) lifecycle.move(to);
        else assert.throws(() => lifecycle.move(to), TypeError);
      }
    }
  }
});

Deno.test("Lifecycle.move() to where it stands is no move, and logs nothing", () => {
  const { lifecycle, log } = lifecycleAfter("control");
  lifecycle.move("control");
  lifecycle.move("starting");
  assert.deepEqual(log, ["link: down → control"]);
});

Deno.test("what may be done follows from the phase and the link", () => {
  const seen = PHASES.flatMap((phase) =>
    LINKS.map((link) => {
      const { lifecycle } = lifecycleAfter(...WAYS[link], ...WAYS[phase]);
      return [
        `${phase} ${link}`,
        lifecycle.standing,
        lifecycle.isConnected,
        lifecycle.mayStart,
        lifecycle.keepsBack,
      ];
    })
  );
  assert.deepEqual(seen, [
    ["starting down", "starting", false, false, true],
    ["starting control", "starting", false, false, true],
    ["starting both", "starting", false, false, true],
    ["working down", "offline", false, false, true],
    ["working control", "offline", false, false, true],
    ["working both", "online", true, true, false],
    ["draining down", "draining", false, false, true],
    ["draining control", "draining", false, false, true],
    ["draining both", "draining", true, false, false],
    ["stopped down", "draining", false, false, true],
    ["stopped control", "draining", false, false, true],
    ["stopped both", "draining", false, false, false],
  ]);
});

Deno.test("whoever waits for a connection goes on with it, and is told of each", async () => {
  const { lifecycle, connected } = lifecycleAfter();
  const order: string[] = [];
  const waiting = Promise.all([
    lifecycle.untilLinked().then(() => order.push("linked")),
    lifecycle.untilBoth().then(() => order.push("both")),
  ]);
  const next = () => Promise.resolve();
  for (const to of ["control", "both", "working"] as const) {
    lifecycle.move(to);
    await next();
    await next();
    order.push(`moved to ${to}`);
  }
  await waiting;
  lifecycle.move("control");
  lifecycle.move("both");
  assert.deepEqual(order, [
    "linked",
    "moved to control",
    "both",
    "moved to both",
    "moved to working",
  ]);
  assert.deepEqual(connected, [true, false]);
});

Deno.test("a failure ends whoever runs the worker, also one that came before it ran", async () => {
  const { lifecycle } = lifecycleAfter();
  lifecycle.fail(new Error("its id is in use"));
  await assert.rejects(lifecycle.failed, /its id is in use/);
});

Deno.test("lifecycle: what waits for both connections waits no longer when the worker stops, where it may not", async () => {
  const { lifecycle } = lifecycleAfter("working", "control");
  let both = false;
  let bothOrOver = false;
  void lifecycle.untilBoth().then(() => both = true);
  const over = lifecycle.untilBothOrOver().then(() => bothOrOver = true);
  await Promise.resolve();
  assert.equal(bothOrOver, false);
  lifecycle.move("draining");
  await over;
  assert.equal(both, false);
  lifecycle.move("both");
  await lifecycle.untilBoth();
  assert.ok(bothOrOver);
});
