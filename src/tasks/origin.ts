/**
 * What a task takes along when its message is published again: as a record, to
 * a peer's inbox, or by whoever empties a dead worker's session. They are MQTT
 * user properties, so that the message itself stays as the controller wrote it.
 *
 * @module
 */
import type { Delivery, MessageProperties } from "../messages/packets.ts";
import { type Addressee, addresseeOf } from "./addressee.ts";
import type { Arrival } from "./duplicates.ts";
import { responsePropertiesOf } from "./responses.ts";

const FROM = "ansible-worker-from";
const CREATED_AT = "ansible-worker-created-at";
const EXPIRES_AT = "ansible-worker-expires-at";
const TO = "ansible-worker-to";
const OWNER = "ansible-worker-owner";
const HOPS = "ansible-worker-hops";

/** How a request came here, and what it brings along. */
export interface Origin extends Arrival {
  /** When the first worker accepted it. */
  createdAt: Date | null;
  /** When the message expires. */
  expiresAt: Date | null;
  /** How often it has been handed over. */
  hops: number;
  /** Whom it is for. */
  to: Addressee;
  /** The worker that alone may run it, by its record; null: who has it. */
  owner: string | null;
}

/** What a message that is published again takes along. */
export interface Baggage {
  /** The token of the task's last holder; "" if it had none; null for a record. */
  from: string | null;
  createdAt: Date | null;
  hops: number;
  expiresAt: Date | null;
  /** Whom it is for. */
  to: Addressee;
  /** The worker that alone may run it, if that is not who has it; null otherwise. */
  owner?: string | null;
}

/**
 * The properties of a message that is published again. The time at which it
 * expires is one of them, and not MQTT's: a message that the broker drops has
 * nobody to say that it has expired.
 */
export function movedProperties(
  properties: MessageProperties,
  { from, createdAt, hops, expiresAt, to, owner = null }: Baggage,
): MessageProperties {
  const own: Record<string, string> = {
    ...properties.user,
    [HOPS]: String(hops),
  };
  for (const name of [FROM, CREATED_AT, EXPIRES_AT, TO, OWNER]) {
    delete own[name];
  }
  if (from !== null) own[FROM] = from;
  if (to !== "group") own[TO] = to;
  if (owner !== null) own[OWNER] = owner;
  if (createdAt) own[CREATED_AT] = createdAt.toISOString();
  if (expiresAt) own[EXPIRES_AT] = expiresAt.toISOString();
  return { user: own, ...responsePropertiesOf(properties) };
}

/** How a request came here, by its properties. */
export function originOf(
  { redelivered, properties }: {
    redelivered: boolean;
    properties: MessageProperties;
  },
): Origin {
  const user = properties.user ?? {};
  const hops = Number(user[HOPS] ?? 0);
  const { expirySeconds } = properties;
  const byMessage = expirySeconds === undefined
    ? null
    : new Date(Date.now() + expirySeconds * 1000);
  return {
    redelivered,
    from: user[FROM] ?? null,
    createdAt: dateOf(user[CREATED_AT]),
    expiresAt: dateOf(user[EXPIRES_AT]) ?? byMessage,
    hops: Number.isInteger(hops) && hops > 0 ? hops : 0,
    to: addresseeOf(user[TO]),
    owner: user[OWNER] ?? null,
  };
}

/** How a request came here that was delivered, by its topic too. */
export function originOfDelivery(
  delivery: Pick<Delivery, "redelivered" | "properties">,
  topic: "tasks" | "inbox" | "everyone",
): Origin {
  const origin = originOf(delivery);
  // What a peer hands over says from whom.
  const isOne = topic === "inbox" && origin.from === null;
  const to = topic === "everyone" ? "everyone" : isOne ? "worker" : "group";
  return { ...origin, to, owner: null };
}

function dateOf(text: string | undefined): Date | null {
  const date = new Date(text ?? NaN);
  return isNaN(date.getTime()) ? null : date;
}
