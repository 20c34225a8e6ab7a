/**
 * Connecting once, as the worker would, and why it fails.
 *
 * Often the broker gives no reason, and closes the connection. What listens there
 * is then found out by trying the other ways to connect.
 *
 * @module
 */
import {
  answersMqtt,
  AttemptError,
  type Broker,
  Examination,
  reasonText,
} from "../mqtt/mod.ts";
import { type Certificate, certificateAt } from "./certificate.ts";
import { failed, type Outcome } from "./finding.ts";

/** Where brokers offer MQTT over WebSocket, unless told otherwise. */
const DEFAULT_WEBSOCKET_PATH = "/mqtt";

/** How connecting went: a connection, or where it ended. */
export type Attempt =
  | { examination: Examination; stage: null }
  | { outcome: Outcome; stage: "tls" | "mqtt" | "credentials" };

/** A client id that no worker has, and that its session dies with. */
export function throwAwayClientId(): string {
  return `ansible-worker-doctor-${crypto.randomUUID().slice(0, 8)}`;
}

/** Connects once. */
export async function tryToConnect(broker: Broker): Promise<Attempt> {
  try {
    const examination = await Examination.open(broker, {
      clientId: throwAwayClientId(),
      sessionExpiry: 0,
      clean: true,
    });
    return { examination, stage: null };
  } catch (error) {
    if (!(error instanceof AttemptError)) throw error;
    const { code } = error;
    if (typeof code === "number") return refused(code, broker);
    if (code === "ETIMEDOUT") {
      return {
        stage: "mqtt",
        outcome: failed(
          `no answer: ${broker.host}:${broker.port} accepts the connection, and then ${error.message}`,
          "Is it the broker that listens there, and does it work?",
        ),
      };
    }
    return code !== null && /CERT|SSL|TLS|SIGNATURE/.test(code)
      ? untrusted(error, broker, await certificateAt(broker))
      : await silent(error, broker);
  }
}

/** The broker has refused; the codes below 0x80 are those of MQTT 3.1.1. */
function refused(code: number, broker: Broker): Attempt {
  switch (code) {
    case 1:
    case 0x84:
      return tooOld();
    case 2:
    case 0x85:
      return {
        stage: "credentials",
        outcome: failed(
          "the broker does not accept the client id",
          'Allow client ids that begin with "ansible-worker-".',
        ),
      };
    case 4:
    case 5:
    case 0x86:
    case 0x87:
    case 0x8c:
      return { stage: "credentials", outcome: wrongPassword(code, broker) };
    default:
      return {
        stage: "credentials",
        outcome: failed(
          `the broker refuses the connection: ${reasonText(code)}`,
          "The broker's log says more.",
        ),
      };
  }
}

function wrongPassword(code: number, { username, tls }: Broker): Outcome {
  const said = code < 0x80 ? "not authorized" : reasonText(code);
  const certificate = tls?.cert === undefined
    ? []
    : ["The broker may also object to the client certificate."];
  return username === undefined
    ? failed(
      `the broker wants a user name and a password (${said})`,
      "Set mqtt.username and mqtt.password.",
      ...certificate,
    )
    : failed(
      `wrong user name or password: the broker does not accept "${username}" (${said})`,
      "Compare mqtt.username and mqtt.password with the broker's own (mosquitto: password_file; it reads the file again on SIGHUP).",
      ...certificate,
    );
}

function tooOld(): Attempt {
  return {
    stage: "mqtt",
    outcome: failed(
      "the broker does not speak MQTT 5",
      "Use a broker that does (mosquitto 1.6 or later, for example), or switch it on for this listener.",
    ),
  };
}

/** TLS has failed, and says why. */
function untrusted(
  { code, message }: AttemptError,
  { host, tls }: Broker,
  shown: Certificate | null,
): Attempt {
  const because = (text: string, ...advice: string[]): Attempt => ({
    stage: "tls",
    outcome: failed(text, ...advice),
  });
  // Deno calls these by the code of an unknown authority.
  const fault = shown && faultInTime(shown);
  if (fault) {
    return because(
      `certificate ${fault}: the broker's is good from ${shown.from} until ${shown.to}`,
      `If it is not the certificate, it is the clock: this host says ${
        new Date().toUTCString()
      }.`,
    );
  }
  switch (code) {
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      if (tls?.ca !== undefined && !tls.ca.includes("BEGIN CERTIFICATE")) {
        return because(
          "no certificate in the file that mqtt.tls_ca_cert names",
          "It must be the authority's certificate as PEM (-----BEGIN CERTIFICATE-----).",
        );
      }
      return because(
        `unknown authority: ${
          shown ? `"${shown.issuer}"` : "somebody"
        } has signed the broker's certificate, and not ${
          tls?.ca === undefined
            ? "one that Deno knows"
            : "the one in mqtt.tls_ca_cert"
        }`,
        "Set mqtt.tls_ca_cert to the certificate of the authority that has signed the broker's.",
      );
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return because(
        `wrong name: the broker's certificate is not for "${host}"${
          shown?.names ? `, but for ${shown.names}` : ""
        }`,
        "Set mqtt.host to a name in the certificate, or have one made for this name (as subjectAltName).",
      );
  }
  if (tls?.cert === undefined && /CERTIFICATE_REQUIRED|ALERT/.test(`${code}`)) {
    return because(
      `client certificate missing: the broker wants one (${message})`,
      "Set mqtt.tls_client_cert and mqtt.tls_client_key.",
    );
  }
  return because(
    tls?.cert === undefined
      ? `TLS fails: ${message} (${code})`
      : `client certificate not accepted: ${message} (${code})`,
    ...(tls?.cert === undefined ? [] : [
      "mqtt.tls_client_cert must be signed by an authority that the broker trusts, and mqtt.tls_client_key belong to it.",
    ]),
    "The broker's log says more.",
  );
}

function faultInTime({ from, to }: Certificate): string | null {
  const now = Date.now();
  if (now > Date.parse(to)) return "expired";
  return now < Date.parse(from) ? "not valid yet" : null;
}

/** The connection was closed, or nothing came. */
async function silent(error: AttemptError, broker: Broker): Promise<Attempt> {
  const { tls: _, websocketPath: path, ...plain } = broker;
  const { host, port } = broker;
  const greets = async (other: Broker) =>
    await answersMqtt(other, { version: 5 }) ||
    await answersMqtt(other, { version: 4 });
  if (broker.tls) {
    if (path === undefined && await greets(plain)) {
      return {
        stage: "tls",
        outcome: failed(
          `no TLS at port ${port}: the broker speaks plain MQTT there`,
          "Set mqtt.port to its port for TLS (usually 8883), or mqtt.tls_enabled: false.",
        ),
      };
    }
  } else {
    const shown = await certificateAt(broker);
    if (shown) {
      return {
        stage: "tls",
        outcome: failed(
          `TLS expected at port ${port}: the broker speaks nothing else there`,
          `Set mqtt.tls_enabled: true and, unless Deno knows the authority "${shown.issuer}", mqtt.tls_ca_cert; or set mqtt.port to a port without TLS (usually 1883).`,
        ),
      };
    }
  }
  if (path !== undefined) {
    const { websocketPath: _, ...direct } = broker;
    return {
      stage: "mqtt",
      outcome: await greets(direct)
        ? failed(
          `no WebSocket at port ${port}: the broker speaks MQTT without it there`,
          "Take mqtt.websocket_path out, or set mqtt.port to the port for WebSockets.",
        )
        : failed(
          `no MQTT over WebSocket at ${host}:${port}/${
            path.replace(/^\//, "")
          }: ${error.message}`,
          "Check mqtt.websocket_path and mqtt.port.",
        ),
    };
  }
  if (await answersMqtt(broker, { version: 4 })) return tooOld();
  if (await greets({ ...broker, websocketPath: DEFAULT_WEBSOCKET_PATH })) {
    return {
      stage: "mqtt",
      outcome: failed(
        `WebSocket expected at port ${port}: the broker speaks nothing else there`,
        `Set mqtt.websocket_path: ${DEFAULT_WEBSOCKET_PATH}, or mqtt.port to a port without WebSocket (usually 1883, or 8883 with TLS).`,
      ),
    };
  }
  return {
    stage: "mqtt",
    outcome: failed(
      `no MQTT at ${host}:${port}: ${error.message}`,
      "Is it the broker that listens there, and does it work?",
    ),
  };
}
