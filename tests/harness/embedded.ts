/**
 * What `deno compile` has put into a program: read from the bytes of it.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** The flags as they are in the program; `[]` is all, `null` none. */
export type Permissions = Record<string, string[] | null | boolean>;

/** What is in a program. */
export interface Embedded {
  permissions: Permissions;
  /** What it is given each time that it is started. */
  args: string[];
  /** The paths of all files in it. */
  files: string[];
}

type Node =
  | { Dir: { n: string; e: Node[] } }
  | { File: { n: string } }
  | { Symlink: { n: string } };

/** Begins and ends what was embedded. */
const MARK = "d3n0l4nd";

/** Reads it. */
export async function embeddedIn(program: string): Promise<Embedded> {
  const bytes = Buffer.from((await Deno.readFile(program)).buffer);
  const end = bytes.lastIndexOf(MARK);
  const begin = bytes.lastIndexOf(MARK, end - 1);
  const { permissions, argv } = block(
    bytes,
    bytes.indexOf('{"argv":', begin),
  ) as { permissions: Permissions; argv: string[] };
  const nodes = block(bytes, bytes.indexOf('[{"Dir":', begin)) as Node[];
  return {
    permissions,
    args: argv,
    files: nodes.flatMap((node) => paths(node, "")).sort(),
  };
}

/** A block of JSON, which has its length before it, in eight bytes. */
function block(bytes: Buffer, at: number): unknown {
  const length = Number(bytes.readBigUInt64LE(at - 8));
  return JSON.parse(bytes.toString("utf8", at, at + length));
}

function paths(node: Node, above: string): string[] {
  if ("Dir" in node) {
    const { n, e } = node.Dir;
    return e.flatMap((one) => paths(one, `${above}${n}/`));
  }
  const { n } = "File" in node ? node.File : node.Symlink;
  return [`${above}${n}`];
}
