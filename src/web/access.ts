/**
 * Who asks, and whether it is from a page of ours.
 *
 * There are three ways to be somebody: nobody has to log in, on loopback alone;
 * a user of the file, by a session's cookie or, for `/api/`, by the name and
 * password of HTTP's basic authentication; or whoever a trusted proxy says.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { isIP } from "node:net";
import type { WebPlace } from "../config/mod.ts";
import { Attempts } from "./attempts.ts";
import type { Asker, Audit } from "./audit.ts";
import type { Role, Viewer } from "./model.ts";
import { SESSION_SECONDS, type Sessions } from "./sessions.ts";
import {
  isPassword,
  MAX_PASSWORD,
  type User,
  type UsersFile,
} from "./users.ts";

/** Wrong passwords within five minutes, from one address and for one name. */
const MAX_WRONG_BY_ADDRESS = 10;
const MAX_WRONG_BY_NAME = 50;

/** How long a right password of basic authentication is remembered, in ms. */
const REMEMBER_MS = 5 * 60_000;

/** Of these, so many. */
const MAX_REMEMBERED = 100;

/** Somebody who may look, or why not. */
export type Visitor =
  | { viewer: Viewer; asker: Asker; token: string | null }
  | { refused: 401 | 403 | 429; detail: string; retryAfter?: number };

/** What came of a password. */
export type LoginResult =
  | { user: User }
  | { wrong: true }
  | { wait: number };

/** Who asks. */
export class Access {
  readonly #web: WebPlace["web"];
  readonly #users: UsersFile | null;
  readonly #sessions: Sessions;
  readonly #audit: Audit;
  readonly #byAddress = new Attempts(MAX_WRONG_BY_ADDRESS);
  readonly #byName = new Attempts(MAX_WRONG_BY_NAME);
  readonly #remembered = new Map<string, { user: User; until: number }>();

  /** Nobody has come yet. */
  constructor(options: {
    web: WebPlace["web"];
    users: UsersFile | null;
    sessions: Sessions;
    audit: Audit;
  }) {
    this.#web = options.web;
    this.#users = options.users;
    this.#sessions = options.sessions;
    this.#audit = options.audit;
  }

  /** Whether people log in here. */
  get hasUsers(): boolean {
    return this.#users !== null;
  }

  /**
   * Who asks.
   *
   * @param options.peer the address that the connection comes from
   * @throws {UsersError} the users' file cannot be used
   */
  async visitor(
    request: Request,
    { peer, isApi }: { peer: string; isApi: boolean },
  ): Promise<Visitor> {
    const { trusted_proxy: proxy } = this.#web;
    const address = clientAddress(request, peer);
    if (proxy) {
      if (!isSameAddress(peer, proxy.address)) {
        return { refused: 403, detail: "Only the proxy may ask here." };
      }
      const name = request.headers.get(proxy.user_header)?.trim() ?? "";
      if (name === "") {
        return {
          refused: 401,
          detail: "The proxy does not say who you are: log in there.",
        };
      }
      const role = proxy.role_header === undefined
        ? ""
        : request.headers.get(proxy.role_header)?.trim();
      return this.#let({
        name: name.slice(0, 200),
        role: role === "operator" ? "operator" : "viewer",
        address,
        token: null,
      });
    }
    if (this.#users === null) {
      // Otherwise a page of somebody else, whose name is made to stand for this
      // address, could read here what it likes.
      if (!isLoopbackHost(request.headers.get("host") ?? "")) {
        return {
          refused: 403,
          detail:
            "Without users this page is there for this host alone, as http://127.0.0.1 or http://localhost.",
        };
      }
      return this.#let({ name: null, role: "operator", address, token: null });
    }
    const users = await this.#users.users();
    for (const token of tokensOf(request)) {
      const user = this.#sessions.userOf(token, users);
      if (user) return this.#let({ ...user, address, token });
    }
    const basic = isApi ? basicOf(request) : null;
    if (basic === null) return { refused: 401, detail: "Log in first." };
    const result = await this.#logInOnce(basic, { users, address });
    if ("user" in result) {
      return this.#let({ ...result.user, address, token: null });
    }
    return "wait" in result
      ? {
        refused: 429,
        detail: "There were too many wrong passwords.",
        retryAfter: result.wait,
      }
      : { refused: 401, detail: "The name or the password is wrong." };
  }

  /**
   * Whether a name and a password are a user's.
   *
   * @throws {UsersError} the users' file cannot be used
   */
  async logIn(
    { name, password }: { name: string; password: string },
    { address }: { address: string },
  ): Promise<LoginResult> {
    const users = await this.#users?.users() ?? new Map<string, User>();
    const wait = Math.max(
      this.#byAddress.wait(address),
      this.#byName.wait(name),
    );
    if (wait > 0) return { wait };
    this.#byAddress.begin(address);
    this.#byName.begin(name);
    const user = users.get(name);
    const asker = { name: name.slice(0, 64), address };
    if (password.length > MAX_PASSWORD || !await isPassword(password, user)) {
      this.#audit.note("log in refused", { asker });
      return { wrong: true };
    }
    this.#byAddress.right(address);
    this.#byName.right(name);
    return { user: user! };
  }

  /** Begins a session; returns the cookie. */
  begin(
    user: User,
    { request, address }: { request: Request; address: string },
  ): string {
    this.#audit.note("log in", { asker: { name: user.name, address } });
    return this.#cookie(request, {
      token: this.#sessions.begin(user),
      seconds: SESSION_SECONDS,
    });
  }

  /** Ends a session; returns the cookie that removes it. */
  end(
    token: string | null,
    { request, asker }: { request: Request; asker: Asker },
  ): string {
    if (token !== null) {
      this.#sessions.end(token);
      this.#audit.note("log out", { asker });
    }
    return this.#cookie(request, { token: "", seconds: 0 });
  }

  /** What comes with every request of a script costs a hash once. */
  async #logInOnce(
    basic: { name: string; password: string },
    { users, address }: { users: ReadonlyMap<string, User>; address: string },
  ): Promise<LoginResult> {
    const now = Date.now();
    const key = createHash("sha256").update(
      JSON.stringify([SALT, basic.name, basic.password]),
    ).digest("base64");
    const known = this.#remembered.get(key);
    if (
      known && known.until > now &&
      users.get(basic.name)?.hash === known.user.hash
    ) return { user: users.get(basic.name)! };
    const result = await this.logIn(basic, { address });
    if ("user" in result) {
      this.#remembered.set(key, { ...result, until: now + REMEMBER_MS });
      if (this.#remembered.size > MAX_REMEMBERED) {
        this.#remembered.delete(this.#remembered.keys().next().value!);
      }
    }
    return result;
  }

  #let({ name, role, address, token }: {
    name: string | null;
    role: Role;
    address: string;
    token: string | null;
  }): Visitor {
    const may = (action: "cancel" | "submit") =>
      role === "operator" && this.#web.allow.includes(action);
    return {
      viewer: {
        name,
        role,
        may: { cancel: may("cancel"), submit: may("submit") },
        canLogOut: token !== null,
      },
      asker: { name, address },
      token,
    };
  }

  #cookie(
    request: Request,
    { token, seconds }: { token: string; seconds: number },
  ): string {
    const isSecure = request.headers.get("x-forwarded-proto") === "https";
    return [
      `${isSecure ? SECURE_COOKIE : PLAIN_COOKIE}=${token}`,
      // A cookie whose name begins with __Host- is for all paths.
      `Path=${isSecure ? "/" : this.#web.base || "/"}`,
      "HttpOnly",
      "SameSite=Lax",
      `Max-Age=${seconds}`,
      ...(isSecure ? ["Secure"] : []),
    ].join("; ");
  }
}

const SECURE_COOKIE = "__Host-ansible-worker";
const PLAIN_COOKIE = "ansible-worker";

/** Makes the keys of remembered passwords of no use elsewhere. */
const SALT = crypto.randomUUID();

function tokensOf(request: Request): string[] {
  const tokens: string[] = [];
  for (const pair of (request.headers.get("cookie") ?? "").split(";")) {
    const [, name, value] = /^\s*([^=]+)=([A-Za-z0-9_-]{43})\s*$/.exec(pair) ??
      [];
    if (name === SECURE_COOKIE || name === PLAIN_COOKIE) tokens.push(value!);
  }
  return tokens.slice(0, 4);
}

function basicOf(
  request: Request,
): { name: string; password: string } | null {
  const [, encoded] = /^Basic ([A-Za-z0-9+/=]{1,4096})$/i.exec(
    request.headers.get("authorization") ?? "",
  ) ?? [];
  if (encoded === undefined) return null;
  try {
    const text = new TextDecoder().decode(Uint8Array.fromBase64(encoded));
    const at = text.indexOf(":");
    return at < 0
      ? null
      : { name: text.slice(0, at), password: text.slice(at + 1) };
  } catch {
    return null;
  }
}

/**
 * Where a request comes from: for one that a proxy on this host passes on, the
 * address that the proxy says.
 */
export function clientAddress(request: Request, peer: string): string {
  const last = request.headers.get("x-forwarded-for")?.split(",").at(-1)
    ?.trim() ?? "";
  return isLoopback(peer) && isIP(last) !== 0 ? last : peer;
}

/**
 * Whether what changes something comes from a page of ours, or from a program
 * and no page at all. A browser says where a request comes from, and lets no page
 * say something else: by `Sec-Fetch-Site`, and over plain HTTP by `Origin`.
 */
export function isOurs(request: Request): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null) return site === "same-origin";
  const origin = request.headers.get("origin");
  if (origin === null) {
    // No page can send this type elsewhere without asking first.
    return /^application\/json\b/i.test(
      request.headers.get("content-type") ?? "",
    );
  }
  const host = request.headers.get("host");
  return host !== null &&
    ["http:", "https:"].some((scheme) => origin === `${scheme}//${host}`);
}

function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:/, "");
  return plain === "::1" || plain.startsWith("127.");
}

function isSameAddress(a: string, b: string): boolean {
  const plain = (address: string) =>
    new URL(
      address.includes(":") && !address.startsWith("::ffff:")
        ? `http://[${address}]`
        : `http://${address.replace(/^::ffff:/, "")}`,
    ).hostname;
  try {
    return plain(a) === plain(b);
  } catch {
    return false;
  }
}

function isLoopbackHost(host: string): boolean {
  const name = host.replace(/:\d+$/, "");
  return name === "localhost" || name === "[::1]" ||
    /^127(\.\d{1,3}){3}$/.test(name);
}
