/**
 * One run: a plan, carried out in virtual time, and what came of it.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import type { Config } from "../../src/config/mod.ts";
import { Topics } from "../../src/messages/topics.ts";
import { presenceSchema, readAs } from "../../src/messages/presence.ts";
import { partId } from "../../src/messages/task_request.ts";
import { scheduledId } from "../../src/templates/scheduled_id.ts";
import { Broker } from "./broker/broker.ts";
import type { Behaviour } from "./broker/behaviour.ts";
import {
  after,
  EPOCH,
  exact,
  pass,
  reset,
  settle,
  virtualNow,
} from "./clock.ts";
import { configOf, GROUP, PREFIX } from "./configuration.ts";
import { Ledger } from "./ledger.ts";
import { Road } from "./network.ts";
import { type Breach, judge } from "./oracle.ts";
import {
  type Happening,
  type Plan,
  type PlannedStep,
  runMsOf,
  SCHEDULED,
  SCHEDULED_MS,
} from "./plan.ts";
import { WorkerProcess } from "./process.ts";
import { type Profile, PROFILES } from "./profiles.ts";
import { Random } from "./random.ts";
import { signed } from "./signatures.ts";
import type { StoryLine } from "./story.ts";

/**
 * After the last happening, so long may it take until all is done, in ms, beside
 * what all runs take one after the other: they may need the same lock.
 */
const PATIENCE_MS = 600_000;

/** All has been done for so long when a run ends, in ms. */
const CALM_MS = 3000;

/** A worker that has been connected for so long has subscribed, in ms. */
const SETTLE_MS = 4000;

/** How often it is asked whether all is done, in ms. */
const LOOK_MS = 100;

/** More packets than any run needs. */
const MAX_PACKETS = 60_000;

/** What came of a run. */
export interface Result {
  /** The promises that were not kept. */
  breaches: Breach[];
  /** How many packets went in and out of the broker. */
  packets: number;
  /** Virtual time, in milliseconds. */
  took: number;
  /** How often what has happened. */
  counts: ReadonlyMap<string, number>;
  /** All that happened, if it was asked for. */
  story: StoryLine[];
  /** A digest of the story. */
  hash: string;
}

/** Carries out a plan. */
export async function run(
  plan: Plan,
  options: { told?: boolean } = {},
): Promise<Result> {
  reset(plan.seed);
  const payloads = await settle(payloadsOf(plan));
  return await new World(plan, payloads, options).run();
}

/** What is published: everything is signed before the clock begins. */
async function payloadsOf(
  { settings, tasks }: Plan,
): Promise<Map<string, { request: string; cancel: string }>> {
  const payloads = new Map<string, { request: string; cancel: string }>();
  const audience = `${PREFIX}/${GROUP}`;
  for (const { id, lock } of tasks) {
    const both = {
      request: JSON.stringify({
        task_id: id,
        playbook: "site.yml",
        inventory: "hosts.ini",
        lock,
      }),
      cancel: JSON.stringify({ reason: "by chance" }),
    };
    if (settings.signed) {
      const place = { audience, taskId: id };
      both.request = await signed(both.request, {
        ...place,
        type: "ansible-worker-request",
      });
      both.cancel = await signed(both.cancel, {
        ...place,
        type: "ansible-worker-cancel",
      });
    }
    payloads.set(id, both);
  }
  return payloads;
}

/** A worker, through all its processes. */
interface Seat {
  readonly id: string;
  readonly road: Road;
  process: WorkerProcess | null;
  /** When that started, in virtual milliseconds. */
  startedAt: number;
  processes: number;
  /** Its next process will start. */
  isComing: boolean;
  /** Reaching this step kills it. */
  deadly: { step: PlannedStep; back: number | null } | null;
  /** When it is told to stop: when its next process starts. */
  back: number | null;
  readonly config: Config;
  /** What its processes have written down; null where there is no journal. */
  readonly journal: string[] | null;
}

class World {
  readonly #plan: Plan;
  readonly #payloads: Map<string, { request: string; cancel: string }>;
  readonly #topics = new Topics(PREFIX, GROUP);
  readonly #ledger = new Ledger(this.#topics);
  readonly #broker: Broker;
  readonly #seats: Map<string, Seat>;
  readonly #tasks: ReadonlyMap<string, Plan["tasks"][number]>;
  /** Whether a connection may be lost. */
  readonly #hasFaults: boolean;
  readonly #told: boolean;
  readonly #story: StoryLine[] = [];
  readonly #hash = createHash("sha256");
  /** Requests and cancels that wait for the broker to be back. */
  #unsent: (() => void)[] = [];
  #brokerReturns = 0;

  constructor(
    plan: Plan,
    payloads: Map<string, { request: string; cancel: string }>,
    { told = false }: { told?: boolean },
  ) {
    this.#plan = plan;
    this.#payloads = payloads;
    this.#told = told;
    this.#hasFaults = plan.happenings.some(({ what }) =>
      what !== "request" && what !== "cancel" && what !== "reload"
    );
    this.#tasks = new Map(plan.tasks.map((task) => [task.id, task]));
    const { behaviour, hasJournal }: Profile = PROFILES[plan.profile];
    this.#broker = new Broker({
      behaviour,
      random: new Random(plan.seed, "broker"),
      time: { now: virtualNow, after: (ms, action) => after(ms, null, action) },
      onMessage: (message) => this.#ledger.said(message),
      onRepeated: ({ payload, topic }, clientId) => {
        const kind = this.#topics.parse(topic)?.kind;
        const worker = [...this.#seats.keys()].find((id) => isOf(clientId, id));
        const text = new TextDecoder().decode(payload);
        // What workers ask for by a schedule, nobody else has written.
        const due = new RegExp(`"(${SCHEDULED}:[^"]*)"`).exec(text)?.[1];
        if (due !== undefined && kind === "tasks") {
          this.#ledger.task(due).given++;
        }
        for (const [id, { request }] of payloads) {
          if (request !== text) continue;
          if (kind === "everyone") this.#ledger.repeated(partId(id, worker!));
          // What a peer hands over is known by its properties.
          const isBound = this.#ledger.task(id).boundTo === worker;
          if (kind === "tasks" || kind === "inbox" && isBound) {
            this.#ledger.repeated(id);
          }
        }
      },
      ...(told && {
        onPacket: (clientId, direction, what) =>
          this.#tell(
            direction === "in"
              ? { from: clientId, to: "broker", what: what() }
              : { from: "broker", to: clientId, what: what() },
          ),
      }),
    });
    this.#seats = new Map(plan.workers.map((id): [string, Seat] => {
      const road = new Road(plan.distances?.[id]);
      road.pieces = plan.settings.pieces;
      return [id, {
        id,
        road,
        process: null,
        startedAt: 0,
        processes: 0,
        isComing: false,
        deadly: null,
        back: null,
        config: configOf(id, plan.settings),
        journal: hasJournal ? [] : null,
      }];
    }));
  }

  async run(): Promise<Result> {
    const { happenings } = this.#plan;
    let first = 0;
    for (const seat of this.#seats.values()) {
      this.#startIn(seat, 50 * first++);
    }
    for (const happening of happenings) {
      after(happening.at, null, () => this.#happen(happening));
    }
    const times = this.#plan.settings.schedule ? SCHEDULED_MS : [];
    for (const at of times) after(at, null, () => this.#expectScheduled(at));
    const last = Math.max(
      0,
      ...happenings.map(({ at }) => at),
      ...times.map((at) => at + 3000),
    );
    let calmSince = Infinity;
    let nextLook = last;
    let isTooMuch = false;
    await pass(last + PATIENCE_MS + runMsOf(this.#plan), () => {
      isTooMuch = this.#broker.packets > MAX_PACKETS;
      if (isTooMuch) return true;
      const now = virtualNow();
      if (now <= nextLook) return false;
      nextLook = now + LOOK_MS;
      if (!this.#isDone()) calmSince = Infinity;
      else if (calmSince === Infinity) {
        calmSince = now;
        after(CALM_MS, null, () => {});
      }
      return now - calmSince >= CALM_MS;
    });
    const breaches = judge({
      ledger: this.#ledger,
      broker: this.#broker,
      topics: this.#topics,
      workers: this.#present(),
      isTooMuch,
      isUnsuitable: this.#isUnsuitable,
    });
    const took = virtualNow();
    for (const { process } of this.#seats.values()) process?.kill();
    return {
      breaches,
      packets: this.#broker.packets,
      took,
      counts: this.#ledger.counts,
      story: this.#story,
      hash: this.#hash.digest("hex"),
    };
  }

  // ---- whether there is anything left to do

  #isDone(): boolean {
    for (const { isComing } of this.#seats.values()) if (isComing) return false;
    if (!this.#broker.isUp || this.#unsent.length > 0) return false;
    return judge({
      ledger: this.#ledger,
      broker: this.#broker,
      topics: this.#topics,
      workers: this.#present(),
      isTooMuch: false,
      isUnsuitable: this.#isUnsuitable,
    }).every(({ mayStillBeKept }) => !mayStillBeKept);
  }

  get #isUnsuitable(): boolean {
    const profile: Profile = PROFILES[this.#plan.profile];
    return profile.unsuitable ?? false;
  }

  #present(): string[] {
    return [...this.#seats.values()].filter(({ process }) => process?.isAlive)
      .map(({ id }) => id);
  }

  // ---- what happens

  #tell(line: Omit<StoryLine, "at">): void {
    if (!this.#told) return;
    const told = { at: virtualNow(), ...line };
    this.#story.push(told);
    this.#hash.update(
      `${told.at.toFixed(3)} ${told.from} ${told.to ?? ""} ${told.what}\n`,
    );
  }

  #happen(happening: Happening): void {
    switch (happening.what) {
      case "request":
      case "cancel":
        return this.#send(() => this.#ask(happening));
      case "restart":
        return this.#restart(happening);
    }
    const seat = this.#seats.get(happening.worker)!;
    const { process, road } = seat;
    if (!process?.isAlive) return;
    switch (happening.what) {
      case "kill":
        return this.#kill(seat, happening);
      case "kill after a step":
        seat.deadly = happening;
        return;
      case "stop":
        this.#ledger.count("stop");
        this.#tell({ from: process.name, what: "is told to stop" });
        seat.back = happening.back;
        process.stop();
        if (happening.again !== null) {
          after(happening.again, null, () => process.stop());
        }
        return;
      case "cut":
        return this.#cut(seat, happening);
      case "slow": {
        this.#ledger.count("slow");
        this.#tell({ from: process.name, what: "has a slow connection" });
        road.delay = happening.delay;
        road.blockedUntil = virtualNow() + exact(happening.blockedFor);
        after(happening.blockedFor + happening.lasts, null, () => {
          road.delay = road.usual;
        });
        return;
      }
      case "reload":
        this.#ledger.count("reload");
        return process.reload();
    }
  }

  /** Sends something when the broker is there. */
  #send(send: () => void): void {
    if (this.#broker.isUp) send();
    else this.#unsent.push(send);
  }

  #ask(
    happening: Extract<Happening, { what: "request" | "cancel" }>,
  ): void {
    const { task } = happening;
    const payload = this.#payloads.get(task)![happening.what];
    const isRequest = happening.what === "request";
    const { to } = this.#tasks.get(task)!;
    const topic = !isRequest
      ? this.#topics.cancel(task)
      : to === "everyone"
      ? this.#topics.everyone
      : to === undefined
      ? this.#topics.tasks
      : this.#topics.inbox(to);
    const subscribers = this.#broker.subscribers(topic);
    const expiry = isRequest ? happening.expirySeconds : undefined;
    const qos = isRequest ? happening.qos : 1;
    this.#tell({
      from: "controller",
      to: "broker",
      what: `${happening.what} ${task} QoS ${qos}${
        expiry ? `, expires in ${expiry} s` : ""
      }`,
    });
    const reached = this.#broker.publish({
      topic,
      payload: Buffer.from(payload),
      qos,
      retain: false,
      properties: expiry ? { messageExpiryInterval: expiry } : {},
    });
    if (!isRequest) return;
    /** Keeps the books of a task, or a worker's part of one. */
    const asked = (id: string, by: { worker?: string; isTaken: boolean }) => {
      const record = this.#ledger.task(id);
      record.boundTo = by.worker ?? null;
      if (!by.isTaken) {
        record.isUnheard ||= this.#settled(by.worker).length > 0;
        return;
      }
      record.taken++;
      if (expiry) record.mayExpire = true;
      if (qos > 0 || !this.#hasFaults) record.mayBeLost = false;
    };
    if (to === undefined) return asked(task, { isTaken: reached > 0 });
    for (const worker of this.#seats.keys()) {
      if (to !== "everyone" && to !== worker) continue;
      const id = to === "everyone" ? partId(task, worker) : task;
      const isTaken = subscribers.some((client) => isOf(client, worker));
      this.#ledger.count(
        isTaken ? `for ${to === worker ? "one" : to}` : "away",
      );
      asked(id, { worker, isTaken });
    }
  }

  /**
   * At a time of a schedule: whoever is there then, and a little later, has asked
   * for it.
   */
  #expectScheduled(at: number): void {
    // From now on the broker may forget it.
    const record = this.#ledger.task(
      scheduledId(SCHEDULED, new Date(EPOCH + at)),
    );
    const there = this.#settled().filter((process) => this.#saysSo(process));
    after(2000, null, () => {
      const still = this.#settled();
      if (!there.some((process) => still.includes(process))) return;
      this.#ledger.count("scheduled");
      record.taken++;
      record.mayBeLost = false;
    });
  }

  /** Whether a process has said that it is there, and not one before it. */
  #saysSo(process: WorkerProcess): boolean {
    const seat = [...this.#seats.values()].find((one) =>
      one.process === process
    )!;
    const message = this.#broker.retained(this.#topics.presence(seat.id));
    const presence = message && readAs(presenceSchema, message.payload);
    return presence?.state === "online" &&
      Date.parse(presence.started_at) >= EPOCH + seat.startedAt;
  }

  /** The processes that have had both their connections for a while. */
  #settled(worker?: string): WorkerProcess[] {
    const settled = this.#broker.connected().filter(({ since }) =>
      virtualNow() - since > SETTLE_MS
    );
    return [...this.#seats.values()].flatMap(({ id, process, startedAt }) =>
      process?.isAlive && !process.isStopping &&
        (worker === undefined || worker === id) &&
        // The broker may not have noticed yet that the process before is gone.
        settled.filter(({ id: client, since }) =>
            isOf(client, id) && since >= startedAt
          ).length === 2
        ? [process]
        : []
    );
  }

  #restart(
    { down, forgets, workers }: Extract<Happening, { what: "restart" }>,
  ): void {
    const broker = this.#broker;
    if (!broker.isUp) return;
    this.#ledger.count("restart");
    const { restart } = PROFILES[this.#plan.profile].behaviour as Behaviour;
    const stop = (memory?: ReturnType<Broker["save"]>) => {
      this.#tell({ from: "broker", what: "stops" });
      broker.stop({ inOrder: forgets === null });
      const statuses = forgets !== null || !restart.retained;
      if (statuses || !restart.sessions) {
        this.#ledger.brokerForgot({ statuses });
      }
      if (workers !== undefined) this.#powerCut(workers);
      after(down, null, () => {
        this.#tell({ from: "broker", what: "is back" });
        broker.start(memory);
        for (const send of this.#unsent.splice(0)) {
          after(this.#brokerReturns++ * 10, null, () => this.#send(send));
        }
      });
    };
    if (forgets === null) return stop();
    const memory = broker.save();
    after(forgets, null, () => stop(memory));
  }

  #powerCut(back: number): void {
    for (const seat of this.#seats.values()) {
      if (seat.process?.isAlive) this.#kill(seat, { silently: false, back });
    }
    this.#ledger.allForgot();
  }

  // ---- workers

  #startIn(seat: Seat, ms: number | null): void {
    if (ms === null) return;
    seat.isComing = true;
    after(ms, null, () => {
      seat.isComing = false;
      this.#start(seat);
    });
  }

  #start(seat: Seat): void {
    const { config, id, journal, road } = seat;
    const number = ++seat.processes;
    seat.startedAt = virtualNow();
    const name = `${id}.${number}`;
    this.#tell({ from: name, what: "starts" });
    const started: WorkerProcess = new WorkerProcess({
      seed: this.#plan.seed,
      workerId: id,
      number,
      config,
      journal,
      road,
      broker: () =>
        this.#broker.isUp ? (link) => this.#broker.accept(link) : null,
      tasks: this.#tasks,
      looksAtOnce: this.#plan.looksAtOnce,
      ledger: this.#ledger,
      log: this.#told ? (what) => this.#tell({ from: name, what }) : null,
      onStep: (step) => {
        this.#ledger.count(`step ${step}`);
        const { deadly } = seat;
        if (deadly?.step !== step) return;
        seat.deadly = null;
        this.#ledger.count(`killed after ${step}`);
        this.#tell({ from: name, what: `has reached "${step}"` });
        this.#kill(seat, { silently: false, back: deadly.back });
      },
      onExit: (how) => {
        this.#tell({ from: name, what: how });
        if (!started.isStopping || how !== "exits with 0") {
          this.#ledger.exits.push(`${name} ${how}`);
        }
        this.#startIn(seat, started.isStopping ? seat.back : 5000);
      },
    });
    seat.process = started;
  }

  #kill(
    seat: Seat,
    { silently, back }: { silently: boolean; back: number | null },
  ): void {
    this.#ledger.count(silently ? "silent kill" : "kill");
    this.#tell({
      from: seat.process!.name,
      what: silently ? "is gone, with its host" : "is killed",
    });
    seat.process!.kill({ silently });
    this.#startIn(seat, back);
  }

  #cut(
    { id, process, road }: Seat,
    { brokenFor, connection }: Extract<Happening, { what: "cut" }>,
  ): void {
    this.#ledger.count("cut");
    this.#tell({ from: process!.name, what: `is cut off (${connection})` });
    road.brokenUntil = virtualNow() + brokenFor;
    for (const { id: clientId } of this.#broker.connected()) {
      const isControl = /control$/.test(clientId);
      if (!isOf(clientId, id)) continue;
      if (connection === (isControl ? "intake" : "control")) continue;
      const link = this.#broker.linkOf(clientId);
      for (const one of road.connections) {
        if (link && one.belongsTo(link)) one.cut();
      }
    }
  }
}

/** Whether a client id is one of a worker's two. */
function isOf(clientId: string, workerId: string): boolean {
  return clientId.replace(/.control$/, "").endsWith(workerId);
}
