/**
 * One direction of a connection: bytes arrive in order, each after a delay, and
 * sometimes in pieces.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { after, exact, type Owner, virtualNow } from "./clock.ts";
import type { Random } from "./random.ts";

/** How the network is at this moment, between one worker and the broker. */
export interface Weather {
  /** The shortest and the longest delay of a packet, in milliseconds. */
  delay: [number, number];
  /** Nothing arrives before this moment. */
  blockedUntil: number;
  /** Of what arrives, so much arrives in pieces. */
  pieces: number;
}

/** Bytes, or something to be done when all before it has arrived. */
type Sent =
  & { sentAt: number; arrivesAt: number }
  & (
    | { bytes: Uint8Array[] }
    | { action: () => void }
  );

/** One direction. */
export class Stream {
  readonly #weather: Weather;
  readonly #random: Random;
  /** Whose turn it is when something arrives; null: the broker's. */
  readonly #owner: Owner | null;
  readonly #arrive: (bytes: Uint8Array) => void;
  readonly #underWay: Sent[] = [];
  #last = 0;

  /** @param arrive gets the bytes as they arrive */
  constructor(
    { weather, random, owner }: {
      weather: Weather;
      random: Random;
      owner: Owner | null;
    },
    arrive: (bytes: Uint8Array) => void,
  ) {
    this.#weather = weather;
    this.#random = random;
    this.#owner = owner;
    this.#arrive = arrive;
  }

  /** Sends bytes; what is sent at one moment travels together. */
  send(bytes: Uint8Array): void {
    const last = this.#underWay.at(-1);
    if (last && "bytes" in last && last.sentAt === virtualNow()) {
      last.bytes.push(bytes);
    } else this.#put({ bytes: [bytes] });
  }

  /** Does something when everything that was sent before has arrived. */
  then(action: () => void): void {
    this.#put({ action });
  }

  #put(sent: { bytes: Uint8Array[] } | { action: () => void }): void {
    const now = virtualNow();
    const { blockedUntil, delay } = this.#weather;
    this.#last = Math.max(
      this.#last,
      blockedUntil,
      now + exact(this.#random.between(...delay)),
    );
    this.#underWay.push({ ...sent, sentAt: now, arrivesAt: this.#last });
    this.#wake(this.#last - now);
  }

  #wake(ms: number): void {
    after(ms, this.#owner, () => this.#flush());
  }

  /** What is due arrives. */
  #flush(): void {
    for (;;) {
      const first = this.#underWay[0];
      if (!first || first.arrivesAt > virtualNow()) return;
      this.#underWay.shift();
      if ("action" in first) first.action();
      else if (this.#arrives(joined(first.bytes))) return;
    }
  }

  /** @returns whether a piece of it is still to come, before all else */
  #arrives(bytes: Uint8Array): boolean {
    const { pieces } = this.#weather;
    const isCut = pieces > 0 && bytes.length > 1 && this.#random.chance(pieces);
    if (!isCut) {
      this.#arrive(bytes);
      return false;
    }
    const cut = this.#random.whole(1, bytes.length - 1);
    const ms = exact(this.#random.between(0, 2));
    this.#underWay.unshift({
      bytes: [bytes.subarray(cut)],
      sentAt: -1,
      arrivesAt: virtualNow() + ms,
    });
    this.#wake(ms);
    this.#arrive(bytes.subarray(0, cut));
    return true;
  }
}

function joined(bytes: Uint8Array[]): Uint8Array {
  return bytes.length === 1 ? bytes[0]! : Buffer.concat(bytes);
}
