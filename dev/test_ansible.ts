// deno-lint-ignore-file no-console
/**
 * `deno task test:ansible [RELEASE…]`: tries the worker on one release of
 * ansible-core for each minor release, or on those that are named (`2.19`), and
 * ends with one table.
 *
 * @module
 */
import {
  type Environment,
  environmentOf,
} from "./ansible_versions/environment.ts";
import { GROUPS, run } from "./ansible_versions/groups.ts";
import { type Release, RELEASES } from "./ansible_versions/releases.ts";
import { columns } from "./columns.ts";
import { setUp } from "./set_up.ts";

const unknown = Deno.args.filter((name) =>
  !RELEASES.some((release) => release.name === name)
);
if (unknown.length > 0) {
  console.error(
    `Unknown: ${unknown.join(", ")}. Name some of ${
      RELEASES.map(({ name }) => name).join(", ")
    }, or none for all of them.`,
  );
  Deno.exit(2);
}
if (!await setUp()) Deno.exit(1);

const rows: string[][] = [
  ["ansible-core", "Python", ...GROUPS.map(({ name }) => name)],
];
for (const release of RELEASES) {
  if (Deno.args.length > 0 && !Deno.args.includes(release.name)) continue;
  rows.push(await row(release));
}
// What could not be tried at all has not failed, unless nothing was tried.
if (rows.every((cells) => cells.length < 3 || cells === rows[0])) {
  Deno.exitCode = 1;
}
console.log();
console.log(columns(rows));

/** Tries one release. */
async function row(release: Release): Promise<string[]> {
  let environment: Environment | null;
  try {
    environment = await environmentOf(release);
  } catch (error) {
    console.error((error as Error).message);
    Deno.exitCode = 1;
    return [release.name, "could not be installed"];
  }
  if (environment === null) {
    return [release.name, "no Python here that it runs on"];
  }
  const { version, python } = environment;
  const cells = [version, python];
  for (const group of GROUPS) {
    const { passed, failed, text } = await run(group, environment);
    console.log(
      `ansible-core ${version}, ${group.name}: ${passed} passed, ${failed} failed`,
    );
    if (failed > 0) {
      Deno.exitCode = 1;
      console.error(text);
    }
    cells.push(
      failed === 0
        ? `${passed} passed`
        : `${failed} of ${passed + failed} FAILED`,
    );
  }
  return cells;
}
