/**
 * The files that a request names: where they really are, and whether a request
 * may name them.
 *
 * @module
 */
import { join, sep } from "node:path/posix";
import { quote } from "../quote.ts";
import { nearestFile } from "./nearest_file.ts";

/**
 * Looks a path up below its directory.
 *
 * @param field what the request calls it
 * @param options.root its directory
 * @param options.secretFiles files of the worker's own, which it must neither
 * be nor have in it
 * @param options.isAllowed whether a file may be asked for, and so be named in
 * the place of one that there is not
 * @returns where it is, or why it is refused, in one sentence
 */
export async function locate(
  field: string,
  path: string,
  { root: directory, secretFiles, isAllowed }: {
    root: string;
    secretFiles: readonly string[];
    isAllowed(path: string): boolean;
  },
): Promise<
  { refusal: string } | {
    refusal?: undefined;
    path: string;
    isFile: boolean;
    isProgram: boolean;
  }
> {
  try {
    const root = await Deno.realPath(directory);
    const real = await Deno.realPath(join(root, path));
    if (real !== root && !real.startsWith(root + sep)) {
      return {
        refusal: `${field} ${quote(path)} is outside the ${field} directory`,
      };
    }
    const stat = await Deno.stat(real);
    if (!stat.isFile && !stat.isDirectory) {
      return { refusal: `${field} ${quote(path)} is not a file` };
    }
    for (const file of secretFiles) {
      const secret = await Deno.realPath(file).catch(() => file);
      if (secret === real) {
        return {
          refusal: `${field} ${
            quote(path)
          } is a file of the worker's own, with secrets in it`,
        };
      }
      if (secret.startsWith(real + sep)) {
        return {
          refusal: `${field} ${
            quote(path)
          } has a file of the worker's own in it, with secrets; keep that elsewhere`,
        };
      }
    }
    // The path as it was given: Ansible looks for variables and roles beside
    // it, not beside what a link points to.
    return {
      path: join(root, path),
      isFile: stat.isFile,
      isProgram: stat.isFile && ((stat.mode ?? 0) & 0o111) !== 0,
    };
  } catch (error) {
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory
    ) {
      const near = await nearestFile(directory, {
        path,
        isAllowed: (other) =>
          isAllowed(other) && !secretFiles.includes(join(directory, other)),
      });
      return {
        refusal: `${field} ${
          quote(path)
        } was not found in the ${field} directory${
          near === null ? "" : `; did you mean ${quote(near)}?`
        }`,
      };
    }
    return {
      refusal: `${field} ${quote(path)} cannot be read: ${
        error instanceof Error ? error.message : error
      }`,
    };
  }
}
