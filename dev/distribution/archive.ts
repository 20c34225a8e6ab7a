/**
 * The archive: a directory with the programs and what belongs to them, which works
 * wherever it is unpacked.
 *
 * @module
 */
import { ROOT } from "../programs.ts";
import {
  NAME,
  PROGRAM_NAMES,
  type Target,
  VERSION,
  WEB_NAME,
} from "./release.ts";
import { run } from "./run.ts";
import { documents, type Entry, pythonFiles, writeTree } from "./tree.ts";
import { pageUnit, unit } from "./unit.ts";

/** Where docs/install.md has the archive linked from. */
const LINKED = "/usr/local/bin";

/** What is in the archive. */
export async function archiveTree(
  target: Target,
  { programs }: { programs: string },
): Promise<Entry[]> {
  const top = archiveName(target);
  return [
    ...PROGRAM_NAMES.map((name) => ({
      path: `${top}/${name}`,
      from: `${programs}/${name}`,
      mode: 0o755,
    })),
    ...await pythonFiles(`${top}/python`),
    { path: `${top}/LICENSE`, from: `${ROOT}LICENSE` },
    { path: `${top}/README.md`, from: `${ROOT}README.md` },
    ...(await documents()).map((name) => ({
      path: `${top}/docs/${name}`,
      from: `${ROOT}docs/${name}`,
    })),
    {
      path: `${top}/config.example.yaml`,
      from: `${ROOT}config.example.yaml`,
    },
    { path: `${top}/${NAME}.1`, from: `${ROOT}docs/${NAME}.1` },
    ...target.architecture === null ? [] : [
      { path: `${top}/${NAME}.service`, content: unit(`${LINKED}/${NAME}`) },
      {
        path: `${top}/${WEB_NAME}.service`,
        content: pageUnit(`${LINKED}/${WEB_NAME}`),
      },
    ],
  ];
}

/** The name of the directory, and of the archive without its ending. */
export function archiveName({ name }: Target): string {
  return `${NAME}-${VERSION}-${name}`;
}

/**
 * Makes the archive. The same files and the same time give the same bytes.
 *
 * @param options.programs the directory of the compiled programs
 * @param options.directory where to put it
 * @returns its path
 */
export async function makeArchive(
  target: Target,
  { programs, directory, time }: {
    programs: string;
    directory: string;
    time: number;
  },
): Promise<string> {
  const file = `${directory}/${archiveName(target)}.tar.gz`;
  const top = await Deno.makeTempDir({ prefix: "archive-" });
  try {
    await writeTree(await archiveTree(target, { programs }), { top, time });
    await run([
      "tar",
      "--create",
      "--sort=name",
      "--format=gnu",
      "--owner=root:0",
      "--group=root:0",
      `--mtime=@${time}`,
      // Without the name and the time that gzip would put in.
      "--use-compress-program=gzip -n",
      `--file=${file}`,
      `--directory=${top}`,
      archiveName(target),
    ]);
  } finally {
    await Deno.remove(top, { recursive: true });
  }
  return file;
}
