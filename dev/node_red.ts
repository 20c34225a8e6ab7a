// deno-lint-ignore-file no-console
/**
 * Node-RED from npm, in a directory of its own that is kept for the next time.
 *
 * @module
 */
import { cacheDirectory } from "./cache.ts";
import { run } from "./distribution/run.ts";

const VERSION = "4.1.15";

/**
 * Makes sure that it is there; says so where it has to be installed.
 *
 * @returns its main file, for Node.js
 * @throws {Error} it cannot be installed, or there is no Node.js
 */
export async function nodeRed(): Promise<string> {
  const directory = cacheDirectory(`node-red-${VERSION}`);
  const main = `${directory}/node_modules/node-red/red.js`;
  const done = `${directory}/installed`;
  if (await Deno.stat(done).then(() => true, () => false)) return main;
  console.log(`Installing node-red ${VERSION} into ${directory} …`);
  await Deno.mkdir(directory, { recursive: true });
  await Deno.writeTextFile(`${directory}/package.json`, "{}");
  await run([
    "npm",
    "install",
    "--no-fund",
    "--no-audit",
    `node-red@${VERSION}`,
  ], { cwd: directory });
  await Deno.writeTextFile(done, "");
  return main;
}
