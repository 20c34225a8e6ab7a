/**
 * mochi, a Go module, with the small program in `mochi/`.
 *
 * @module
 */
import { built } from "./built.ts";
import type { BrokerKind } from "./kind.ts";
import { OwnBroker } from "./own_broker.ts";

/** mochi. */
export const MOCHI: BrokerKind = {
  name: "mochi",
  async setUp() {
    const directory = await built("mochi", {
      programs: ["go"],
      commands: [["go", "build", "-o", "broker", "."]],
    });
    const module = await Deno.readTextFile(
      new URL("mochi/go.mod", import.meta.url),
    );
    return {
      version: /mochi-mqtt\/server\/v2 v(\S+)/.exec(module)![1]!,
      start: (settings) =>
        OwnBroker.start((place) => ({
          program: `${directory}/broker`,
          args: [
            String(place.port),
            ...(settings === "recommended" ? [`${place.directory}/kept`] : []),
          ],
        })),
    };
  },
};
