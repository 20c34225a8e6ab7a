/**
 * A broker that speaks MQTT 5, and does what it is told to do where the standard
 * leaves that to the broker (see `behaviour.ts`).
 *
 * It knows neither sockets nor the clock: connections come as `Link`s, time as a
 * `Time`. So the same broker serves the simulated network, and TCP (see
 * `listener.ts`), where it is held against the same tests as a real one.
 *
 * @module
 */
import type {
  IConnectPacket,
  IDisconnectPacket,
  IPublishPacket,
  ISubscribePacket,
  Packet,
} from "mqtt-packet";
import type { Random } from "../random.ts";
import type { Behaviour } from "./behaviour.ts";
import type { Parcel } from "./flow.ts";
import type { Link, Time } from "./link.ts";
import { type Message, messageOf, type Qos } from "./message.ts";
import { Retained } from "./retained.ts";
import { Session } from "./session.ts";
import { type Subscription, subscriptionOf } from "./subscription.ts";
import { brief, reader } from "./wire.ts";

/** Reason codes (2.4). */
const SUCCESS = 0;
const WITH_WILL = 0x04;
const NO_MATCHING_SUBSCRIBERS = 0x10;
const NO_SUBSCRIPTION = 0x11;
const PROTOCOL_ERROR = 0x82;
const NOT_AUTHORIZED = 0x87;
const TAKEN_OVER = 0x8e;

/** What a broker needs. */
export interface BrokerOptions {
  /** What it does. */
  behaviour: Behaviour;
  /** Its clock. */
  time: Time;
  /** Its dice. */
  random: Random;
  /** Is told of each message that it has accepted, before anybody gets it. */
  onMessage?(message: Message): void;
  /**
   * Is told of each message that is given to a client as a new one again: to
   * another member of a share, or after it was forgotten that it was given.
   */
  onRepeated?(message: Message, clientId: string): void;
  /** Is told of each packet; `what` is only to be called where it is read. */
  onPacket?(
    clientId: string,
    direction: "in" | "out",
    what: () => string,
  ): void;
}

/** What a broker keeps. */
interface Memory {
  sessions: Map<string, Session>;
  retained: Retained;
}

/** A broker. */
export class Broker {
  /** How many packets have gone in and out. */
  packets = 0;
  readonly #options: BrokerOptions;
  #sessions = new Map<string, Session>();
  #retained: Retained;
  /** Who has had a message; "" for the members of a share. */
  readonly #given = new WeakMap<Message, Set<string>>();
  /** What was acknowledged, and is not passed on yet, in order. */
  readonly #accepted = new Set<Message>();
  /** When the last message of a topic is passed on. */
  readonly #passedOnAt = new Map<string, number>();
  /** Whose turn it is in each share. */
  readonly #turns = new Map<string, number>();
  readonly #links = new Set<Link>();
  #up = true;

  /** Begins with nothing, and running. */
  constructor(options: BrokerOptions) {
    this.#options = options;
    this.#retained = new Retained(() => options.time.now());
  }

  /** Whether it runs. */
  get isUp(): boolean {
    return this.#up;
  }

  /** The topics with something retained that begin so. */
  retainedTopics(start: string): string[] {
    return this.#retained.topics().filter((topic) => topic.startsWith(start));
  }

  /** What is retained on a topic. */
  retained(topic: string): Message | undefined {
    return this.#retained.get(topic);
  }

  /** The connection of a client. */
  linkOf(clientId: string): Link | null {
    return this.#sessions.get(clientId)?.link ?? null;
  }

  /** The client ids that are connected, and since when. */
  connected(): { id: string; since: number }[] {
    return [...this.#sessions.values()].filter(({ link }) => link)
      .map(({ id, linkedAt }) => ({ id, since: linkedAt }));
  }

  /** Serves a new connection. */
  accept(link: Link): void {
    if (!this.#up) return link.break();
    this.#links.add(link);
    let session: Session | null = null;
    let keepalive: { cancel(): void } | null = null;
    const { time } = this.#options;
    let heard = time.now();
    const watch = (seconds: number) => {
      const most = seconds * 1500;
      keepalive = time.after(heard + most - time.now(), () => {
        // Nothing for one and a half times the keep alive (3.1.2-22).
        if (time.now() - heard < most) watch(seconds);
        else {
          link.break();
          link.onClose();
        }
      });
    };
    link.onData = reader({
      onPacket: (packet) => {
        heard = time.now();
        if (packet.cmd === "connect" && !session) {
          session = this.#connect(link, packet);
          if (packet.keepalive) watch(packet.keepalive);
        } else if (session?.link === link) {
          this.#count(session.id, "in", packet);
          this.#receive(session, packet);
        }
      },
      onError: () => {
        link.break();
        link.onClose();
      },
    });
    link.onClose = () => {
      this.#links.delete(link);
      keepalive?.cancel();
      if (session?.link === link) this.#lost(session, { will: true });
    };
  }

  /**
   * Publishes a message that came from nowhere.
   *
   * @returns how many sessions it goes to
   */
  publish(
    packet: Parameters<typeof messageOf>[0],
    from = "nobody",
  ): number {
    return this.#publish(
      messageOf(packet, { from, now: this.#options.time.now() }),
    );
  }

  /** The clients whose own subscriptions, in no share, are about a topic. */
  subscribers(topic: string): string[] {
    return [...this.#sessions].filter(([, session]) =>
      [...session.matching(topic)].some(({ isShared }) => !isShared)
    ).map(([id]) => id);
  }

  /** Remembers how it stands, for a later `start()`. */
  save(): Memory {
    return {
      sessions: new Map(
        [...this.#sessions].map(([id, session]) => [id, session.copy()]),
      ),
      retained: this.#retained.copy(),
    };
  }

  /** It ends: in order, or as if it were killed. */
  stop(options: { inOrder: boolean }): void {
    for (const message of this.#accepted) this.#passOn(message);
    if (options.inOrder && this.#options.behaviour.restart.publishesWills) {
      for (const session of this.#sessions.values()) this.#publishWill(session);
    }
    this.#up = false;
    for (const session of this.#sessions.values()) {
      session.stopTimers();
      session.link = null;
    }
    for (const link of this.#links) link.break();
    this.#links.clear();
  }

  /** It runs again, with what it had, or with what it had once. */
  start(memory: Memory = this.save()): void {
    const { restart } = this.#options.behaviour;
    this.#up = true;
    this.#sessions = restart.sessions ? memory.sessions : new Map();
    this.#retained = restart.retained
      ? memory.retained
      : new Retained(() => this.#options.time.now());
    for (const session of this.#sessions.values()) {
      if (!restart.shares) session.leaveShares();
      this.#lost(session, { will: true });
    }
  }

  // ---- connections

  #count(clientId: string, direction: "in" | "out", packet: Packet): void {
    this.packets++;
    this.#options.onPacket?.(clientId, direction, () => brief(packet));
  }

  #connect(link: Link, packet: IConnectPacket): Session {
    const { clientId: id, properties = {}, will } = packet;
    this.#count(id, "in", packet);
    const old = this.#sessions.get(id);
    if (old?.link) {
      const { link } = old;
      old.send({ cmd: "disconnect", reasonCode: TAKEN_OVER });
      this.#lost(old, { will: true });
      this.#links.delete(link);
      link.close();
    }
    let session = this.#sessions.get(id);
    if (session && packet.clean) {
      this.#end(session);
      session = undefined;
    }
    const present = session !== undefined;
    session ??= this.#newSession(id);
    this.#sessions.set(id, session);
    // A client that is back in time has not vanished (3.1.3-9).
    session.stopTimers();
    session.link = link;
    session.linkedAt = this.#options.time.now();
    session.expirySeconds = properties.sessionExpiryInterval ?? 0;
    session.will = will
      ? {
        delaySeconds: will.properties?.willDelayInterval ?? 0,
        message: messageOf({
          topic: will.topic,
          payload: will.payload,
          qos: will.qos ?? 0,
          retain: will.retain ?? false,
        }, { from: id, now: this.#options.time.now() }),
      }
      : null;
    session.send({
      cmd: "connack",
      sessionPresent: present,
      reasonCode: SUCCESS,
      properties: {
        receiveMaximum: this.#options.behaviour.receiveMaximum,
        ...this.#options.behaviour.offers,
      },
    });
    session.flow.resume(properties.receiveMaximum ?? 65_535);
    return session;
  }

  #newSession(id: string): Session {
    const { behaviour, time } = this.#options;
    return new Session(id, {
      now: () => time.now(),
      onGiven: (message, { isShared }) => {
        const given = this.#given.get(message) ?? new Set();
        const to = isShared ? "" : id;
        if (given.has(to)) this.#options.onRepeated?.(message, id);
        this.#given.set(message, given.add(to));
      },
      losesProperties: behaviour.losesProperties,
      expiresUnderWay: behaviour.expiresUnderWay,
      onSend: (session, packet) => this.#count(session.id, "out", packet),
    });
  }

  /** The connection of a session is gone. */
  #lost(session: Session, options: { will: boolean }): void {
    const { behaviour, time } = this.#options;
    session.link = null;
    if (!options.will) session.will = null;
    if (session.will) {
      // Not later than the end of the session (3.1.3.2.2).
      const delay = Math.min(session.will.delaySeconds, session.expirySeconds);
      if (delay === 0) this.#publishWill(session);
      else {
        session.timers.add(
          time.after(delay * 1000, () => this.#publishWill(session)),
        );
      }
    }
    if (session.expirySeconds === 0) this.#end(session);
    else if (!session.isForEver) {
      session.timers.add(
        time.after(session.expirySeconds * 1000, () => this.#end(session)),
      );
    }
    if (behaviour.redistributes) this.#redistribute(session);
  }

  #end(session: Session): void {
    session.stopTimers();
    this.#sessions.delete(session.id);
    this.#publishWill(session);
  }

  #publishWill(session: Session): void {
    const { will } = session;
    session.will = null;
    if (will) this.#publish(will.message);
  }

  #disconnect(session: Session, packet: IDisconnectPacket): void {
    const { link } = session;
    session.expirySeconds = packet.properties?.sessionExpiryInterval ??
      session.expirySeconds;
    this.#lost(session, { will: packet.reasonCode === WITH_WILL });
    this.#links.delete(link!);
    link!.close();
  }

  // ---- packets

  #receive(session: Session, packet: Packet): void {
    switch (packet.cmd) {
      case "publish":
        return this.#receivePublish(session, packet);
      case "pubrel": {
        // What it is about is passed on now, not when it came, as 4.3.3 leaves
        // to the broker.
        const message = session.incoming.get(packet.messageId!);
        session.incoming.delete(packet.messageId!);
        if (message) this.#accept(message);
        return session.send({
          cmd: "pubcomp",
          messageId: packet.messageId!,
          reasonCode: SUCCESS,
        });
      }
      case "puback":
      case "pubcomp":
        return session.flow.done(packet.messageId!);
      case "pubrec":
        if (
          this.#options.behaviour.strictOrder &&
          !session.flow.isOldest(packet.messageId!)
        ) {
          const { link } = session;
          session.send({ cmd: "disconnect", reasonCode: PROTOCOL_ERROR });
          this.#lost(session, { will: true });
          this.#links.delete(link!);
          return link!.close();
        }
        return session.flow.received(
          packet.messageId!,
          packet.reasonCode ?? SUCCESS,
        );
      case "subscribe":
        return this.#subscribe(session, packet);
      case "unsubscribe":
        return session.send({
          cmd: "unsuback",
          messageId: packet.messageId!,
          granted: packet.unsubscriptions.map((filter) =>
            session.unsubscribe(filter) ? SUCCESS : NO_SUBSCRIPTION
          ),
        });
      case "pingreq":
        return session.send({ cmd: "pingresp" });
      case "disconnect":
        return this.#disconnect(session, packet);
    }
  }

  #receivePublish(session: Session, packet: IPublishPacket): void {
    const message = messageOf(packet, {
      from: session.id,
      now: this.#options.time.now(),
    });
    const messageId = packet.messageId!;
    if (packet.qos === 0) this.#accept(message);
    else if (packet.qos === 1) {
      const heard = this.#accept(message) > 0;
      session.send({
        cmd: "puback",
        messageId,
        reasonCode: heard ? SUCCESS : NO_MATCHING_SUBSCRIBERS,
      });
    } else {
      session.incoming.set(messageId, message);
      session.send({ cmd: "pubrec", messageId, reasonCode: SUCCESS });
    }
  }

  #subscribe(session: Session, packet: ISubscribePacket): void {
    const { behaviour, random, time } = this.#options;
    const retained: [Subscription, Message][] = [];
    const granted: number[] = [];
    for (const asked of packet.subscriptions) {
      if (behaviour.refuses.includes(asked.topic)) {
        granted.push(NOT_AUTHORIZED);
        continue;
      }
      const subscription = subscriptionOf(asked, behaviour);
      const isNew = session.subscribe(subscription);
      granted.push(subscription.qos);
      // A shared one should get no retained messages (4.8.2).
      if (subscription.isShared && !behaviour.retainedForShares) continue;
      if (asked.rh === 2) continue;
      if ((asked.rh === 1 || behaviour.retainedOnce) && !isNew) continue;
      for (const message of this.#retained.matching(subscription.topic)) {
        retained.push([subscription, message]);
      }
    }
    session.send({
      cmd: "suback",
      messageId: packet.messageId!,
      granted: granted as Qos[],
    });
    const deliver = ([subscription, message]: [Subscription, Message]) => {
      if (!session.has(subscription)) return;
      session.flow.put({
        message,
        qos: Math.min(subscription.qos, message.qos) as Qos,
        retain: true,
        share: null,
        id: 0,
      });
    };
    const { lateRetained } = behaviour;
    if (!lateRetained || !random.chance(lateRetained.share)) {
      return retained.forEach(deliver);
    }
    const late = lateRetained.shuffled ? random.shuffled(retained) : retained;
    let at = 0;
    for (const one of late) {
      at += random.between(0, lateRetained.ms / late.length);
      time.after(at, () => deliver(one));
    }
  }

  // ---- messages

  /**
   * Passes on a client's message, at once or later.
   *
   * @returns how many sessions it goes to, as far as that is known
   */
  #accept(message: Message): number {
    const { behaviour, random, time } = this.#options;
    if (behaviour.passesOnWithinMs === 0) return this.#publish(message);
    this.#accepted.add(message);
    const at = Math.max(
      this.#passedOnAt.get(message.topic) ?? 0,
      time.now() + random.between(0, behaviour.passesOnWithinMs),
    );
    this.#passedOnAt.set(message.topic, at);
    time.after(at - time.now(), () => this.#passOn(message));
    return 1;
  }

  #passOn(message: Message): void {
    // A stop has done it before.
    if (this.#accepted.delete(message)) this.#publish(message);
  }

  /** @returns how many sessions it goes to */
  #publish(message: Message): number {
    const { behaviour, onMessage, time } = this.#options;
    if (
      message.expiresAt - time.now() > behaviour.longestExpirySeconds * 1000 &&
      message.expiresAt !== Infinity
    ) return 1;
    onMessage?.(message);
    if (message.retain) this.#retained.keep(message);
    let reached = 0;
    const levels = message.topic.split("/");
    const shares = new Map<string, [Session, Subscription][]>();
    for (const session of this.#sessions.values()) {
      let best: Subscription | null = null;
      for (const subscription of session.matching(message.topic, levels)) {
        if (subscription.isShared) {
          const { filter } = subscription;
          if (!shares.has(filter)) shares.set(filter, []);
          shares.get(filter)!.push([session, subscription]);
        } else if (!subscription.noLocal || message.from !== session.id) {
          if (!best || subscription.qos > best.qos) best = subscription;
        }
      }
      if (!best) continue;
      reached++;
      this.#deliver(message, session, best);
    }
    for (const [filter, members] of shares) {
      reached++;
      this.#share(message, filter, members);
    }
    return reached;
  }

  /** Gives a message to one member of a share. */
  #share(
    message: Message,
    filter: string,
    members: [Session, Subscription][],
  ): void {
    const { behaviour } = this.#options;
    const there = members.filter(([{ link }]) => link);
    const among = there.length > 0 && !behaviour.sharesWithAbsent
      ? there
      : members;
    const turn = this.#turns.get(filter) ?? 0;
    this.#turns.set(filter, turn + 1);
    const [session, subscription] = among[turn % among.length]!;
    if (behaviour.dropsBeyondWindow && session.link && session.flow.isFull) {
      return;
    }
    this.#deliver(message, session, subscription);
  }

  #deliver(
    message: Message,
    session: Session,
    { asPublished, filter, isShared, qos }: Subscription,
  ): void {
    session.flow.put({
      message,
      qos: Math.min(qos, message.qos) as Qos,
      retain: asPublished && message.retain,
      share: isShared ? filter : null,
      id: 0,
    });
  }

  /** What a member of a share has not answered goes to the others. */
  #redistribute(from: Session): void {
    const others = [...this.#sessions.values()].filter((session) =>
      session !== from && session.link
    );
    const takers = ({ message, share }: Parcel) =>
      others.flatMap((session) =>
        [...session.matching(message!.topic)]
          .filter(({ filter }) => filter === share)
          .map((subscription): [Session, Subscription] => [
            session,
            subscription,
          ])
      );
    const shared = from.flow.takeShared((parcel) => takers(parcel).length > 0);
    for (const parcel of shared) {
      this.#share(parcel.message!, parcel.share!, takers(parcel));
    }
  }
}
