/**
 * The network: connections in memory, with delays, in order, and able to break.
 *
 * One connection has two ends. The client's is a `Duplex`, which MQTT.js takes
 * for a socket; the broker's is a `Link`. The ways between one worker and the
 * broker are its **road**, which can become slow, stand still, or break.
 *
 * @module
 */
import { Duplex } from "node:stream";
import type { Link } from "./broker/link.ts";
import { type Owner, virtualNow } from "./clock.ts";
import type { Random } from "./random.ts";
import { Stream, type Weather } from "./stream.ts";

/** The way between one worker and the broker, on which all its connections go. */
export class Road implements Weather {
  /** The delay when nothing slows it down. */
  readonly usual: [number, number];
  delay: [number, number];
  blockedUntil = 0;
  pieces = 0;
  /** No connection can be made before this moment. */
  brokenUntil = 0;
  /** The connections that are open. */
  readonly connections = new Set<Connection>();

  /** @param longest the longest delay of a packet, in milliseconds */
  constructor(longest = 3) {
    this.usual = [longest / 15, longest];
    this.delay = this.usual;
  }
}

/** The client's end of a connection. */
export class Connection extends Duplex {
  readonly #owner: Owner;
  readonly #road: Road;
  readonly #up: Stream;
  readonly #down: Stream;
  /** The broker's end, for as long as it is open. */
  #link: Link | null;

  /**
   * Asks for a connection; whether there is one shows later, as with TCP.
   *
   * @param accept the broker, which gets the other end; null: nobody is there
   */
  constructor(
    { owner, road, random, accept }: {
      owner: Owner;
      road: Road;
      random: Random;
      accept: ((link: Link) => void) | null;
    },
  ) {
    super({ autoDestroy: true, emitClose: true });
    this.#owner = owner;
    this.#road = road;
    this.#up = new Stream(
      { weather: road, random, owner: null },
      (bytes) => this.#link?.onData(bytes),
    );
    this.#down = new Stream({ weather: road, random, owner }, (bytes) => {
      if (!this.destroyed) this.push(bytes);
    });
    this.#link = null;
    if (!accept || road.brokenUntil > virtualNow()) {
      this.#down.then(() => this.#fail("connect ECONNREFUSED", "ECONNREFUSED"));
      return;
    }
    road.connections.add(this);
    const link = this.#brokersEnd();
    this.#link = link;
    this.#up.then(() => this.#link && accept(link));
  }

  /** As TCP has it; here it changes nothing. */
  setNoDelay(): this {
    return this;
  }

  /** Whether this is the client's end of a link. */
  belongsTo(link: Link): boolean {
    return this.#link === link;
  }

  /** It breaks: both ends learn of it, each after the delay. */
  cut(): void {
    this.#hangUp();
    this.#down.then(() => this.#fail("read ECONNRESET", "ECONNRESET"));
  }

  /**
   * The process at this end is gone. The broker learns of it, or, where the
   * whole host is gone, learns nothing.
   */
  vanish(options: { silently: boolean }): void {
    this.#road.connections.delete(this);
    this.removeAllListeners();
    if (!options.silently) this.#hangUp();
  }

  override _read(): void {}

  override _write(
    bytes: Uint8Array,
    _encoding: string,
    done: () => void,
  ): void {
    if (!this.#owner.dead) this.#up.send(bytes);
    done();
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: () => void): void {
    if (!this.#owner.dead) {
      for (const { chunk } of chunks) this.#up.send(chunk);
    }
    done();
  }

  override _final(done: () => void): void {
    this.#hangUp();
    done();
  }

  override _destroy(
    error: Error | null,
    done: (error: Error | null) => void,
  ): void {
    this.#road.connections.delete(this);
    this.#hangUp();
    done(error);
  }

  #hangUp(): void {
    this.#up.then(() => {
      const link = this.#link;
      this.#link = null;
      link?.onClose();
    });
  }

  #fail(message: string, code: string): void {
    if (!this.destroyed) {
      this.destroy(Object.assign(new Error(message), { code }));
    }
  }

  #brokersEnd(): Link {
    return {
      send: (bytes) => {
        if (this.#link) this.#down.send(bytes);
      },
      close: () => {
        if (!this.#link) return;
        this.#link = null;
        this.#down.then(() => {
          if (this.destroyed) return;
          // MQTT.js waits for the end of what it reads, and after a DISCONNECT
          // of its own for nothing else.
          this.push(null);
          this.#down.then(() => this.destroy());
        });
      },
      break: () => {
        if (!this.#link) return;
        this.#link = null;
        this.#down.then(() => this.#fail("read ECONNRESET", "ECONNRESET"));
      },
      onData: () => {},
      onClose: () => {},
    };
  }
}
