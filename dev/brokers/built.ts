// deno-lint-ignore-file no-console
/**
 * Brokers that are built here, from their package and a small program of ours,
 * each in a directory of its own that is kept for the next time.
 *
 * @module
 */
import { cacheDirectory } from "../cache.ts";
import { NotRunError } from "./kind.ts";

/** Says which sources a directory was built from. */
const STAMP = "built-from";

/**
 * The directory in which a broker is built, from the sources beside this file.
 *
 * @param name of the directory of the sources
 * @param options.programs what has to be installed
 * @param options.commands what builds it, in order
 * @throws {NotRunError} a program is missing, or a command has failed
 */
export async function built(
  name: string,
  { programs, commands }: { programs: string[]; commands: string[][] },
): Promise<string> {
  const missing: string[] = [];
  for (const program of programs) {
    if (!await isInstalled(program)) missing.push(program);
  }
  if (missing.length > 0) throw new NotRunError(`no ${missing.join(", no ")}`);
  const sources = await read(new URL(`${name}/`, import.meta.url));
  const stamp = JSON.stringify([sources, commands]);
  const directory = cacheDirectory(`brokers/${name}`);
  const before = await Deno.readTextFile(`${directory}/${STAMP}`)
    .catch(() => null);
  if (before === stamp) return directory;
  console.log(`Building ${name} in ${directory} …`);
  // What an earlier version has left is not to be found by the compiler.
  await Deno.remove(directory, { recursive: true }).catch(() => {});
  for (const [path, text] of Object.entries(sources)) {
    const file = `${directory}/${path}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(file, text);
  }
  for (const command of commands) await run(command, directory);
  await Deno.writeTextFile(`${directory}/${STAMP}`, stamp);
  return directory;
}

/** The files of a directory, by their paths in it. */
async function read(directory: URL): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const entries = await Array.fromAsync(Deno.readDir(directory));
  for (const { name, isDirectory } of entries.toSorted(byName)) {
    if (!isDirectory) {
      files[name] = await Deno.readTextFile(new URL(name, directory));
      continue;
    }
    const inner = await read(new URL(`${name}/`, directory));
    for (const [path, text] of Object.entries(inner)) {
      files[`${name}/${path}`] = text;
    }
  }
  return files;
}

const byName = (one: Deno.DirEntry, other: Deno.DirEntry) =>
  one.name < other.name ? -1 : 1;

async function isInstalled(program: string): Promise<boolean> {
  for (const directory of (Deno.env.get("PATH") ?? "").split(":")) {
    const there = await Deno.stat(`${directory}/${program}`)
      .then(({ isFile }) => isFile, () => false);
    if (there) return true;
  }
  return false;
}

async function run(command: string[], cwd: string): Promise<void> {
  // Somebody works on this machine meanwhile.
  const { success, stdout, stderr } = await new Deno.Command("nice", {
    args: command,
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (success) return;
  const text = new TextDecoder();
  console.error((text.decode(stdout) + text.decode(stderr)).slice(-5000));
  throw new NotRunError(`could not be built: ${command.join(" ")}`, {
    isFault: true,
  });
}
