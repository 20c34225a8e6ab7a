/**
 * Who may log in: a file with a line for each, `name:role:hash`.
 *
 * The hash is `scrypt$N$r$p$SALT$KEY` (RFC 7914), with salt and key as base64url:
 * about 0.1 s of work and 32 MiB of memory for each attempt.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import type { Role } from "./model.ts";

const COST = { N: 2 ** 15, r: 8, p: 1 };

const KEY_BYTES = 32;

/** scrypt needs 128 × N × r bytes; the library's own limit is less. */
const MAX_MEMORY = 64 * 1024 * 1024;

/** Attempts that are worked on at once; others wait, so that memory is bounded. */
const MAX_AT_ONCE = 2;

/** The shortest password that is taken, in characters. */
export const MIN_PASSWORD = 8;

/** The longest password, in characters. */
export const MAX_PASSWORD = 1000;

/** The names that a user can have. */
export const USER_NAME = /^[A-Za-z0-9._@+-]{1,64}$/;

/** A user. */
export interface User {
  name: string;
  role: Role;
  /** What the password is compared with. */
  hash: string;
}

/** The file is not one of users; the message has the line. */
export class UsersError extends Error {
  override name = "UsersError";
}

/**
 * The users of a file.
 *
 * @throws {UsersError} a line is wrong
 */
export function parseUsers(text: string): Map<string, User> {
  const users = new Map<string, User>();
  text.split("\n").forEach((line, i) => {
    const at = `line ${i + 1}`;
    if (line.trim() === "" || line.startsWith("#")) return;
    const [name = "", role = "", hash = "", ...rest] = line.trim().split(":");
    if (!USER_NAME.test(name) || rest.length > 0) {
      throw new UsersError(`${at}: must be NAME:ROLE:HASH`);
    }
    if (role !== "viewer" && role !== "operator") {
      throw new UsersError(`${at}: the role must be viewer or operator`);
    }
    if (readHash(hash) === null) {
      throw new UsersError(
        `${at}: the hash is none; "ansible-worker web passwd ${name}" makes one`,
      );
    }
    if (users.has(name)) throw new UsersError(`${at}: ${name} is there twice`);
    users.set(name, { name, role, hash });
  });
  return users;
}

/** The text of a file with one user more, or changed. */
export function withUser(text: string, user: User): string {
  const line = `${user.name}:${user.role}:${user.hash}`;
  const lines = text.split("\n").filter((line) => line !== "");
  const at = lines.findIndex((line) => line.startsWith(`${user.name}:`));
  if (at >= 0) lines[at] = line;
  else lines.push(line);
  return `${lines.join("\n")}\n`;
}

/** The hash of a password. */
export async function hashOf(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password, { salt, ...COST });
  const { N, r, p } = COST;
  return ["scrypt", N, r, p, base64(salt), base64(key)].join("$");
}

/** Compared with where there is no such user: it takes as long. */
const NOBODY = `scrypt$${COST.N}$${COST.r}$${COST.p}$${
  base64(randomBytes(16))
}$${base64(randomBytes(KEY_BYTES))}`;

/**
 * Whether a password is that of a user, in the same time whether there is one or
 * not.
 */
export async function isPassword(
  password: string,
  user: User | undefined,
): Promise<boolean> {
  const { key, ...rest } = readHash(user?.hash ?? NOBODY)!;
  const derived = await derive(password, rest);
  return timingSafeEqual(derived, key) && user !== undefined;
}

interface Hash {
  N: number;
  r: number;
  p: number;
  salt: Buffer;
  key: Buffer;
}

function readHash(text: string): Hash | null {
  const [kind, ...parts] = text.split("$");
  const [N, r, p] = parts.slice(0, 3).map(Number) as [number, number, number];
  const [salt, key] = parts.slice(3).map((part) =>
    Buffer.from(part, "base64url")
  );
  const isOne = kind === "scrypt" && parts.length === 5 && N! > 1 &&
    Math.log2(N) % 1 === 0 && 128 * N * r < MAX_MEMORY && r >= 1 && p >= 1 &&
    p <= 16 && salt!.length >= 8 && key!.length === KEY_BYTES;
  return isOne ? { N, r, p, salt: salt!, key: key! } : null;
}

let underWay = 0;
const waiting: (() => void)[] = [];

async function derive(
  password: string,
  { salt, N, r, p }: Omit<Hash, "key">,
): Promise<Buffer> {
  if (underWay >= MAX_AT_ONCE) {
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else underWay++;
  try {
    return await new Promise((resolve, reject) =>
      scrypt(
        password.normalize("NFC"),
        salt,
        KEY_BYTES,
        { N, r, p, maxmem: MAX_MEMORY },
        (error, key) => error ? reject(error) : resolve(key as Buffer),
      )
    );
  } finally {
    const next = waiting.shift();
    if (next) next();
    else underWay--;
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

/** The users of a file, read again when it has changed. */
export class UsersFile {
  readonly #path: string;
  #read: { stamp: string; users: Map<string, User> } | null = null;

  /** It is not read yet. */
  constructor(path: string) {
    this.#path = path;
  }

  /**
   * The users, as they are now.
   *
   * @throws {UsersError} the file cannot be read, or is none of users
   */
  async users(): Promise<ReadonlyMap<string, User>> {
    try {
      const { mtime, size, ino } = await Deno.stat(this.#path);
      const stamp = `${mtime?.getTime()} ${size} ${ino}`;
      if (this.#read?.stamp !== stamp) {
        const text = await Deno.readTextFile(this.#path);
        this.#read = { stamp, users: parseUsers(text) };
      }
      return this.#read.users;
    } catch (error) {
      throw new UsersError(
        `Cannot use the users in "${this.#path}": ${(error as Error).message}`,
      );
    }
  }
}
