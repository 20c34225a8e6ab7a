// deno-lint-ignore-file no-console
/**
 * `deno task compile [TARGET…]`: the program for each target, as an archive and,
 * for Linux, as a package, in `dist/`.
 *
 * @module
 */
import { makeArchive } from "./distribution/archive.ts";
import { compile } from "./distribution/compile.ts";
import { makeDeb } from "./distribution/deb.ts";
import { NAME, releaseTime, targetsNamed } from "./distribution/release.ts";
import { ROOT } from "./programs.ts";

try {
  const targets = targetsNamed(Deno.args);
  const time = await releaseTime();
  const directory = `${ROOT}dist`;
  for (const target of targets) {
    const program = `${directory}/${target.name}/${NAME}`;
    console.log(await compile(target, { output: program }));
    const options = { program, directory, time };
    console.log(await makeArchive(target, options));
    if (target.architecture) console.log(await makeDeb(target, options));
  }
} catch (error) {
  console.error((error as Error).message);
  Deno.exit(1);
}
