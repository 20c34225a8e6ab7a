/**
 * A mosquitto that makes client ids of user names, so that two clients of one
 * user throw each other off.
 *
 * @module
 */
import { freePort } from "../../dev/programs.ts";
import { Broker } from "./broker.ts";
import type { Project } from "./project.ts";

/**
 * Starts it.
 *
 * @returns the broker, the port at which it does so, and a user of it
 */
export async function userNamesAsClientIds(project: Project) {
  const passwords = project.path("passwords");
  await Deno.writeTextFile(passwords, "worker:secret\n");
  await new Deno.Command("mosquitto_passwd", { args: ["-U", passwords] })
    .output();
  const port = freePort();
  const broker = await Broker.start({
    extra: [
      "allow_anonymous false",
      `password_file ${passwords}`,
      `listener ${port} 127.0.0.1`,
      "use_username_as_clientid true",
    ],
  });
  return { broker, port, mqtt: { username: "worker", password: "secret" } };
}
