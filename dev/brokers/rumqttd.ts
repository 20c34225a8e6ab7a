/**
 * rumqttd, a Rust crate, with the small program in `rumqttd/`.
 *
 * @module
 */
import { built } from "./built.ts";
import type { BrokerKind, Settings } from "./kind.ts";
import { OwnBroker } from "./own_broker.ts";

/** rumqttd. */
export const RUMQTTD: BrokerKind = {
  name: "rumqttd",
  async setUp() {
    const directory = await built("rumqttd", {
      programs: ["cargo"],
      commands: [["cargo", "build", "--quiet", "--release"]],
    });
    const manifest = await Deno.readTextFile(
      new URL("rumqttd/Cargo.toml", import.meta.url),
    );
    return {
      version: /rumqttd = \{ version = "=([^"]+)"/.exec(manifest)![1]!,
      start: (settings) =>
        OwnBroker.start(async (place) => {
          const file = `${place.directory}/config.json`;
          await Deno.writeTextFile(
            file,
            JSON.stringify(configuration(place.port, settings)),
          );
          return {
            program: `${directory}/target/release/broker-rumqttd`,
            args: [file],
          };
        }),
    };
  },
};

/**
 * It has no defaults: these are the numbers of the configuration that comes with
 * it, but for the largest packet and the packets on their way.
 */
function configuration(port: number, settings: Settings): object {
  return {
    id: 0,
    router: {
      id: 0,
      max_connections: 10_010,
      // Of what is retained it sends nobody more than that.
      max_outgoing_packet_count: settings === "recommended" ? 20_000 : 200,
      max_segment_size: 104_857_600,
      max_segment_count: 10,
    },
    v5: {
      "1": {
        name: "v5-1",
        listen: `127.0.0.1:${port}`,
        next_connection_delay_ms: 1,
        connections: {
          connection_timeout_ms: 60_000,
          max_payload_size: settings === "recommended" ? 2_000_000 : 20_480,
          max_inflight_count: 100,
        },
      },
    },
  };
}
