/**
 * The package for Debian and what is made from it.
 *
 * It is built by `dpkg-deb` alone. The same files and the same time give the
 * same bytes.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { SERVICE_HOME } from "../../src/cli/systemd.ts";
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
import {
  CONFIGURATION,
  instancesUnit,
  pageUnit,
  unit,
  WEB_CONFIGURATION,
} from "./unit.ts";

/** Where the package has its playbooks. */
const PLAYBOOKS = "/etc/ansible-worker/playbooks";

const DEBIAN = `${ROOT}packaging/debian`;

/** What the package installs, at paths below the root directory. */
export async function installedTree(
  { programs, time }: { programs: string; time: number },
): Promise<Entry[]> {
  const doc = `usr/share/doc/${NAME}`;
  return [
    ...PROGRAM_NAMES.flatMap((name) => [
      {
        path: `usr/lib/${NAME}/${name}`,
        from: `${programs}/${name}`,
        mode: 0o755,
      },
      { path: `usr/bin/${name}`, link: `../lib/${NAME}/${name}` },
    ]),
    ...await pythonFiles(`usr/lib/${NAME}/python`),
    {
      path: `usr/lib/systemd/system/${NAME}.service`,
      content: unit(`/usr/bin/${NAME}`),
    },
    {
      path: `usr/lib/systemd/system/${NAME}@.service`,
      content: instancesUnit(`/usr/bin/${NAME}`),
    },
    {
      path: `usr/lib/systemd/system/${WEB_NAME}.service`,
      content: pageUnit(`/usr/bin/${WEB_NAME}`),
    },
    {
      path: WEB_CONFIGURATION.slice(1),
      from: `${DEBIAN}/web.yaml`,
      mode: 0o640,
    },
    {
      path: CONFIGURATION.slice(1),
      content: await packagedConfiguration(),
      mode: 0o640,
    },
    { path: PLAYBOOKS.slice(1), directory: true, mode: 0o750 },
    {
      path: `usr/share/man/man1/${NAME}.1.gz`,
      content: await zipped(`${ROOT}docs/${NAME}.1`),
    },
    { path: `usr/share/man/man1/${WEB_NAME}.1.gz`, link: `${NAME}.1.gz` },
    { path: `${doc}/README.md.gz`, content: await zipped(`${ROOT}README.md`) },
    // Packed texts; a picture could not be seen from them.
    ...await Promise.all(
      (await documents()).filter((name) => name.endsWith(".md"))
        .map(async (name) => ({
          path: `${doc}/docs/${name}.gz`,
          content: await zipped(`${ROOT}docs/${name}`),
        })),
    ),
    { path: `${doc}/copyright`, from: `${DEBIAN}/copyright` },
    {
      path: `${doc}/changelog.gz`,
      content: gzipSync(changelog(time), { level: 9 }),
    },
    {
      path: `${doc}/examples/config.example.yaml`,
      from: `${ROOT}config.example.yaml`,
    },
  ];
}

/** What the package sets in the example: its own directories. */
const SET: readonly (readonly [RegExp, string])[] = [
  [/^( *playbook_directory:) \.$/m, `$1 ${PLAYBOOKS}`],
  [/^( *)# (journal:) .*$/m, `$1$2 ${SERVICE_HOME}/journal`],
];

/** The example, with the package's own directories. */
async function packagedConfiguration(): Promise<string> {
  let text = await Deno.readTextFile(`${ROOT}config.example.yaml`);
  for (const [line, own] of SET) {
    if (!line.test(text)) {
      throw new Error(
        `Cannot make the package's configuration: config.example.yaml has no line ${line.source}`,
      );
    }
    text = text.replace(line, own);
  }
  return text;
}

async function zipped(file: string): Promise<Uint8Array> {
  return gzipSync(await Deno.readFile(file), { level: 9 });
}

/** Who answers for the package, as dpkg's own tools are told. */
function maintainer(): string {
  const name = Deno.env.get("DEBFULLNAME") ?? `${NAME} maintainers`;
  return `${name} <${Deno.env.get("DEBEMAIL") ?? "root@localhost"}>`;
}

function changelog(time: number): string {
  const date = new Date(time * 1000).toUTCString().replace("GMT", "+0000");
  return `${NAME} (${VERSION}) stable; urgency=medium

  * Release ${VERSION}.

 -- ${maintainer()}  ${date}
`;
}

/** What dpkg is to know of the package, and to do for it. */
export async function controlTree(
  target: Target,
  { top }: { top: string },
): Promise<Entry[]> {
  const { sums, kilobytes } = await measured(top);
  const scripts = ["postinst", "prerm", "postrm"];
  return [
    {
      path: "DEBIAN/control",
      content: `Package: ${NAME}
Version: ${VERSION}
Architecture: ${target.architecture}
Maintainer: ${maintainer()}
Installed-Size: ${kilobytes}
Depends: adduser, ansible-core (>= 2.14) | ansible (>= 7), libc6 (>= 2.27), libgcc-s1
Recommends: openssh-client, git
Suggests: git-lfs, gpg, mosquitto
Section: admin
Priority: optional
Description: runs Ansible playbooks that are asked for by MQTT
 A controller publishes a small JSON message; one idle worker of a group runs
 that playbook, and publishes its progress live on a retained topic. A worker has
 no database, no web server and no inbound port: one outbound connection to an
 MQTT broker. A page that shows what runs is a service of its own.
`,
    },
    {
      path: "DEBIAN/conffiles",
      content: `${CONFIGURATION}\n${WEB_CONFIGURATION}\n`,
    },
    { path: "DEBIAN/md5sums", content: sums },
    ...scripts.map((name) => ({
      path: `DEBIAN/${name}`,
      from: `${DEBIAN}/${name}`,
      mode: 0o755,
    })),
  ];
}

/** The sums of all files but the configurations, and what all of it takes up. */
async function measured(top: string) {
  const lines: string[] = [];
  let kilobytes = 0;
  const walk = async (directory: string) => {
    const entries = await Array.fromAsync(
      Deno.readDir(directory ? `${top}/${directory}` : top),
    );
    for (const { name, isDirectory, isFile } of entries) {
      const path = directory ? `${directory}/${name}` : name;
      // As dpkg counts: a kilobyte for whatever is no file.
      if (!isFile) kilobytes++;
      if (isDirectory) await walk(path);
      if (!isFile) continue;
      const bytes = await Deno.readFile(`${top}/${path}`);
      kilobytes += Math.ceil(bytes.length / 1024);
      if ([CONFIGURATION, WEB_CONFIGURATION].includes(`/${path}`)) continue;
      const sum = createHash("md5").update(bytes).digest("hex");
      lines.push(`${sum}  ${path}\n`);
    }
  };
  await walk("");
  // By path, which begins after the sum and two spaces.
  lines.sort((a, b) => a.slice(34) < b.slice(34) ? -1 : 1);
  return { sums: lines.join(""), kilobytes };
}

/**
 * Builds the package.
 *
 * @param options.programs the directory of the compiled programs
 * @param options.directory where to put it
 * @param options.compression xz is small, gzip is quick
 * @returns its path
 * @throws {RangeError} the target has no dpkg
 */
export async function makeDeb(
  target: Target,
  { programs, directory, time, compression = "xz" }: {
    programs: string;
    directory: string;
    time: number;
    compression?: "xz" | "gzip";
  },
): Promise<string> {
  if (target.architecture === null) {
    throw new RangeError(`Cannot make a package for ${target.name}`);
  }
  const file = `${directory}/${NAME}_${VERSION}_${target.architecture}.deb`;
  const top = await Deno.makeTempDir({ prefix: "deb-" });
  try {
    await writeTree(await installedTree({ programs, time }), { top, time });
    await writeTree(await controlTree(target, { top }), { top, time });
    await run([
      "dpkg-deb",
      "--root-owner-group",
      `-Z${compression}`,
      "--build",
      top,
      file,
    ], { env: { SOURCE_DATE_EPOCH: String(time) } });
  } finally {
    await Deno.remove(top, { recursive: true });
  }
  return file;
}
