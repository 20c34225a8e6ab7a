/**
 * The file that a request has probably meant by a path that there is not.
 *
 * @module
 */
import { basename, extname, join } from "node:path/posix";
import { distance, isNear } from "../nearest.ts";

/** How deep, and how many files, are looked at: anybody may ask for anything. */
const MAX_LEVELS = 4;
const MAX_FILES = 500;

/** The longest path that is compared, in characters. */
const MAX_LENGTH = 100;

/** Directories that hold no playbook and no inventory that is asked for. */
const PASSED_OVER =
  /^(\..*|roles|collections|group_vars|host_vars|tasks|node_modules)$/;

/**
 * The nearest file below a directory, as a relative path; null if none is near.
 * One of the same name elsewhere is as near as a slip of one letter.
 *
 * @param options.path what was asked for
 * @param options.isAllowed whether a file may be asked for, and so be named
 */
export async function nearestFile(
  directory: string,
  { path, isAllowed }: {
    path: string;
    isAllowed(path: string): boolean;
  },
): Promise<string | null> {
  if (path.length > MAX_LENGTH) return null;
  const name = withoutEnding(path);
  let nearest: { path: string; far: number } | null = null;
  let looked = 0;
  for await (const other of filesBelow(directory)) {
    if (++looked > MAX_FILES) break;
    if (other.length > MAX_LENGTH || !isAllowed(other)) continue;
    const far = withoutEnding(basename(other)) === basename(name)
      ? 1
      : distance(name, withoutEnding(other));
    if (
      far < name.length && isNear(far, name) && far < (nearest?.far ?? Infinity)
    ) {
      nearest = { path: other, far };
    }
  }
  return nearest?.path ?? null;
}

/** `site` and `site.yaml` are `site.yml` to whoever has typed them. */
function withoutEnding(path: string): string {
  return path.slice(0, path.length - extname(path).length).toLowerCase();
}

async function* filesBelow(
  directory: string,
  below = "",
  level = 0,
): AsyncGenerator<string> {
  const entries: Deno.DirEntry[] = [];
  try {
    for await (const entry of Deno.readDir(join(directory, below))) {
      if (entries.push(entry) > MAX_FILES) break;
    }
  } catch {
    return;
  }
  for (const { name, isDirectory, isFile } of entries) {
    const path = join(below, name);
    if (isFile) yield path;
    else if (isDirectory && level < MAX_LEVELS && !PASSED_OVER.test(name)) {
      yield* filesBelow(directory, path, level + 1);
    }
  }
}
