/**
 * TLS, MQTT 5 and the credentials: three lines about one attempt to connect.
 *
 * @module
 */
import { tryToConnect } from "./attempt.ts";
import { defineCheck } from "./check.ts";
import { ok } from "./finding.ts";

/** Whether TLS is as the configuration says. */
export const tls = defineCheck({
  id: "tls",
  title: "TLS",
  needs: ["broker"],
  async run(known) {
    const { broker } = known;
    const tried = await tryToConnect(broker);
    if (tried.stage === "tls") return tried.outcome;
    known.encrypted = tried;
    if (!broker.tls) {
      return ok(
        "not used",
        ...(broker.username !== undefined && !isHere(broker.host)
          ? [
            "The password and all messages can be read on the way: see mqtt.tls_enabled.",
          ]
          : []),
      );
    }
    return ok(
      `the certificate is good for "${broker.host}"${
        broker.tls.cert === undefined ? "" : ", and so is ours for the broker"
      }`,
    );
  },
});

/** Whether MQTT 5 is spoken. */
export const mqtt5 = defineCheck({
  id: "mqtt5",
  title: "MQTT 5",
  needs: ["encrypted"],
  run(known) {
    const { encrypted } = known;
    if (encrypted.stage === "mqtt") return encrypted.outcome;
    known.answered = encrypted;
    return ok("supported");
  },
});

/** Whether the broker lets us in. */
export const credentials = defineCheck({
  id: "credentials",
  title: "credentials",
  needs: ["answered", "broker"],
  run(known) {
    const { answered, broker } = known;
    if (answered.stage !== null) return answered.outcome;
    known.examination = answered.examination;
    return ok(
      broker.username === undefined
        ? "the broker lets us in without a user name"
        : `the broker lets "${broker.username}" in`,
    );
  },
});

/** Whether a host is this one. */
function isHere(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}
