/**
 * The files and directories that a configuration names.
 *
 * @module
 */
import { resolve } from "node:path/posix";

/** Keys whose values are paths, and what has to be there. */
export const PATHS = [
  { section: "mqtt", key: "tls_ca_cert", kind: "file" },
  { section: "mqtt", key: "tls_client_cert", kind: "file" },
  { section: "mqtt", key: "tls_client_key", kind: "file" },
  { section: "worker", key: "playbook_directory", kind: "directory" },
  { section: "worker", key: "inventory_directory", kind: "directory" },
] as const;

/**
 * What is wrong with a path; null if it can be used.
 *
 * @param path absolute, or relative to the directory
 */
export async function problemOfPath(
  path: string,
  { kind, directory }: { kind: "file" | "directory"; directory: string },
): Promise<string | null> {
  // Somebody has put the key itself here, which must not get into a message.
  // deno-lint-ignore no-control-regex
  if (/[\u0000-\u001f\u007f]|-----BEGIN/.test(path)) {
    return `must be the path of a ${kind}, not what is in it`;
  }
  const absolute = resolve(directory, path);
  try {
    const stat = await Deno.stat(absolute);
    if (kind === "directory") {
      if (!stat.isDirectory) return `"${absolute}" is not a directory`;
      for await (const _ of Deno.readDir(absolute)) break;
    } else {
      if (!stat.isFile) return `"${absolute}" is not a file`;
      (await Deno.open(absolute)).close();
    }
    return null;
  } catch (error) {
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory
    ) return `there is no ${kind} "${absolute}"`;
    if (error instanceof Deno.errors.NotCapable) {
      return `"${absolute}" is hidden by Deno's sandbox; start the worker with --allow-read`;
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      return `"${absolute}" may not be read by the user that this runs as`;
    }
    return `cannot read "${absolute}": ${(error as Error).message}`;
  }
}

/**
 * This host's name as one topic level; null where it cannot be told, or is one
 * that many hosts have.
 */
export async function hostName(): Promise<string | null> {
  let text;
  try {
    // Asking the system, or /proc, would need a permission of its own.
    text = await Deno.readTextFile("/etc/hostname");
  } catch {
    return null;
  }
  const name = text.split("\n").map((line) => line.trim())
    .find((line) => line !== "" && !line.startsWith("#"))
    ?.replaceAll(/[^A-Za-z0-9._:@~-]/g, "-").slice(0, 64);
  return name && !/^localhost(\.|$)/.test(name) ? name : null;
}
