/**
 * The simulator as a process of its own: it puts virtual time in the place of the
 * globals.
 *
 * @module
 */
import { ROOT } from "../../dev/programs.ts";

/** Runs it to its end. */
export async function simulate(
  ...args: string[]
): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--v8-flags=--expose-gc",
      `${ROOT}tests/simulation/main.ts`,
      ...args,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}
