/**
 * Programs that the demo and the tests start.
 *
 * @module
 */
import project from "../deno.json" with { type: "json" };

export { freePort, freePorts } from "./ports.ts";

/** Where mosquitto is; distributions keep it out of users' PATH. */
export function mosquitto(): Promise<string | null> {
  return find(["mosquitto"], [
    "/usr/sbin",
    "/usr/local/sbin",
    "/opt/homebrew/sbin",
  ]);
}

/** Where the browser is that the tests look at pages with. */
export function chromium(): Promise<string | null> {
  return find(["chromium", "chromium-browser", "google-chrome"]);
}

/** Where the first of some programs is. */
async function find(
  names: readonly string[],
  beside: readonly string[] = [],
): Promise<string | null> {
  const path = (Deno.env.get("PATH") ?? "").split(":");
  for (const name of names) {
    for (const directory of [...path, ...beside]) {
      try {
        const file = `${directory}/${name}`;
        if (directory && (await Deno.stat(file)).isFile) return file;
      } catch {
        // Not there.
      }
    }
  }
  return null;
}

/** This project's directory. */
export const ROOT: string = new URL("..", import.meta.url).pathname;

/** The flags and the program of `deno task start`, without `deno` itself. */
export function startArguments(): string[] {
  return argumentsOf("start");
}

/** The same of `deno task client`. */
export function clientArguments(): string[] {
  return argumentsOf("client");
}

/** The same of `deno task web`, with the name of the command. */
export function webArguments(): string[] {
  return argumentsOf("web");
}

function argumentsOf(task: "start" | "client" | "web"): string[] {
  return project.tasks[task].split(" ").slice(1).map((argument) =>
    argument === "src/main.ts" ? `${ROOT}src/main.ts` : argument
  );
}
