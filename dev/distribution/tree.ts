/**
 * Trees of files: what an archive or a package has in it.
 *
 * @module
 */
import { dirname } from "node:path";
import { ROOT } from "../programs.ts";

/** One file, or one link or directory, at its path below the top of the tree. */
export type Entry =
  & { path: string; mode?: number }
  & (
    | { from: string }
    | { content: string | Uint8Array }
    | { link: string }
    | { directory: true }
  );

/**
 * Writes a tree; directories on the way to a file are there without being named.
 *
 * @param options.time what all of it is dated, in seconds since 1970
 */
export async function writeTree(
  entries: readonly Entry[],
  { top, time }: { top: string; time: number },
): Promise<void> {
  const directories = new Set([top]);
  for (const entry of entries) {
    const path = `${top}/${entry.path}`;
    const last = "directory" in entry ? path : dirname(path);
    for (let one = last; one.length > top.length; one = dirname(one)) {
      directories.add(one);
    }
    await Deno.mkdir(last, { recursive: true });
    if ("link" in entry) {
      await Deno.symlink(entry.link, path);
      continue;
    }
    if ("from" in entry) await Deno.copyFile(entry.from, path);
    if ("content" in entry) await write(path, entry.content);
    if ("directory" in entry) continue;
    await Deno.chmod(path, entry.mode ?? 0o644);
    await Deno.utime(path, time, time);
  }
  // Last, since whatever is put into a directory dates it anew; and whatever
  // the umask of whoever builds it.
  for (const path of directories) {
    const entry = entries.find((one) => `${top}/${one.path}` === path);
    await Deno.chmod(path, entry?.mode ?? 0o755);
    await Deno.utime(path, time, time);
  }
}

async function write(path: string, content: string | Uint8Array) {
  const bytes = typeof content === "string"
    ? new TextEncoder().encode(content)
    : content;
  await Deno.writeFile(path, bytes);
}

/** The files that Python loads, as entries below a directory. */
export async function pythonFiles(below: string): Promise<Entry[]> {
  const found: Entry[] = [];
  const walk = async (from: string, to: string) => {
    for await (const { name, isDirectory } of Deno.readDir(from)) {
      if (name === "__pycache__") continue;
      if (isDirectory) await walk(`${from}/${name}`, `${to}/${name}`);
      else found.push({ path: `${to}/${name}`, from: `${from}/${name}` });
    }
  };
  await walk(`${ROOT}src/ansible/python`, below);
  return found.sort((a, b) => a.path < b.path ? -1 : 1);
}

/** The documents and pictures that the README leads to, below `docs`. */
export async function documents(): Promise<string[]> {
  const names = async (directory: string) =>
    (await Array.fromAsync(Deno.readDir(`${ROOT}docs/${directory}`)))
      .map(({ name }) => `${directory}${name}`);
  return [...await names(""), ...await names("images/")]
    .filter((name) => /\.(md|png)$/.test(name)).sort();
}
