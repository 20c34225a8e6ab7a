/**
 * The parts of one worker, built in the order of their needs, and joined.
 *
 * @module
 */
import { Adoption, type AdoptionStep } from "../group/adoption.ts";
import { AdoptionRing } from "../group/adoption_ring.ts";
import { HandOver } from "../group/hand_over.ts";
import { IdleSearch } from "../group/idle_search.ts";
import { LoadReport } from "../group/load.ts";
import { LoadWatch } from "../group/load_watch.ts";
import { Membership } from "../group/membership.ts";
import { type HandOverStep, Offering } from "../group/offering.ts";
import { Peers } from "../group/peers.ts";
import { RollCall } from "../group/roll_call.ts";
import type { Log } from "../log.ts";
import type { Outgoing } from "../messages/packets.ts";
import type { Readings } from "../metrics/readings.ts";
import { Acceptance, type AcceptanceStep } from "../tasks/acceptance.ts";
import { partOf } from "../tasks/addressee.ts";
import { Cancelling } from "../tasks/cancelling.ts";
import { Dispatcher } from "../tasks/dispatcher.ts";
import { LeftBehind } from "../tasks/left_behind.ts";
import { Journal } from "../tasks/journal.ts";
import { LogRation } from "../tasks/log_ration.ts";
import { FeedQueue } from "../tasks/feed_queue.ts";
import { originOfDelivery } from "../tasks/origin.ts";
import { TaskQueue } from "../tasks/queue.ts";
import { Records } from "../tasks/records.ts";
import { RequestOpener } from "../tasks/request_opener.ts";
import { Rejections } from "../tasks/rejections.ts";
import { Responses } from "../tasks/responses.ts";
import type { StartStep } from "../tasks/start.ts";
import { RunFeed } from "../tasks/run_feed.ts";
import { StatusBoard } from "../tasks/status_board.ts";
import { TakeOver } from "../tasks/take_over.ts";
import type { Task } from "../tasks/task.ts";
import { TaskLocks } from "../tasks/task_locks.ts";
import { Turns } from "../tasks/turns.ts";
import { MAX_LATE_SECONDS } from "../templates/template.ts";
import { Timetable } from "../templates/timetable.ts";
import { version } from "../version.ts";
import { Lifecycle } from "./lifecycle.ts";
import { Link } from "./link.ts";
import { OwnPresence } from "./own_presence.ts";
import type { Ready } from "./preflight.ts";
import { Recovery } from "./recovery.ts";
import { Router } from "./router.ts";
import type { Stopping } from "./shutdown.ts";
import type { Timing } from "./timing.ts";

/** A step at which a killing test may stop the process. */
export type Step = AcceptanceStep | StartStep | HandOverStep | AdoptionStep;

/** A worker that has not begun. */
export interface Parts extends Stopping {
  recovery: Recovery;
  router: Router;
  /** How it stands at this moment. */
  readings(): Readings;
}

/** Builds a worker; what has to be released is put on the stack. */
export function assemble(
  ready: Ready,
  { log, onStep, timing, stack }: {
    log: Log;
    onStep: ((step: Step) => void) | undefined;
    timing: Timing;
    stack: AsyncDisposableStack;
  },
): Parts {
  const { ansible, broker, config, content, manager, observers } = ready;
  const { settings, topics } = ready;
  const { worker } = config;
  const { worker_id: workerId, max_concurrent_tasks: slots } = worker;

  // What goes back, from a part to those that are built after it.
  const back = {
    publish: (message: Outgoing): Promise<void> => link.publish(message),
    bulkReady: (): void => link.bulkReady(),
    connected: ({ first }: { first: boolean }) => {
      // Only now: whoever reads "online" may count on the subscriptions.
      const announced = presence.announce();
      dispatcher.startNext();
      locks.update();
      load.update({ again: true });
      handOver.update();
      router.release();
      timetable.update();
      const ready = `ready for tasks on ${topics.tasks}`;
      manager.ready(ready);
      if (!first) return;
      announced.then(() => log.info(ready, { worker_id: workerId, version }));
    },
    controlConnected: async (session: { present: boolean }) => {
      peers.connected();
      await loads.reconnected(session);
      // Before anybody is told that this worker is there: others wait for that.
      await locks.reconnected(session);
      await search.reconnected(session);
      await recovery.reconnected(session);
    },
    tasksChanged: () => {
      locks.update();
      acceptance.update();
      load.update();
      handOver.update();
      handOver.wake();
    },
  };

  const rationed = stack.use(new LogRation(log));
  const lifecycle = new Lifecycle({ log, onConnected: back.connected });
  const linked = () => lifecycle.untilLinked();
  const membership: Membership = new Membership({
    publish: back.publish,
    topics,
    workerId,
    description: {
      slots,
      version,
      ansible_version: ansible.version,
      host: workerId,
    },
    templates: () => settings.now.templates.offers,
    content: () => content?.state ?? null,
  });
  const { instance } = membership;
  const feeds = new FeedQueue({ outlet: back, connected: linked, log });
  const link: Link = new Link({
    broker,
    topics,
    workerId,
    lifecycle,
    log,
    sessionExpiry: config.mqtt.session_expiry,
    will: {
      payload: membership.will(),
      delaySeconds: timing.willDelaySeconds,
    },
    looksAtOnce: timing.looksAtOnce,
    bulk: feeds,
    looks: content !== null,
    onControl: back.controlConnected,
    onControlLost: () => {
      board.disconnected();
      locks.disconnected();
      peers.disconnected();
      rollCall.disconnected();
      recovery.disconnected();
    },
    onReconnected: (which) => observers.reconnected(which),
    onLost: (problem) => manager.ready(problem),
    onDelivery: (delivery) => router.delivery(delivery),
    onMessage: (message) => router.message(message),
  });
  stack.use(link);

  const responses = new Responses({
    channel: link,
    topics,
    patterns: () => settings.now.responseTopics,
    log,
  });
  const common = {
    channel: link,
    topics,
    workerId,
    responses,
    log,
    observer: observers,
    retentionSeconds: worker.status_retention,
  };
  const journal = new Journal({
    ...common,
    file: ready.journal,
    windowSeconds: worker.duplicate_window,
  });
  const steps = onStep ? { onStep } : {};
  const board = new StatusBoard({
    ...common,
    instance,
    journal,
    connected: linked,
    windowSeconds: worker.duplicate_window,
    onGone: (taskId) => dispatcher.lost(taskId),
    onContested: (task) => void acceptance.lostRace(task),
  });
  const records = new Records(common);
  const turns = new Turns();
  const leftBehind = new LeftBehind({ ...common, board });
  const peers = new Peers(workerId);
  const opener = new RequestOpener({
    keys: () => settings.now.keys,
    audience: topics.group,
    templates: () => settings.now.templates,
    lockBy: worker.lock_by,
    schedulesElsewhere: (template) => peers.schedulesOf(template),
  });
  const queue = new TaskQueue(worker.max_queue_size);
  const locks: TaskLocks = stack.use(
    new TaskLocks({
      ...common,
      connected: linked,
      instance: () => membership.instance,
      isGone: (claim) => peers.isGone(claim),
      // The group adopts this worker later, but not much.
      leaseMs: timing.willDelaySeconds * 1000 + timing.returnMs / 2,
      waiting: () => queue.locked(),
      isActive: (task) => dispatcher.isActive(task),
      startable: () => lifecycle.mayStart ? dispatcher.emptySlots : 0,
      startNext: () => dispatcher.startNext(),
      publish: (task) => board.update(task),
      onLost: (task, why) => dispatcher.endRun(task, why),
    }),
  );
  const dispatcher: Dispatcher = new Dispatcher({
    slots,
    queue,
    board,
    records,
    locks,
    start: {
      board,
      records,
      runner: ansible,
      log,
      observer: observers,
      settings: () => settings.now.run,
      openFeed: (taskId) => new RunFeed(taskId, { queue: feeds, topics }),
      ...steps,
    },
    log,
    mayStart: () => lifecycle.mayStart,
    untilCertain: () => lifecycle.untilBothOrOver(),
    onChange: back.tasksChanged,
    onUsed: (task) =>
      task.signature && opener.use(task.signature, partOf(task, workerId)),
  });
  const rejections = new Rejections({
    ...common,
    topic: topics.rejected,
    rationed,
  });
  const cancelling = new Cancelling({
    workerId,
    opener,
    dispatcher,
    rejections,
    rationed,
  });
  const rollCall = new RollCall({ ...common, peers });
  const loads = stack.use(new LoadWatch(common));
  const search = new IdleSearch({ ...common, peers, loads });
  const offering = new Offering({ ...common, peers, board, ...steps });
  const handOver = new HandOver({
    ...common,
    peers,
    loads,
    search,
    offering,
    queue,
    dispatcher,
    locks,
    cancelling,
    connected: () => lifecycle.isConnected,
  });
  const elsewhere = {
    workerWithTemplate: (task: Task) => handOver.workerWithTemplate(task),
    offer: (task: Task, peer: string) => offering.offer(task, peer),
  };
  const acceptance = new Acceptance({
    ...common,
    rationed,
    opener,
    turns,
    leftBehind,
    queue,
    queueCapacity: worker.max_queue_size,
    windowSeconds: worker.duplicate_window,
    waitForRoom: worker.when_full === "wait",
    dispatcher,
    board,
    records,
    runner: ansible,
    cancelling,
    rejections,
    ...elsewhere,
    workerWithRoom: (task, reserve) => handOver.workerWithRoom(task, reserve),
    settled: (taskId) => peers.settled(taskId),
    isCertain: () => lifecycle.link === "both",
    untilCertain: () => lifecycle.untilBoth(),
    ...steps,
  });
  const takeOver = new TakeOver({
    ...common,
    ...elsewhere,
    opener,
    turns,
    leftBehind,
    runner: ansible,
    board,
    journal,
    records,
    dispatcher,
    isThere: (id) => peers.isThere(id),
    isAlone: () => peers.isAlone,
  });
  const load = stack.use(
    new LoadReport({
      ...common,
      topic: topics.load(workerId),
      isAlone: () => peers.online().length === 0,
      measure: () => {
        const works = lifecycle.phase === "working";
        return {
          free_slots: works ? dispatcher.freeSlots : 0,
          queued: queue.size - locks.blocked,
          room: works ? queue.room(dispatcher.emptySlots) : 0,
        };
      },
    }),
  );
  const adoption = new Adoption({
    ...common,
    peers,
    records: (id) => records.read(id),
    takeOver: (record, holder) => takeOver.records([record], holder),
    undelivered: (delivery, to) => takeOver.undelivered(delivery, to),
    openIntake: (id) => link.openIntakeOf(id),
    endControlSession: (id) => link.endControlSessionOf(id),
    ...steps,
  });
  const ring = stack.use(
    new AdoptionRing({
      ...common,
      peers,
      timing,
      connected: () => lifecycle.isConnected,
      adopt: (dead, signal) => adoption.adopt(dead, signal),
    }),
  );
  const recovery: Recovery = stack.use(
    new Recovery({
      ...common,
      lifecycle,
      membership,
      board,
      journal,
      records,
      takeOver,
      rollCall,
      onReclaim: () => locks.forfeit(),
      announce: () => presence.announce(),
      untilReady: () => link.untilReady(),
      whileInDoubt: (work) => link.whileInDoubt(work),
    }),
  );
  const presence: OwnPresence = new OwnPresence({
    workerId,
    membership,
    lifecycle,
    reclaim: () => link.whileInDoubt(() => recovery.reclaim()),
    log,
  });
  const timetable = stack.use(
    new Timetable({
      schedules: () => settings.now.templates.schedules,
      isReady: () => lifecycle.mayStart,
      retentionSeconds: worker.status_retention,
      publish: (request) => {
        const message = {
          topic: topics.tasks,
          payload: JSON.stringify(request),
          qos: 2 as const,
          properties: { expirySeconds: MAX_LATE_SECONDS },
        };
        link.publish(message).catch((error) =>
          log.error("cannot ask for what is due", {
            task_id: request.task_id,
            error,
          })
        );
      },
    }),
  );
  // Before the first connection there is nobody to tell.
  const tell = () => lifecycle.isConnected && void presence.announce();
  settings.onReload = () => {
    tell();
    timetable.update();
  };
  if (content) content.onChange = tell;
  const router = new Router({
    ...common,
    lifecycle,
    handlers: {
      request: (delivery, { topic }) => {
        const accepted = acceptance.accept(
          delivery,
          originOfDelivery(delivery, topic),
        );
        if (topic === "inbox") load.arriving(accepted);
      },
      status: (taskId, message) => board.receive(taskId, message),
      cancel: (taskId, message) => void cancelling.receive(taskId, message),
      presence: (id, theirs, message) => {
        if (id === workerId) return presence.receive(theirs, message);
        if (!peers.presence(id, theirs, message)) return;
        rollCall.update();
        ring.presence(id, theirs);
        locks.update();
        dispatcher.startNext();
        handOver.update();
        handOver.wake();
      },
      lock: (lock, message) => locks.receive(lock, message),
      load: (id, load, message) => {
        peers.load(id, load, message);
        handOver.update();
      },
      record: (id, taskId, message) => records.receive(id, taskId, message),
      look: () => content?.lookAtOnce(),
      probe: () => {
        // Before that it says so by itself, as soon as it is.
        if (recovery.isPutRight) void presence.announce();
      },
    },
  });

  return {
    acceptance,
    config,
    dispatcher,
    handOver,
    lifecycle,
    link,
    load,
    log,
    membership,
    peers,
    recovery,
    ring,
    router,
    readings: () => ({
      standing: lifecycle.standing,
      connected: link.ready,
      slots,
      freeSlots: dispatcher.emptySlots,
      running: slots - dispatcher.emptySlots,
      queued: queue.waiting,
      unanswered: link.unanswered,
      publishQueue: link.unacknowledged,
      ansibleVersion: ansible.version,
      problem: ansible.health(),
      content: content?.state ?? null,
    }),
  };
}
