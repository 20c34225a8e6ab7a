/**
 * The file that a request has probably meant by a path that there is not.
 *
 * @module
 */
import { basename, extname } from "node:path/posix";
import { filesBelow } from "../files_below.ts";
import { distance, isNear } from "../nearest.ts";

/** How many files are looked at: anybody may ask for anything. */
const MAX_FILES = 500;

/** The longest path that is compared, in characters. */
const MAX_LENGTH = 100;

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
