import assert from "node:assert/strict";
import { dirname, relative, resolve } from "node:path/posix";
import { ROOT } from "../../dev/programs.ts";

/** The rooms of `src`, from those that know most to those that all may know. */
const LEVELS: readonly (readonly string[])[] = [
  ["main"],
  ["worker", "cli"],
  ["client", "doctor", "web"],
  ["group", "content"],
  ["tasks", "ansible", "metrics", "mqtt"],
  ["messages", "config", "templates"],
];

/** Files beside the rooms, which every room may import. */
const SHARED = LEVELS.length;

const SRC = `${ROOT}src`;

/** The room of a file, and its level: the higher, the more may import it. */
function placeOf(file: string): { room: string; level: number } {
  const room = relative(SRC, file).split("/")[0]!.replace(/\.tsx?$/, "");
  const level = LEVELS.findIndex((rooms) => rooms.includes(room));
  if (level >= 0) return { room, level };
  assert.ok(file.endsWith(`/src/${room}.ts`), `${room} is at no level`);
  return { room, level: SHARED };
}

async function sources(directory: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const path = `${directory}/${name}`;
    if (isDirectory) found.push(...await sources(path));
    else if (/\.tsx?$/.test(name)) found.push(path);
  }
  return found;
}

Deno.test("no room imports one that is above it", async () => {
  const upwards: string[] = [];
  let imports = 0;
  for (const file of await sources(SRC)) {
    const text = await Deno.readTextFile(file);
    const from = placeOf(file);
    for (const [, target] of text.matchAll(/(?:from |import\()"(\.[^"]+)"/g)) {
      const imported = resolve(dirname(file), target!);
      if (!imported.startsWith(`${SRC}/`)) continue;
      const to = placeOf(imported);
      imports++;
      if (to.level < from.level) {
        upwards.push(`${relative(SRC, file)} imports ${target}`);
      }
    }
  }
  assert.deepEqual(upwards, []);
  assert.ok(imports > 100, "the imports were found");
});
