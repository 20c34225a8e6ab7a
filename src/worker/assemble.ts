/**
 * The parts of one worker, built in the order of their needs, and joined.
 *
 * @module
 */
import { Adoption, type AdoptionStep } from "../group/adoption.ts";
import { AdoptionRing } from "../group/adoption_ring.ts";
import { HandOver } from "../group/hand_over.ts";
import { LoadReport } from "../group/load.ts";
import { LoadWatch } from "../group/load_watch.ts";
import { Membership } from "../group/membership.ts";
import { originOf } from "../group/moved_task.ts";
import { type HandOverStep, Offering } from "../group/offering.ts";
import { Peers } from "../group/peers.ts";
import type { Log } from "../log.ts";
import type { Outgoing } from "../messages/packets.ts";
import type { Readings } from "../metrics/readings.ts";
import { Acceptance } from "../tasks/acceptance.ts";
import { Cancelling } from "../tasks/cancelling.ts";
import { ClaimList } from "../tasks/claim_list.ts";
import { Dispatcher } from "../tasks/dispatcher.ts";
import { LogRation } from "../tasks/log_ration.ts";
import { FeedQueue } from "../tasks/feed_queue.ts";
import { TaskQueue } from "../tasks/queue.ts";
import { RequestOpener } from "../tasks/request_opener.ts";
import { Rejections } from "../tasks/rejections.ts";
import { Responses } from "../tasks/responses.ts";
import type { StartStep } from "../tasks/start.ts";
import { RunFeed } from "../tasks/run_feed.ts";
import { StatusBoard } from "../tasks/status_board.ts";
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

/** Deliveries beyond what fits, so that a full queue can still refuse. */
const REFUSAL_MARGIN = 32;

/** The most that MQTT can announce (3.1.2.11.3). */
const MAX_RECEIVE_MAXIMUM = 65_535;

/** A step at which a killing test may stop the process. */
export type Step = StartStep | HandOverStep | AdoptionStep;

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
  const { ansible, broker, config, manager, observers, predecessor } = ready;
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
      load.update({ again: true });
      handOver.update();
      timetable.update();
      const ready = `ready for tasks on ${topics.tasks}`;
      manager.ready(ready);
      if (!first) return;
      announced.then(() => log.info(ready, { worker_id: workerId, version }));
    },
    controlConnected: async (session: { present: boolean }) => {
      presence.check();
      await loads.reconnected(session);
      // A worker that is still starting holds nothing yet.
      if (lifecycle.phase !== "starting") await recovery.reconnected(session);
    },
    taskLost: (taskId: string) => dispatcher.lost(taskId),
    tasksChanged: () => {
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
    before: predecessor?.presence ?? null,
    description: {
      slots,
      version,
      ansible_version: ansible.version,
      host: workerId,
    },
    templates: () => settings.now.templates.offers,
  });
  const { instance } = membership;
  const feeds = new FeedQueue({ outlet: back, connected: linked, log });
  const fits = worker.max_queue_size + slots;
  const link: Link = new Link({
    broker,
    topics,
    groupName: worker.group_name,
    workerId,
    lifecycle,
    log,
    sessionExpiry: config.mqtt.session_expiry,
    receiveMaximum: Math.min(
      MAX_RECEIVE_MAXIMUM,
      worker.when_full === "wait" ? fits : fits + REFUSAL_MARGIN,
    ),
    will: {
      payload: membership.will(),
      delaySeconds: timing.willDelaySeconds,
    },
    bulk: feeds,
    onControl: back.controlConnected,
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
  const steps = onStep ? { onStep } : {};
  const board = new StatusBoard({
    ...common,
    instance,
    connected: linked,
    windowSeconds: worker.duplicate_window,
    onGone: back.taskLost,
  });
  const claims = new ClaimList({
    ...common,
    instance,
    topic: topics.running(workerId),
  });
  const opener = new RequestOpener({
    keys: () => settings.now.keys,
    audience: topics.group,
    templates: () => settings.now.templates,
  });
  const queue = new TaskQueue(worker.max_queue_size);
  const dispatcher = new Dispatcher({
    slots,
    queue,
    board,
    start: {
      board,
      claims,
      runner: ansible,
      log,
      observer: observers,
      connected: () => lifecycle.untilConnected(),
      settings: () => settings.now.run,
      openFeed: (taskId) => new RunFeed(taskId, { queue: feeds, topics }),
      ...steps,
    },
    log,
    mayStart: () => lifecycle.mayStart,
    onChange: back.tasksChanged,
    onUsed: ({ signature }) => signature && opener.use(signature),
  });
  const rejections = new Rejections({
    ...common,
    topic: topics.rejected,
    rationed,
  });
  const cancelling = new Cancelling({
    opener,
    dispatcher,
    rejections,
    rationed,
  });
  const peers = new Peers(workerId);
  const loads = stack.use(new LoadWatch({ ...common, peers }));
  const offering = new Offering({ ...common, peers, board, ...steps });
  const handOver = stack.use(
    new HandOver({
      ...common,
      peers,
      loads,
      offering,
      queue,
      dispatcher,
      cancelling,
      connected: () => lifecycle.isConnected,
    }),
  );
  const acceptance = new Acceptance({
    ...common,
    rationed,
    opener,
    queue,
    queueCapacity: worker.max_queue_size,
    windowSeconds: worker.duplicate_window,
    waitForRoom: worker.when_full === "wait",
    dispatcher,
    board,
    runner: ansible,
    cancelling,
    rejections,
    workerWithRoom: (task, reserve) => handOver.workerWithRoom(task, reserve),
    workerWithTemplate: (task) => handOver.workerWithTemplate(task),
    offer: (task, peer) => offering.offer(task, peer),
  });
  const load = new LoadReport({
    ...common,
    topic: topics.load(workerId),
    measure: () => {
      const works = lifecycle.phase === "working";
      return {
        free_slots: works ? dispatcher.freeSlots : 0,
        queued: queue.size,
        room: works ? queue.room(dispatcher.emptySlots) : 0,
      };
    },
  });
  const adoption = new Adoption({
    ...common,
    peers,
    taskIdOf: (payload) => opener.taskIdOf(payload),
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
      adopt: (dead) => adoption.adopt(dead),
    }),
  );
  const recovery = new Recovery({
    ...common,
    membership,
    board,
    claims,
    dispatcher,
    queue,
    opener,
  });
  const presence = new OwnPresence({
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
  settings.onReload = () => {
    // Before the first connection there is nobody to tell.
    if (lifecycle.isConnected) void presence.announce();
    timetable.update();
  };
  const router = new Router({
    topics,
    lifecycle,
    handlers: {
      request: (delivery, { inbox }) =>
        void acceptance.accept(delivery, originOf(delivery)).then(() => {
          if (inbox) load.update({ again: true });
        }),
      status: (taskId, message) => board.receive(taskId, message),
      cancel: (taskId, message) => void cancelling.receive(taskId, message),
      presence: (id, theirs, message) => {
        if (id === workerId) return presence.receive(theirs, message);
        peers.presence(id, theirs);
        ring.presence(id, theirs);
        handOver.update();
        handOver.wake();
      },
      load: (id, load) => {
        peers.load(id, load);
        handOver.update();
      },
      probe: () => void presence.announce(),
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
    queue,
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
      held: link.held,
      publishQueue: link.unacknowledged,
      ansibleVersion: ansible.version,
      problem: ansible.health(),
    }),
  };
}
