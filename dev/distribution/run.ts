/**
 * Running the programs that make a release.
 *
 * @module
 */

/**
 * Runs a program to its end.
 *
 * @returns what it printed
 * @throws {Error} it failed; the message has what it said
 */
export async function run(
  command: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<{ stdout: string; stderr: string }> {
  const [program = "", ...args] = command;
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    ...options,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder();
  const said = { stdout: text.decode(stdout), stderr: text.decode(stderr) };
  if (success) return said;
  throw new Error(
    `${command.slice(0, 2).join(" ")} failed: ${
      said.stderr.trim() || said.stdout.trim()
    }`,
  );
}
