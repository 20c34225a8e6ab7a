/**
 * Those who have logged in, by a token that only their browser has: what is kept
 * is a hash of it. A session ends after a time, or when its user logs out, gets
 * another password, or is no user any more.
 *
 * @module
 */
import { createHash, randomBytes } from "node:crypto";
import type { Database } from "./database.ts";
import type { User } from "./users.ts";

/** How long a session lasts, in seconds. */
export const SESSION_SECONDS = 12 * 3600;

/** The sessions. */
export class Sessions {
  readonly #database: Database;

  /** Those of earlier processes go on. */
  constructor(database: Database) {
    this.#database = database;
  }

  /** Begins one; returns its token. */
  begin(user: User, now = Date.now()): string {
    this.#database.run("DELETE FROM sessions WHERE expires_at < ?", now);
    const token = randomBytes(32).toString("base64url");
    this.#database.run(
      "INSERT INTO sessions VALUES (?, ?, ?, ?)",
      hash(token),
      user.name,
      hash(user.hash),
      now + SESSION_SECONDS * 1000,
    );
    return token;
  }

  /** Whose session it is; null for none. */
  userOf(
    token: string,
    users: ReadonlyMap<string, User>,
    now = Date.now(),
  ): User | null {
    const session = this.#database.get<{ name: string; password: string }>(
      "SELECT name, password FROM sessions WHERE hash = ? AND expires_at > ?",
      hash(token),
      now,
    );
    const user = users.get(session?.name ?? "");
    return user && hash(user.hash) === session?.password ? user : null;
  }

  /** Ends one. */
  end(token: string): void {
    this.#database.run("DELETE FROM sessions WHERE hash = ?", hash(token));
  }
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
