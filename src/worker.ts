/**
 * The worker: builds every part, joins them, starts and stops them.
 *
 * It is **starting** until Ansible is ready and both connections are there for
 * the first time; then **working**; from the first signal on **draining**; and
 * then gone. While a connection is lost it starts nothing, and what runs goes
 * on.
 *
 * @module
 */
import { Ansible, AnsibleUnusableError } from "./ansible/mod.ts";
import { version } from "./cli/version.ts";
import { brokerOf, type Config, ConfigError } from "./config/mod.ts";
import { Adoption, type AdoptionStep } from "./group/adoption.ts";
import { HandOver, type HandOverStep } from "./group/hand_over.ts";
import { LoadReport } from "./group/load.ts";
import {
  IdInUseError,
  Membership,
  type Predecessor,
} from "./group/membership.ts";
import { originOf } from "./group/moved_task.ts";
import { Peers } from "./group/peers.ts";
import type { Log } from "./log.ts";
import {
  loadSchema,
  type Presence,
  presenceSchema,
  readAs,
} from "./messages/presence.ts";
import { taskIdSchema } from "./messages/task_request.ts";
import type { TrustedKeys } from "./messages/signed.ts";
import { cancelReason } from "./messages/cancel.ts";
import { Topics } from "./messages/topics.ts";
import type { Connection, Readings } from "./metrics/readings.ts";
import {
  type Broker,
  BrokerUnsuitableError,
  type Delivery,
  type Incoming,
  MqttConnection,
  Visit,
} from "./mqtt/mod.ts";
import { Acceptance } from "./tasks/acceptance.ts";
import { RememberedCancels } from "./tasks/cancels.ts";
import { Claims } from "./tasks/claims.ts";
import { Dispatcher } from "./tasks/dispatcher.ts";
import { LogRation } from "./tasks/log_ration.ts";
import { Narration, type Tell } from "./tasks/narration.ts";
import { Narrator } from "./tasks/narrator.ts";
import { TaskQueue } from "./tasks/queue.ts";
import { RequestOpener } from "./tasks/request_opener.ts";
import { Responses } from "./tasks/responses.ts";
import type { StartOptions, StartStep } from "./tasks/start.ts";
import { StatusBoard } from "./tasks/status_board.ts";
import {
  enquireFirst,
  runEnvironment,
  trustedKeysOf,
} from "./worker/before.ts";
import { waitingForRestart } from "./worker/changes.ts";
import { reclaim, recover } from "./worker/coming_back.ts";
import { Gate } from "./worker/gate.ts";
import { shutDown } from "./worker/shut_down.ts";
import { Signals, type StopSignals } from "./worker/signals.ts";
import { Watch } from "./worker/watch.ts";

/** How long the broker waits before it says that we are gone (3.1.3.2.2). */
const WILL_DELAY_SECONDS = 30;

/** Deliveries beyond what fits, so that a full queue can still refuse. */
const REFUSAL_MARGIN = 32;

/** A step at which a killing test may stop the process. */
export type Step = StartStep | HandOverStep | AdoptionStep;

/** What of Ansible a worker needs. */
export type WorkerAnsible =
  & Pick<Ansible, "version" | "policy" | "health" | "refusal" | "run">
  & AsyncDisposable;

/** What the worker needs beside its configuration. */
export interface WorkerOptions {
  /** Where to write what happens. */
  log: Log;
  /** Files with secrets in them, which no request may name. */
  secretFiles: readonly string[];
  /** Reads the configuration again, for SIGHUP; rejects if it is not valid. */
  reload(): Promise<Config>;
  /** Called after each step of starting, handing over and adopting a task. */
  onStep?(step: Step): void;
  /** Parts that are given from outside, instead of those of this host. */
  parts?: { broker?: Broker; signals?: StopSignals; ansible?: WorkerAnsible };
}

/**
 * Runs a worker until a signal stops it.
 *
 * @returns the exit code of the process: 0 after a signal, 1 if it could not
 * start or its id is another worker's
 */
export async function runWorker(
  config: Config,
  options: WorkerOptions,
): Promise<number> {
  const { log, parts = {} } = options;
  const signals = parts.signals ?? new Signals();
  try {
    const broker = parts.broker ?? await brokerOf(config.mqtt);
    const topics = new Topics(
      config.worker.topic_prefix,
      config.worker.group_name,
    );
    const keys = await trustedKeysOf(config);
    await using watch = await Watch.begin(config, log);
    log.info("starting Ansible");
    await using ansible = parts.ansible ?? await Ansible.start({
      playbookDirectory: config.worker.playbook_directory,
      inventoryDirectory: config.worker.inventory_directory,
      secretFiles: options.secretFiles,
      slots: config.worker.max_concurrent_tasks,
      killGraceSeconds: config.worker.kill_grace,
      environment: { ...runEnvironment(), ...config.ansible.environment },
      policy: config.policy,
      secrets: config.ansible,
      log,
      observer: watch,
    });
    log.info("Ansible is ready", { ansible_version: ansible.version });
    const before = await enquireFirst(broker, {
      config,
      topics,
      log,
      signals,
    });
    if (signals.count > 0) return 0;
    const worker = new Worker({
      ...options,
      config,
      broker,
      topics,
      ansible,
      keys,
      before,
      watch,
    });
    watch.read = () => worker.readings();
    return await worker.run(signals);
  } catch (error) {
    if (
      error instanceof ConfigError || error instanceof AnsibleUnusableError ||
      error instanceof BrokerUnsuitableError || error instanceof IdInUseError
    ) {
      log.error(error.message);
      return 1;
    }
    throw error;
  } finally {
    signals.close();
  }
}

class Worker {
  readonly #config: Config;
  readonly #log: Log;
  readonly #rationed: LogRation;
  readonly #options: WorkerOptions;
  readonly #workerId: string;
  readonly #topics: Topics;
  readonly #broker: Broker;
  readonly #ansible: WorkerAnsible;
  readonly #control: MqttConnection;
  readonly #intake: MqttConnection;
  readonly #membership: Membership;
  readonly #peers: Peers;
  readonly #adoption: Adoption;
  readonly #handOver: HandOver;
  readonly #load: LoadReport;
  readonly #board: StatusBoard;
  readonly #claims: Claims;
  readonly #cancels = new RememberedCancels();
  readonly #queue: TaskQueue;
  readonly #dispatcher: Dispatcher;
  readonly #opener: RequestOpener;
  readonly #responses: Responses;
  readonly #acceptance: Acceptance;
  readonly #limits: StartOptions;
  readonly #watch: Watch;
  /** The control connection has its CONNACK. */
  readonly #linked = new Gate();
  /** Both connections are ready, and what we hold is known to be ours. */
  readonly #connected = new Gate();
  #draining = false;
  /** What came before the recovery was through; null from then on. */
  #early: Delivery[] | null = [];
  #claimedBefore: string[];
  #recovering = false;
  #firstConnect = true;
  #wasReady = false;
  /** Connections that have been ready before. */
  readonly #seen = new Set<Connection>();
  #adoptedMeanwhile = false;
  #reclaiming: Promise<void> | null = null;
  readonly #failed = Promise.withResolvers<never>();

  constructor(
    options: WorkerOptions & {
      config: Config;
      broker: Broker;
      topics: Topics;
      ansible: WorkerAnsible;
      keys: TrustedKeys | null;
      before: Predecessor | null;
      watch: Watch;
    },
  ) {
    const { config, broker, topics, ansible, log, watch } = options;
    const { worker } = config;
    const workerId = worker.worker_id;
    this.#config = config;
    this.#options = options;
    this.#log = log;
    this.#rationed = new LogRation(log);
    this.#broker = broker;
    this.#ansible = ansible;
    this.#topics = topics;
    this.#workerId = workerId;
    this.#watch = watch;
    this.#claimedBefore = options.before?.claims?.tasks ?? [];
    this.#failed.promise.catch(() => {});

    const channel = {
      subscribe: (topic: string, o: { qos: 1; retained?: boolean }) =>
        this.#control.subscribe(topic, o),
      unsubscribe: (topic: string) => this.#control.unsubscribe(topic),
      publish: (message: Parameters<MqttConnection["publish"]>[0]) =>
        this.#control.publish(message),
    };
    const responses = new Responses({
      channel,
      topics,
      patterns: config.policy.response_topics,
      log,
    });
    this.#responses = responses;
    const common = {
      channel,
      topics,
      workerId,
      responses,
      log,
      observer: watch,
    };

    this.#membership = new Membership({
      ...common,
      before: options.before?.presence ?? null,
      description: {
        slots: worker.max_concurrent_tasks,
        version,
        ansible_version: ansible.version,
        host: workerId,
      },
    });
    const { instance } = this.#membership;
    this.#peers = new Peers(workerId);
    this.#board = new StatusBoard({
      ...common,
      instance,
      connected: () => this.#linked.wait(),
      retentionSeconds: worker.status_retention,
      windowSeconds: worker.duplicate_window,
      onGone: (taskId) => this.#dispatcher.lost(taskId),
    });
    this.#claims = new Claims({
      ...common,
      instance,
      topic: topics.running(workerId),
    });
    const narrator = new Narrator({
      outlet: {
        poke: () => this.#control.poke(),
        publish: channel.publish,
      },
      connected: () => this.#linked.wait(),
      log,
    });
    this.#limits = {
      board: this.#board,
      claims: this.#claims,
      runner: ansible,
      log,
      observer: watch,
      connected: () => this.#connected.wait(),
      timeoutSeconds: worker.task_timeout,
      statusIntervalSeconds: worker.status_interval,
      tell: toTell(config),
      narrate: (taskId) => new Narration(taskId, { narrator, topics }),
      ...(options.onStep && { onStep: options.onStep }),
    };
    this.#queue = new TaskQueue(worker.max_queue_size);
    this.#dispatcher = new Dispatcher({
      slots: worker.max_concurrent_tasks,
      queue: this.#queue,
      board: this.#board,
      start: this.#limits,
      log,
      mayStart: () => this.#connected.isOpen && !this.#draining,
      onChange: () => this.#changed(),
      onUsed: ({ signature }) => signature && this.#opener.use(signature),
    });
    this.#handOver = new HandOver({
      ...common,
      peers: this.#peers,
      queue: this.#queue,
      dispatcher: this.#dispatcher,
      board: this.#board,
      cancels: this.#cancels,
      connected: () => this.#connected.isOpen,
      ...(options.onStep && { onStep: options.onStep }),
    });
    this.#opener = new RequestOpener({
      keys: options.keys,
      audience: topics.group,
    });
    this.#acceptance = new Acceptance({
      ...common,
      rationed: this.#rationed,
      opener: this.#opener,
      queue: this.#queue,
      queueCapacity: worker.max_queue_size,
      waitForRoom: worker.when_full === "wait",
      dispatcher: this.#dispatcher,
      board: this.#board,
      runner: ansible,
      cancels: this.#cancels,
      rejectedTopic: topics.rejected,
      workerWithRoom: (task, reserve) =>
        this.#handOver.workerWithRoom(task, reserve),
      offer: (task, peer) => this.#handOver.offer(task, peer),
    });
    this.#load = new LoadReport({
      ...common,
      topic: topics.load(workerId),
      measure: () => ({
        free_slots: this.#draining ? 0 : this.#dispatcher.freeSlots,
        queued: this.#queue.size,
        room: this.#draining
          ? 0
          : this.#queue.room(this.#dispatcher.emptySlots),
      }),
    });
    this.#adoption = new Adoption({
      ...common,
      peers: this.#peers,
      retentionSeconds: worker.status_retention,
      connected: () => this.#connected.isOpen,
      taskIdOf: (payload) => this.#opener.taskIdOf(payload),
      openIntake: (id) => this.#openIntake(id),
      endControl: (id) => this.#endControl(id),
      ...(options.onStep && { onStep: options.onStep }),
    });

    const { session_expiry } = config.mqtt;
    const fits = worker.max_queue_size + worker.max_concurrent_tasks;
    this.#control = new MqttConnection({
      broker,
      clientId: this.#controlClientId(workerId),
      sessionExpiry: session_expiry,
      will: {
        topic: topics.presence(workerId),
        payload: this.#membership.will(),
        delaySeconds: WILL_DELAY_SECONDS,
      },
      source: narrator,
      onConnect: (session) => this.#onControlConnect(session),
      onReady: () => this.#onReady("control"),
      onLost: (reason) => this.#onLost("control", reason),
      onMessage: (message) => this.#onMessage(message),
    });
    this.#intake = new MqttConnection({
      broker,
      clientId: this.#intakeClientId(workerId),
      sessionExpiry: session_expiry,
      receiveMaximum: Math.min(
        65_535,
        worker.when_full === "wait" ? fits : fits + REFUSAL_MARGIN,
      ),
      onConnect: () => this.#subscribeIntake(),
      onReady: () => this.#onReady("intake"),
      onLost: (reason) => this.#onLost("intake", reason),
      onDelivery: (delivery) => this.#onDelivery(delivery),
      onTakenOver: () =>
        log.warn("another client has taken over this worker's session"),
    });
  }

  /** Works until a signal, or until the id turns out to be another worker's. */
  async run(signals: StopSignals): Promise<number> {
    signals.hangup = () => void this.#reload();
    const stopped = signals.next();
    const connecting = Promise.all([
      this.#control.connect(),
      this.#intake.connect(),
    ]);
    try {
      // A broker that cannot serve us stops the start, and only the start.
      await Promise.race([connecting, stopped, this.#failed.promise]);
      if (signals.count === 0) {
        await Promise.race([stopped, this.#failed.promise]);
      }
      await this.#shutDown(signals);
      return 0;
    } catch (error) {
      for (const active of this.#dispatcher.active) active.abandon();
      throw error;
    } finally {
      connecting.catch(() => {});
      this.#adoption.stop();
      this.#handOver.stop();
      await Promise.all([this.#control.end(), this.#intake.end()]);
      this.#rationed.close();
    }
  }

  /** How it stands at this moment. */
  readings(): Readings {
    const { emptySlots } = this.#dispatcher;
    const { max_concurrent_tasks: slots } = this.#config.worker;
    return {
      standing: this.#draining
        ? "draining"
        : this.#connected.isOpen
        ? "online"
        : this.#wasReady
        ? "offline"
        : "starting",
      connected: { control: this.#control.ready, intake: this.#intake.ready },
      slots,
      freeSlots: emptySlots,
      running: slots - emptySlots,
      queued: this.#queue.waiting,
      held: this.#intake.held,
      publishQueue: this.#control.unacknowledged,
      ansibleVersion: this.#ansible.version,
      problem: this.#ansible.health(),
    };
  }

  // ---- the connections

  #intakeClientId(workerId: string): string {
    return `ansible-worker-${this.#config.worker.group_name}-${workerId}`;
  }

  #controlClientId(workerId: string): string {
    return `${this.#intakeClientId(workerId)}-control`;
  }

  async #onControlConnect(session: { present: boolean }): Promise<void> {
    this.#linked.open();
    const { allCancels, allPresences } = this.#topics;
    await Promise.all([
      this.#control.subscribe(allCancels, { qos: 1 }),
      this.#control.subscribe(this.#topics.probe(this.#workerId), { qos: 1 }),
      this.#control.subscribe(allPresences, { qos: 1 }),
      // Answered after the retained presences have come, our own among them.
      this.#control.subscribe(allPresences, { qos: 1, retained: false }),
    ]);
    if (this.#membership.isLater) throw this.#rival();
    await this.#handOver.reconnected(session);
    if (!this.#firstConnect) {
      if (this.#membership.wasAdopted || this.#adoptedMeanwhile) {
        await this.#reclaim();
      } else {
        await this.#board.reconnected(session);
        if (!session.present) await this.#claims.publish();
      }
    }
    this.#adoptedMeanwhile = false;
    this.#firstConnect = false;
  }

  async #subscribeIntake(): Promise<void> {
    // What is retained on an inbox would come again with every connect.
    await this.#intake.subscribe(this.#topics.inbox(this.#workerId), {
      qos: 2,
      retained: false,
      asPublished: true,
    });
    if (!this.#draining) await this.#subscribeTasks();
  }

  async #subscribeTasks(): Promise<void> {
    await this.#intake.subscribe(this.#topics.sharedTasks, {
      qos: 2,
      asPublished: true,
    });
  }

  #onReady(which: Connection): void {
    if (this.#seen.has(which)) this.#watch.reconnected(which);
    this.#seen.add(which);
    const { host, port } = this.#broker;
    this.#log.info(`connected to the broker at ${host}:${port} (${which})`);
    if (!this.#control.ready || !this.#intake.ready) return;
    if (this.#early && !this.#recovering) {
      this.#recovering = true;
      this.#recover().then(() => this.#nowConnected(), (error) => {
        this.#failed.reject(error);
      }).finally(() => this.#recovering = false);
    } else if (!this.#early) this.#nowConnected();
  }

  #nowConnected(): void {
    if (!this.#control.ready || !this.#intake.ready || this.#reclaiming) return;
    this.#connected.open();
    // Only now: whoever reads "online" may count on this worker's subscriptions.
    this.#announce().then(() => {
      if (this.#wasReady) return;
      this.#wasReady = true;
      this.#log.info(`ready for tasks on ${this.#topics.tasks}`, {
        worker_id: this.#workerId,
        version,
      });
    });
    this.#dispatcher.poke();
    this.#load.update({ again: true });
    this.#handOver.update();
  }

  #onLost(which: Connection, reason: string): void {
    if (which === "control") this.#linked.close();
    this.#connected.close();
    const { host, port } = this.#broker;
    this.#log.warn(
      `no connection to the broker at ${host}:${port} (${which}): ${reason}; trying again`,
    );
  }

  // ---- what comes in

  #onDelivery(delivery: Delivery): void {
    if (this.#early) {
      this.#early.push(delivery);
      return;
    }
    const inbox = this.#topics.parse(delivery.topic)?.kind === "inbox";
    this.#acceptance.accept(delivery, originOf(delivery)).then(() => {
      if (inbox) this.#load.update({ again: true });
    });
  }

  #onMessage(message: Incoming): void {
    const topic = this.#topics.parse(message.topic);
    switch (topic?.kind) {
      case "status":
        return this.#board.receive(topic.taskId, message);
      case "cancel":
        return void this.#onCancel(topic.taskId, message);
      case "presence":
        return this.#onPresence(topic.workerId, message);
      case "load":
        this.#peers.load(
          topic.workerId,
          readAs(loadSchema, message.payload),
        );
        return this.#handOver.update();
      case "probe":
        void this.#announce();
    }
  }

  #announce(): Promise<void> {
    return this.#membership.announce().catch((error) =>
      this.#log.error("cannot publish the presence", { error })
    );
  }

  async #onCancel(taskId: string, message: Incoming): Promise<void> {
    if (message.retained) {
      this.#rationed.warn("a retained cancel is ignored", { task_id: taskId });
      return;
    }
    if (!taskIdSchema.safeParse(taskId).success) return;
    const opened = await this.#opener.openCancel(message.payload, taskId);
    if (!opened.ok) {
      // Every worker gets it; the one that it is about reports it.
      if (this.#dispatcher.find(taskId)) {
        await this.#acceptance.report(message.payload, {
          task_id: taskId,
          reason: opened.reason,
          errors: [{ path: "cancel", message: opened.message }],
        });
      }
      return;
    }
    const reason = cancelReason(opened.payload);
    this.#rationed.info("a cancel has come", { task_id: taskId, reason });
    if (!this.#dispatcher.cancel(taskId, reason)) {
      this.#cancels.add(taskId, reason);
    }
  }

  #onPresence(workerId: string, message: Incoming): void {
    const presence = readAs(presenceSchema, message.payload);
    if (presence && presence.worker_id !== workerId) return;
    if (workerId === this.#workerId) {
      this.#onOwnPresence(presence, message.retained);
      return;
    }
    this.#peers.presence(workerId, presence);
    this.#adoption.presence(workerId, presence);
    this.#handOver.update();
    this.#handOver.wake();
  }

  #onOwnPresence(presence: Presence | null, retained: boolean): void {
    const meaning = this.#membership.own(presence, retained);
    if (this.#firstConnect) return;
    if (meaning === "rival") this.#rival();
    else if (meaning === "wrong") {
      // Otherwise it is said when we are.
      if (this.#connected.isOpen) void this.#announce();
    } else if (meaning === "adopted") {
      // What was published while we were away is dealt with on connect.
      if (!this.#control.ready) this.#adoptedMeanwhile = true;
      else {
        this.#reclaim().then(
          () => this.#nowConnected(),
          (error) => this.#log.error("cannot take the tasks back", { error }),
        );
      }
    }
  }

  #rival(): IdInUseError {
    const error = new IdInUseError(this.#workerId);
    this.#failed.reject(error);
    return error;
  }

  #changed(): void {
    this.#acceptance.update();
    this.#load.update();
    this.#handOver.update();
    this.#handOver.wake();
  }

  // ---- coming back

  async #recover(): Promise<void> {
    const early = this.#early ?? [];
    await recover(early, {
      claimed: this.#claimedBefore,
      workerId: this.#workerId,
      topics: this.#topics,
      retentionSeconds: this.#config.worker.status_retention,
      channel: this.#control,
      opener: this.#opener,
      board: this.#board,
      responses: this.#responses,
      log: this.#log,
      observer: this.#watch,
    });
    await this.#claims.publish();
    this.#early = null;
    early.forEach((delivery) => this.#onDelivery(delivery));
  }

  #reclaim(): Promise<void> {
    this.#connected.close();
    this.#reclaiming ??= (async () => {
      this.#log.warn("the group has adopted this worker's session meanwhile");
      await reclaim({
        membership: this.#membership,
        board: this.#board,
        claims: this.#claims,
        dispatcher: this.#dispatcher,
        queue: this.#queue,
      });
    })().finally(() => this.#reclaiming = null);
    return this.#reclaiming;
  }

  // ---- adopting

  async #openIntake(workerId: string) {
    return await Visit.open(this.#broker, {
      clientId: this.#intakeClientId(workerId),
      sessionExpiry: this.#config.mqtt.session_expiry,
    });
  }

  async #endControl(workerId: string): Promise<void> {
    const visit = await Visit.open(this.#broker, {
      clientId: this.#controlClientId(workerId),
      sessionExpiry: 0,
    });
    await visit.end();
  }

  // ---- stopping, and changing

  async #shutDown(signals: StopSignals): Promise<void> {
    this.#log.info("stopping: no further task is started");
    this.#draining = true;
    this.#adoption.stop();
    this.#load.update();
    await shutDown(signals, {
      config: this.#config,
      log: this.#log,
      dispatcher: this.#dispatcher,
      queue: this.#queue,
      membership: this.#membership,
      peers: this.#peers,
      handOver: this.#handOver,
      acceptance: this.#acceptance,
      unsubscribe: () => this.#intake.unsubscribe(this.#topics.sharedTasks),
      subscribe: async () => {
        if (this.#intake.ready) await this.#subscribeTasks();
      },
      allAcknowledged: () => this.#control.allAcknowledged(),
    });
    this.#log.info("stopped");
  }

  async #reload(): Promise<void> {
    const { log } = this.#options;
    let config: Config;
    try {
      config = await this.#options.reload();
      // Also where only what is in the files has changed.
      this.#opener.keys = await trustedKeysOf(config);
    } catch (error) {
      log.error("the configuration is not valid; nothing is changed", {
        error,
      });
      return;
    }
    log.level = config.log_level;
    this.#limits.timeoutSeconds = config.worker.task_timeout;
    this.#limits.statusIntervalSeconds = config.worker.status_interval;
    this.#limits.tell = toTell(config);
    this.#ansible.policy = config.policy;
    this.#responses.patterns = config.policy.response_topics;
    const waiting = waitingForRestart(this.#config, config);
    log.info("the configuration was read again", {
      ...(waiting.length > 0 && { needs_restart: waiting.join(", ") }),
    });
  }
}

/** What is told of runs beside their statuses. */
function toTell({ worker }: Config): Tell {
  return {
    events: worker.publish_events,
    output: worker.publish_output,
    outputLimit: worker.output_limit,
  };
}
