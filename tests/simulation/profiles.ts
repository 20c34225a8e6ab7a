/**
 * The brokers that the promise "on any MQTT 5 broker" is about: each profile is
 * one, or one thing that the standard permits, or that was seen.
 *
 * @module
 */
import { type Behaviour, MOSQUITTO } from "./broker/behaviour.ts";
import type { Leanings } from "./plan.ts";

/** What a profile is made of. */
export interface Profile {
  /** In a few words. */
  description: string;
  /** What the broker does. */
  behaviour: Behaviour;
  /** Whether its workers keep a journal. */
  hasJournal?: boolean;
  /** What happens under it that does not happen under others. */
  leanings?: Leanings;
  /** No worker can work with it: each says why, and ends. */
  unsuitable?: true;
}

/** The profiles. */
export const PROFILES = {
  mosquitto: {
    description: "as mosquitto 2.0 with persistence",
    behaviour: MOSQUITTO,
  },
  restarted: {
    description: "the same, and it is restarted in order",
    behaviour: MOSQUITTO,
    leanings: { restarts: "in order" },
  },
  expiring: {
    description: "requests expire while the worker that has them is away",
    behaviour: MOSQUITTO,
    leanings: { expiries: true },
  },
  cut_off: {
    description:
      "workers that live are cut off for longer than the group waits for them",
    behaviour: MOSQUITTO,
    leanings: { longCuts: true, slow: true },
  },
  slow: {
    description: "connections become slow, or stand still for some seconds",
    behaviour: MOSQUITTO,
    leanings: { slow: true },
  },
  crossing: {
    description:
      "workers are at different distances, queues are short, and requests are sent again soon",
    behaviour: MOSQUITTO,
    leanings: { crossing: true },
  },
  late_retained: {
    description: "retained messages come late, one time of ten",
    behaviour: {
      ...MOSQUITTO,
      lateRetained: { share: 0.1, ms: 300, shuffled: true },
    },
  },
  passes_on_later: {
    description:
      "what is published is acknowledged, and retained and passed on a moment later",
    behaviour: { ...MOSQUITTO, passesOnWithinMs: 50 },
  },
  hivemq: {
    description:
      "as HiveMQ: a share is granted QoS 1, retained messages are late and in any order, 10 publications at once",
    behaviour: {
      ...MOSQUITTO,
      sharedQos: 1,
      receiveMaximum: 10,
      lateRetained: { share: 0.8, ms: 50, shuffled: true },
      sharesWithAbsent: false,
    },
  },
  drops: {
    description:
      "what comes for a share beyond a member's Receive Maximum is dropped",
    behaviour: { ...MOSQUITTO, dropsBeyondWindow: true },
  },
  redistributes: {
    description:
      "what a member of a share has not answered goes to another one when it is cut off, as a new message",
    behaviour: {
      ...MOSQUITTO,
      redistributes: true,
      sharesWithAbsent: false,
    },
  },
  strict_order: {
    description: "PUBRECs in another order than the messages are an error",
    behaviour: { ...MOSQUITTO, strictOrder: true },
  },
  short_expiry: {
    description: "what is to expire in more than 2,147,483 s is lost",
    behaviour: { ...MOSQUITTO, longestExpirySeconds: 2_147_483 },
  },
  low_qos: {
    description: "requests are published at QoS 0, 1 or 2",
    behaviour: MOSQUITTO,
    leanings: { requestQos: [0, 1, 2] },
  },
  loses_sessions: {
    description: "a restart keeps retained messages, and no session",
    behaviour: {
      ...MOSQUITTO,
      restart: {
        sessions: false,
        shares: false,
        retained: true,
        publishesWills: true,
      },
    },
    leanings: { restarts: "in order" },
  },
  loses_everything: {
    description: "a restart keeps nothing; its workers live on",
    behaviour: {
      ...MOSQUITTO,
      restart: {
        sessions: false,
        shares: false,
        retained: false,
        publishesWills: false,
      },
    },
    leanings: { restarts: "in order", lasting: true },
  },
  forgets: {
    description:
      "is killed, and has forgotten what the last seconds have brought; its workers live on",
    behaviour: {
      ...MOSQUITTO,
      restart: { ...MOSQUITTO.restart, shares: true },
    },
    leanings: { restarts: "forgetting", lasting: true },
  },
  power_cut: {
    description:
      "is killed with its only worker, which keeps a journal, and has forgotten what the last seconds have brought",
    behaviour: {
      ...MOSQUITTO,
      restart: { ...MOSQUITTO.restart, shares: true },
    },
    hasJournal: true,
    leanings: { restarts: "power cut" },
  },
  bridged: {
    description:
      "user properties are lost on the way, as behind an older bridge",
    behaviour: { ...MOSQUITTO, losesProperties: true },
    unsuitable: true,
  },
} as const satisfies Record<string, Profile>;

/** The name of a profile. */
export type ProfileName = keyof typeof PROFILES;

/** All names. */
export const PROFILE_NAMES = Object.keys(PROFILES) as ProfileName[];
