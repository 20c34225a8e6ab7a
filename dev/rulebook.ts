// deno-lint-ignore-file no-console
/**
 * Event-Driven Ansible's `ansible-rulebook` from PyPI, in a virtual environment
 * that is kept for the next time.
 *
 * @module
 */
import { cacheDirectory } from "./cache.ts";
import { run } from "./distribution/run.ts";

const VERSION = "1.3.2";

/**
 * Makes sure that it is there; says so where it has to be installed.
 *
 * @returns the directory of its environment; null if there is no Java, in which
 * its rules are evaluated
 * @throws {Error} it cannot be installed
 */
export async function ansibleRulebook(): Promise<string | null> {
  const hasJava = await run(["java", "-version"]).then(() => true, () => false);
  if (!hasJava) return null;
  const directory = cacheDirectory(`ansible-rulebook-${VERSION}`);
  const done = `${directory}/installed`;
  if (await Deno.stat(done).then(() => true, () => false)) return directory;
  console.log(`Installing ansible-rulebook ${VERSION} into ${directory} …`);
  await run(["python3", "-m", "venv", "--clear", directory]);
  await run([
    ...[`${directory}/bin/python`, "-m", "pip", "install", "--quiet"],
    ...[`ansible-rulebook==${VERSION}`, "paho-mqtt==2.1.0"],
  ]);
  await Deno.writeTextFile(done, "");
  return directory;
}
