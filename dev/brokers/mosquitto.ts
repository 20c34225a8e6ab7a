/**
 * mosquitto, as it is installed.
 *
 * @module
 */
import { Broker } from "../../tests/harness/broker.ts";
import { mosquitto } from "../programs.ts";
import { type BrokerKind, NotRunError } from "./kind.ts";

/** As docs/operations.md says. */
const RECOMMENDED = {
  persistence: true,
  extra: [
    "max_queued_messages 0",
    "max_inflight_messages 0",
    "max_packet_size 2000000",
    "set_tcp_nodelay true",
  ],
};

/** mosquitto. */
export const MOSQUITTO: BrokerKind = {
  name: "mosquitto",
  async setUp() {
    const program = await mosquitto();
    if (!program) throw new NotRunError("no mosquitto");
    // It says its version and ends with 3 for this.
    const { stdout } = await new Deno.Command(program, { args: ["-h"] })
      .output();
    const [version] = /\d+\.\d+\.\d+/.exec(new TextDecoder().decode(stdout)) ??
      ["?"];
    return {
      version,
      start: (settings) =>
        Broker.start(settings === "recommended" ? RECOMMENDED : {}),
    };
  },
};
