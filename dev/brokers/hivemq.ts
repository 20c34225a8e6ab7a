/**
 * HiveMQ CE, a Java library, with the small program in `hivemq/`.
 *
 * @module
 */
import { built } from "./built.ts";
import type { BrokerKind, Settings } from "./kind.ts";
import { OwnBroker } from "./own_broker.ts";

/** HiveMQ CE. */
export const HIVEMQ: BrokerKind = {
  name: "hivemq",
  async setUp() {
    const directory = await built("hivemq", {
      programs: ["java", "mvn"],
      commands: [[
        "mvn",
        "--quiet",
        "--batch-mode",
        "compile",
        "dependency:copy-dependencies",
        "-DoutputDirectory=target/lib",
      ]],
    });
    const pom = await Deno.readTextFile(
      new URL("hivemq/pom.xml", import.meta.url),
    );
    return {
      version: /embedded<\/artifactId>\s*<version>([^<]+)/.exec(pom)![1]!,
      start: (settings) =>
        OwnBroker.start(async (place) => {
          for (const name of ["conf", "data", "extensions"]) {
            await Deno.mkdir(`${place.directory}/${name}`, { recursive: true });
          }
          await Deno.writeTextFile(
            `${place.directory}/conf/config.xml`,
            configuration(place.port, settings),
          );
          return {
            program: "java",
            args: [
              "-Xmx512m",
              // It lives for a scenario: starting is what takes long.
              "-XX:TieredStopAtLevel=1",
              "-cp",
              `${directory}/target/classes:${directory}/target/lib/*`,
              "Main",
              place.directory,
            ],
            // Its log goes below where it is started.
            cwd: place.directory,
          };
        }),
    };
  },
};

function configuration(port: number, settings: Settings): string {
  return `<?xml version="1.0"?>
<hivemq>
  <listeners>
    <tcp-listener>
      <port>${port}</port>
      <bind-address>127.0.0.1</bind-address>
    </tcp-listener>
  </listeners>
${
    settings === "recommended"
      ? `  <mqtt>
    <queued-messages>
      <max-queue-size>100000</max-queue-size>
    </queued-messages>
  </mqtt>
`
      : ""
  }  <anonymous-usage-statistics>
    <enabled>false</enabled>
  </anonymous-usage-statistics>
</hivemq>
`;
}
