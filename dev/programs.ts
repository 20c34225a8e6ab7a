/**
 * Programs that the demo and the tests start.
 *
 * @module
 */
import project from "../deno.json" with { type: "json" };

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

/** A TCP port of the loopback address that nobody uses at this moment. */
export function freePort(): number {
  return freePorts(1)[0]!;
}

/** Several, no two of them the same. */
export function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const ports = listeners.map(({ addr }) => addr.port);
  listeners.forEach((listener) => listener.close());
  return ports;
}
