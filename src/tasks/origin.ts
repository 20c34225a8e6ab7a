/**
 * What a task takes along when its message is published again, to a peer's
 * inbox or by the adopter of a dead worker's session: as MQTT user properties,
 * so that the message itself stays as the controller wrote it.
 *
 * @module
 */
import type { MessageProperties } from "../messages/packets.ts";
import type { Origin } from "../tasks/acceptance.ts";

const FROM = "ansible-worker-from";
const CREATED_AT = "ansible-worker-created-at";
const HOPS = "ansible-worker-hops";

/** The properties of a message that is published again. */
export function movedProperties(
  original: MessageProperties,
  moved: {
    /** The token of the task's last holder; "" if it had none. */
    from: string;
    createdAt: string | null;
    hops: number;
    /** When the message expires. */
    expiresAt: Date | null;
  },
): MessageProperties {
  const properties: MessageProperties = { ...original };
  delete properties.expirySeconds;
  properties.user = {
    ...original.user,
    [FROM]: moved.from,
    [HOPS]: String(moved.hops),
  };
  if (moved.createdAt) properties.user[CREATED_AT] = moved.createdAt;
  if (moved.expiresAt) {
    properties.expirySeconds = Math.max(
      1,
      Math.ceil((moved.expiresAt.getTime() - Date.now()) / 1000),
    );
  }
  return properties;
}

/** How a delivery came here, by its properties. */
export function originOf(
  delivery: { redelivered: boolean; properties: MessageProperties },
): Origin {
  const user = delivery.properties.user ?? {};
  const createdAt = new Date(user[CREATED_AT] ?? NaN);
  const hops = Number(user[HOPS] ?? 0);
  return {
    redelivered: delivery.redelivered,
    from: user[FROM] ?? null,
    createdAt: isNaN(createdAt.getTime()) ? null : createdAt,
    hops: Number.isInteger(hops) && hops > 0 ? hops : 0,
  };
}
