// deno-lint-ignore-file no-console
/**
 * `deno task compile [TARGET…]`: the worker's and the page's program for each
 * target, as an archive and, for Linux, as a package, in `dist/`.
 *
 * @module
 */
import { makeArchive } from "./distribution/archive.ts";
import { compile } from "./distribution/compile.ts";
import { makeDeb } from "./distribution/deb.ts";
import {
  PROGRAM_NAMES,
  releaseTime,
  targetsNamed,
} from "./distribution/release.ts";
import { ROOT } from "./programs.ts";

try {
  const targets = targetsNamed(Deno.args);
  const time = await releaseTime();
  const directory = `${ROOT}dist`;
  for (const target of targets) {
    const programs = `${directory}/${target.name}`;
    for (const name of PROGRAM_NAMES) {
      const output = `${programs}/${name}`;
      console.log(await compile(target, { name, output }));
    }
    const options = { programs, directory, time };
    console.log(await makeArchive(target, options));
    if (target.architecture) console.log(await makeDeb(target, options));
  }
} catch (error) {
  console.error((error as Error).message);
  Deno.exit(1);
}
