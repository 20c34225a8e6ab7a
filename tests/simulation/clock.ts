/**
 * Virtual time: it stands still while anything is done, and then jumps to the
 * next timer. Nothing real is waited for, so a minute takes some milliseconds,
 * and the same seed gives the same run.
 *
 * `install()` puts it in the place of the globals. npm packages see the same
 * globals; but some keep `setImmediate` when they are imported, so that whatever
 * is to live in virtual time is imported after that. Microtasks and
 * `process.nextTick` stay as they are: one turn of the real event loop drains
 * both.
 *
 * Every timer has an **owner**, the process that set it, and everything that
 * follows from a timer until all is quiet again is that owner's. When a process
 * is killed, its timers are not run any more, and none are set.
 *
 * What comes from other threads (WebCrypto) would come in another order each
 * time. It waits until all is quiet, and is done one at a time.
 *
 * @module
 */
import { Heap } from "./heap.ts";
import { Random } from "./random.ts";

/** What a timer, a connection or a run belongs to. */
export interface Owner {
  /** Its name, for the story. */
  readonly name: string;
  /** Killed: nothing of it happens any more. */
  dead: boolean;
  /** Its random numbers. */
  readonly random: Random;
}

/** Virtual time begins here. */
export const EPOCH: number = Date.UTC(2030, 0, 1);

/**
 * MQTT.js sets its timer of the keep alive anew with each packet, and most are
 * called off long before they are due.
 */
const MANY_TIMERS = 1000;

const realImmediate = globalThis.setImmediate;
const RealDate = Date;

/** Real time, in milliseconds, for measuring. */
export const realNow: () => number = performance.now.bind(performance);

interface Timer {
  at: number;
  /** When it was set. */
  setAt: number;
  order: number;
  /** The interval; 0 for once. */
  every: number;
  action: () => void;
  owner: Owner | null;
  active: boolean;
}

/** What `setTimeout` returns, with what npm packages ask of it. */
class Handle {
  readonly timer: Timer;

  constructor(timer: Timer) {
    this.timer = timer;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  refresh(): this {
    const { timer } = this;
    const { action, every, owner } = timer;
    const delay = timer.at - timer.setAt;
    timer.active = false;
    (this as { timer: Timer }).timer = schedule(delay, action, {
      every,
      owner,
    });
    return this;
  }

  [Symbol.toPrimitive](): number {
    return this.timer.order;
  }
}

const heap = new Heap<Timer>();
/** With so many timers it is looked which of them are called off. */
let manyTimers = MANY_TIMERS;
/** What other threads are to do, one at a time. */
const elsewhere: (() => Promise<void>)[] = [];
let now = 0;
let order = 0;
let current: Owner | null = null;
let random = new Random("the world");

/** How many turns there were, and in the run of which seed; see `watchdog.ts`. */
export const turns = new Int32Array(new SharedArrayBuffer(8));

/** Milliseconds since the simulation began. */
export function virtualNow(): number {
  return now;
}

/** Whose turn it is; null: the world's. */
export function currentOwner(): Owner | null {
  return current;
}

/** The world's random numbers, for what is nobody's. */
export function worldRandom(): Random {
  return random;
}

/** A timer that can be cancelled. */
export interface Cancellable {
  /** It does not run any more. */
  cancel(): void;
}

/** Does something after a time, for an owner; null: for the world. */
export function after(
  ms: number,
  owner: Owner | null,
  action: () => void,
): Cancellable {
  const timer = schedule(ms, action, { every: 0, owner });
  return { cancel: () => timer.active = false };
}

/**
 * A time that is no less than another one, and can be added to others without
 * an error of rounding: in units of 1/1024 ms. NaN, and what is negative, is 0.
 */
export function exact(ms: number): number {
  return ms > 0 ? Math.ceil(ms * 1024) / 1024 : 0;
}

function schedule(
  ms: number,
  action: () => void,
  { every, owner }: { every: number; owner: Owner | null },
): Timer {
  const timer: Timer = {
    at: now + exact(ms),
    setAt: now,
    order: order++,
    every,
    action,
    owner,
    active: !owner?.dead,
  };
  if (timer.active) heap.push(timer);
  if (heap.size > manyTimers) {
    heap.keep(isDue);
    manyTimers = Math.max(MANY_TIMERS, 2 * heap.size);
  }
  return timer;
}

/** Begins again at the epoch, with nothing to happen. */
export function reset(seed: number): void {
  turns[1] = seed;
  now = 0;
  order = 0;
  current = null;
  heap.clear();
  elsewhere.length = 0;
  random = new Random(seed, "world");
}

/** One turn of the real event loop: all that can be done now is done. */
function quiet(): Promise<void> {
  return new Promise((resolve) => {
    realImmediate(resolve as () => void);
  });
}

/**
 * Lets time pass until a moment, or until `done` says so; it is asked whenever
 * all is quiet.
 */
export async function pass(
  until: number,
  done: () => boolean = () => false,
): Promise<void> {
  for (;;) {
    await quiet();
    turns[0]!++;
    current = null;
    const slow = elsewhere.shift();
    if (slow) {
      await slow();
      continue;
    }
    if (done()) return;
    let timer: Timer | undefined;
    do timer = heap.pop(); while (timer && !isDue(timer));
    if (!timer || timer.at > until) {
      if (timer) heap.push(timer);
      now = Math.max(now, until);
      return;
    }
    now = timer.at;
    if (timer.every > 0) {
      timer.at += timer.every;
      timer.order = order++;
      heap.push(timer);
    } else timer.active = false;
    current = timer.owner;
    timer.action();
  }
}

function isDue(timer: Timer): boolean {
  return timer.active && !timer.owner?.dead;
}

/** Waits for a promise in real time, doing what other threads have to do. */
export async function settle<T>(promise: Promise<T>): Promise<T> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  while (!settled) {
    await quiet();
    await elsewhere.shift()?.();
  }
  return await promise;
}

/** Makes a function of another thread one that waits until all is quiet. */
function inTurn<A extends unknown[], R>(
  work: (...args: A) => Promise<R>,
): (...args: A) => Promise<R> {
  return (...args) => {
    const owner = current;
    return new Promise<R>((resolve, reject) =>
      elsewhere.push(async () => {
        if (owner?.dead) return;
        const done = work(...args);
        await done.catch(() => {});
        current = owner;
        done.then(resolve, reject);
      })
    );
  };
}

class VirtualDate extends RealDate {
  constructor(...args: unknown[]) {
    const [time = EPOCH + Math.floor(now), ...rest] = args as [number];
    super(time, ...rest as []);
  }

  static override now(): number {
    return EPOCH + Math.floor(now);
  }
}

/** Puts virtual time, and numbers by the seed, in the place of the globals. */
export function install(): void {
  const globals = globalThis as unknown as Record<string, unknown>;
  const bound = (action: (...args: unknown[]) => void, args: unknown[]) =>
    args.length === 0 ? action as () => void : () => action(...args);
  const timeout = (
    action: (...args: unknown[]) => void,
    ms = 0,
    ...args: unknown[]
  ) => {
    const timer = schedule(ms, bound(action, args), {
      every: 0,
      owner: current,
    });
    return new Handle(timer);
  };
  globals.setTimeout = timeout;
  globals.setImmediate = (
    action: (...args: unknown[]) => void,
    ...args: unknown[]
  ) => timeout(action, 0, ...args);
  globals.setInterval = (
    action: (...args: unknown[]) => void,
    ms = 0,
    ...args: unknown[]
  ) => {
    const every = exact(Math.max(1, ms));
    const timer = schedule(every, bound(action, args), {
      every,
      owner: current,
    });
    return new Handle(timer);
  };
  globals.clearTimeout =
    globals.clearInterval =
    globals.clearImmediate =
      (handle: unknown) => {
        if (handle instanceof Handle) handle.timer.active = false;
      };
  globals.Date = VirtualDate;
  performance.now = virtualNow;
  const dice = () => current?.random ?? random;
  Math.random = () => dice().next();
  crypto.randomUUID = () => {
    const { [0]: a, [1]: b, [2]: c, [3]: d, [4]: e } = [8, 4, 3, 3, 12].map(
      (digits) => dice().hex(digits),
    );
    return `${a}-${b}-4${c}-8${d}-${e}` as ReturnType<Crypto["randomUUID"]>;
  };
  crypto.getRandomValues = ((bytes: Uint8Array) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = dice().whole(0, 255);
    return bytes;
  }) as Crypto["getRandomValues"];
  const subtle = crypto.subtle as unknown as Record<
    string,
    (...args: unknown[]) => Promise<unknown>
  >;
  for (const name of ["verify", "sign", "digest", "importKey"]) {
    subtle[name] = inTurn(subtle[name]!.bind(crypto.subtle));
  }
}
