/**
 * MQTT 5, as the worker needs it; the only room that knows the library.
 *
 * @module
 */
export type { Broker } from "../config/broker.ts";
export { MqttConnection } from "./connection.ts";
export { answersMqtt, AttemptError, Examination } from "./examination.ts";
export { Fence } from "./fence.ts";
export { Lateness } from "./lateness.ts";
export { Lookups } from "./lookups.ts";
export { CHECK_PROPERTY } from "./message.ts";
export { type Offer } from "./offer.ts";
export { type BulkSource, PublishError } from "./outbox.ts";
export { Quiet } from "./quiet.ts";
export { reasonText } from "./refused.ts";
export { Trial } from "./trial.ts";
export { Visit } from "./visit.ts";
export { BrokerUnsuitableError } from "./unsuitable.ts";
