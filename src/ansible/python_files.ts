/**
 * Where the files are that Python loads inside `ansible-playbook`.
 *
 * A compiled program carries its modules in itself, but Python reads from the
 * disk, and the sandbox lets nobody write there: the files lie beside the
 * program, as they came with it. Nothing is searched, so that nobody can put
 * others in their place.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The file by which Python gets in; see there. */
const ENTRY = "sitecustomize.py";

/**
 * The directory for Python's path: `python` beside the compiled program, or
 * beside this module where it runs from source.
 */
export function pythonDirectory(): string {
  return Deno.build.standalone
    ? join(dirname(programFile()), "python")
    : fileURLToPath(new URL("./python", import.meta.url));
}

/**
 * What to say if the files are not there; null if they are, or if the sandbox
 * does not let anybody see. Python itself needs no leave of the sandbox.
 */
export async function pythonMissing(): Promise<string | null> {
  const file = join(pythonDirectory(), ENTRY);
  try {
    await Deno.stat(file);
    return null;
  } catch (error) {
    return error instanceof Deno.errors.NotFound
      ? `Cannot find the Python files of ansible-worker: looked for "${file}"; they belong beside the program, as in its archive`
      : null;
  }
}

/** The compiled program itself. */
function programFile(): string {
  const path = Deno.execPath();
  try {
    // Linux resolves links by itself, macOS does not.
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}
