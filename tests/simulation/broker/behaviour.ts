/**
 * What a broker does where the standard leaves it to the broker.
 *
 * @module
 */

import type { IConnackPacket } from "mqtt-packet";

/** Choices; the clause that permits each is beside it. */
export interface Behaviour {
  /** What its CONNACK says beside its Receive Maximum (3.2.2.3). */
  offers: NonNullable<IConnackPacket["properties"]>;
  /** Filters to which it lets nobody subscribe (0x87, 3.9.3). */
  refuses: readonly string[];
  /** The QoS that a shared subscription is granted at most (3.9.3). */
  sharedQos: 0 | 1 | 2;
  /**
   * When retained messages come after a SUBSCRIBE, to which 3.8.4 sets no time:
   * of the subscriptions, `share` get them so many milliseconds later at most,
   * `shuffled` in any order (4.6 promises one for each topic only).
   */
  lateRetained: { share: number; ms: number; shuffled: boolean } | null;
  /**
   * Who subscribes again gets no retained messages. (Against 3.8.4-3; it was
   * seen.)
   */
  retainedOnce: boolean;
  /**
   * What is published is acknowledged when it is accepted, and retained and
   * passed on up to so many milliseconds later, to which 4.3 sets no time; in
   * order for each topic (4.6.0-6). 0 for before the acknowledgement.
   */
  passesOnWithinMs: number;
  /** QoS 1 and 2 messages that it takes unanswered (3.2.2.3.3). */
  receiveMaximum: number;
  /** What a member of a share has no room for is dropped (4.8.2). */
  dropsBeyondWindow: boolean;
  /**
   * What a member of a share has not answered when its connection is lost goes
   * to another one at once, as a new message. (4.8.2-4 forbids it at QoS 2; it
   * was seen.)
   */
  redistributes: boolean;
  /** Only the PUBREC of the oldest message is an answer (4.6.0-3). */
  strictOrder: boolean;
  /** What has a longer expiry, in seconds, is lost. (Not permitted; seen.) */
  longestExpirySeconds: number;
  /**
   * A message that was sent, and expires before it is sent again, is dropped
   * (3.3.2.3.3 speaks of what was not sent yet).
   */
  expiresUnderWay: boolean;
  /**
   * A shared subscription brings retained messages. (Against 4.8.2; it was seen.)
   */
  retainedForShares: boolean;
  /** Members of a share that are away get their part too (4.8.2). */
  sharesWithAbsent: boolean;
  /** User properties do not arrive: a bridge of an older protocol is between. */
  losesProperties: boolean;
  /** What a restart in order leaves. */
  restart: {
    /** Sessions, with what they hold (4.1.0-1 says for how long). */
    sessions: boolean;
    /** Their shared subscriptions. */
    shares: boolean;
    /** Retained messages. */
    retained: boolean;
    /** All wills are published when it stops. */
    publishesWills: boolean;
  };
}

/** As mosquitto 2.0 does it, with persistence on and no limit of its queues. */
export const MOSQUITTO: Behaviour = {
  offers: {},
  refuses: [],
  sharedQos: 2,
  lateRetained: null,
  retainedOnce: false,
  passesOnWithinMs: 0,
  receiveMaximum: 20,
  dropsBeyondWindow: false,
  redistributes: false,
  strictOrder: false,
  longestExpirySeconds: Infinity,
  expiresUnderWay: true,
  retainedForShares: true,
  sharesWithAbsent: true,
  losesProperties: false,
  restart: {
    sessions: true,
    shares: false,
    retained: true,
    publishesWills: true,
  },
};
