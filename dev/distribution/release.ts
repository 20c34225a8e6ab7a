/**
 * What a release is: its name, its version, its time, and the systems that it
 * is made for.
 *
 * @module
 */
import project from "../../deno.json" with { type: "json" };
import { ROOT } from "../programs.ts";

/** The one place that knows the version is `deno.json`. */
export const VERSION: string = project.version;

/** The name of the program, its package, its user and its directories. */
export const NAME = "ansible-worker";

/** The name of the page's program, its user and its directories. */
export const WEB_NAME = "ansible-worker-web";

/** The programs, as they lie beside each other wherever they are. */
export const PROGRAM_NAMES = [NAME, WEB_NAME] as const;

/** A system that there are programs for. */
export interface Target {
  /** As it is called in names of files. */
  name: string;
  /** As `deno compile --target` calls it. */
  triple: string;
  /** As dpkg calls it; null where there is no dpkg. */
  architecture: "amd64" | "arm64" | null;
}

/** All of them. */
export const TARGETS: readonly Target[] = [
  {
    name: "linux-x64",
    triple: "x86_64-unknown-linux-gnu",
    architecture: "amd64",
  },
  {
    name: "linux-arm64",
    triple: "aarch64-unknown-linux-gnu",
    architecture: "arm64",
  },
  { name: "macos-x64", triple: "x86_64-apple-darwin", architecture: null },
  { name: "macos-arm64", triple: "aarch64-apple-darwin", architecture: null },
];

/**
 * The targets of these names; all, if none is given.
 *
 * @throws {RangeError} there is none of that name
 */
export function targetsNamed(names: readonly string[]): Target[] {
  if (names.length === 0) return [...TARGETS];
  return names.map((name) => {
    const found = TARGETS.find((target) => target.name === name);
    if (found) return found;
    const known = TARGETS.map((target) => target.name).join(", ");
    throw new RangeError(`Cannot make "${name}": there are ${known}`);
  });
}

/**
 * The time that all files of a release carry, in seconds since 1970, so that
 * the same sources give the same bytes: `SOURCE_DATE_EPOCH`, as described by
 * reproducible-builds.org, or the time of the last commit.
 *
 * @throws {Error} there is neither
 */
export async function releaseTime(): Promise<number> {
  const given = Deno.env.get("SOURCE_DATE_EPOCH");
  const text = given ?? await lastCommit();
  if (!/^\d+$/.test(text)) {
    throw new Error(
      `Cannot tell the time of the release: set SOURCE_DATE_EPOCH to seconds since 1970${
        given === undefined ? "" : `, not "${given}"`
      }`,
    );
  }
  return Number(text);
}

async function lastCommit(): Promise<string> {
  const { stdout } = await new Deno.Command("git", {
    args: ["log", "-1", "--format=%ct"],
    cwd: ROOT,
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout).trim();
}
