/**
 * The files below a directory of playbooks or inventories.
 *
 * @module
 */
import { join } from "node:path/posix";

/** How deep is looked. */
const MAX_LEVELS = 4;

/** Directories that hold no playbook and no inventory that is asked for. */
const PASSED_OVER =
  /^(\..*|roles|collections|group_vars|host_vars|tasks|node_modules)$/;

/**
 * Paths of files, relative to the directory; links are among them.
 *
 * @param options.closed is told of directories that may not be read
 */
export function filesBelow(
  directory: string,
  options: { closed?(path: string): void } = {},
): AsyncGenerator<string> {
  return walk(directory, { below: "", level: 0, ...options });
}

async function* walk(
  directory: string,
  { below, level, ...options }: {
    below: string;
    level: number;
    closed?(path: string): void;
  },
): AsyncGenerator<string> {
  let entries: Deno.DirEntry[];
  try {
    entries = await Array.fromAsync(Deno.readDir(join(directory, below)));
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) options.closed?.(below);
    return;
  }
  for (const { name, isDirectory } of entries) {
    const path = join(below, name);
    if (!isDirectory) yield path;
    else if (level < MAX_LEVELS && !PASSED_OVER.test(name)) {
      yield* walk(directory, { below: path, level: level + 1, ...options });
    }
  }
}
