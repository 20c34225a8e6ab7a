/**
 * The brokers, in the order of the table.
 *
 * @module
 */
import { external } from "./external.ts";
import { HIVEMQ } from "./hivemq.ts";
import type { BrokerKind } from "./kind.ts";
import { MOCHI } from "./mochi.ts";
import { MOSQUITTO } from "./mosquitto.ts";
import { RUMQTTD } from "./rumqttd.ts";

/** All of them. */
export const KINDS: readonly BrokerKind[] = [
  MOSQUITTO,
  HIVEMQ,
  MOCHI,
  RUMQTTD,
  external("emqx"),
  external("nanomq"),
  external("vernemq"),
];
