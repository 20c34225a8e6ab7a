/**
 * The kinds of values that a configuration has, and the messages for what does not fit.
 *
 * @module
 */
import { isIP } from "node:net";
import { z } from "zod";
import { GIT_NAME, MAX_GIT_NAME } from "../messages/revision.ts";

/** A whole number; also one in quotes, since `${…}` gives texts only. */
export function whole(min: number, max: number) {
  const message = `must be a whole number of at least ${min}`;
  return z.preprocess(
    numberFromText,
    z.int(message).min(min, message)
      .max(max, `must be a whole number of at most ${max}`),
  );
}

/** Seconds, fractions allowed; also in quotes. */
export function seconds(min: number, max: number) {
  const message = `must be a number of seconds of at least ${min}`;
  return z.preprocess(
    numberFromText,
    z.number(message).min(min, message)
      .max(max, `must be a number of seconds of at most ${max}`),
  );
}

/** True or false; also in quotes. */
export function flag() {
  return z.preprocess(flagFromText, z.boolean("must be true or false"));
}

function numberFromText(value: unknown): unknown {
  return typeof value === "string" && /^\s*\d+(\.\d+)?\s*$/.test(value)
    ? Number(value)
    : value;
}

/** What `flag()` makes of a value before it looks at it. */
export function flagFromText(value: unknown): unknown {
  const text = typeof value === "string" ? value.trim() : value;
  return text === "true" ? true : text === "false" ? false : value;
}

/** A text that says something. */
export function text() {
  return z.string({
    error: ({ input }) =>
      typeof input === "number" || typeof input === "boolean"
        ? "must be a string; put it in quotes"
        : "must be a string",
  }).min(1, "must not be empty");
}

/** One level of a topic, and part of a client id. */
export function topicLevel() {
  return text().max(64, "must be at most 64 characters").regex(
    /^[A-Za-z0-9._:@~-]+$/,
    "must be of A-Z a-z 0-9 . _ : @ ~ - only, since it is one topic level",
  );
}

/** Several levels of a topic. */
export function topicPrefix() {
  return text().max(200, "must be at most 200 characters").regex(
    /^(?!\$)[^/+#\p{Cc}\p{Cs}]+(\/[^/+#\p{Cc}\p{Cs}]+)*$/u,
    "must be topic levels with / between them, none empty, without + and #, and not begin with $",
  );
}

/** The name of a host, or its address. */
export function host() {
  return text().regex(
    /^([^\s:/@[\]]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\w+)?)$/,
    "must be only the name or the address of the broker: no mqtt://, no user, no port, no brackets",
  );
}

/**
 * Where to listen: an address, or none for all IPv4 addresses, and a port. No
 * name: what it stands for would have to be allowed, too.
 */
export function listenAddress() {
  const message =
    "must be an address and a port, such as 127.0.0.1:9464, [::1]:9464, or :9464 for all IPv4 addresses";
  return z.string(message).regex(LISTEN, message)
    .refine((text) => addressOf(text) !== null, message);
}

const LISTEN =
  /^(?:(\d{1,3}(?:\.\d{1,3}){3})?|\[([0-9A-Fa-f:.]+)\]):(\d{1,5})$/;

/** The parts of a `listenAddress()`; null for what is none. */
export function addressOf(
  text: string,
): { hostname: string; port: number } | null {
  const [, v4, v6, digits] = LISTEN.exec(text) ?? [];
  const port = Number(digits);
  if (!(port >= 1 && port <= 65_535)) return null;
  const hostname = v6 ?? v4 ?? "0.0.0.0";
  return isIP(hostname) === (v6 ? 6 : 4) ? { hostname, port } : null;
}

/** One of some names. */
export function oneOf<const T extends readonly [string, ...string[]]>(
  names: T,
) {
  return z.enum(names, `must be one of ${names.join(", ")}`);
}

/** The name of a variable, of Ansible's or of the environment. */
export function variableName() {
  return text().regex(
    /^[A-Za-z_][A-Za-z0-9_]*$/,
    "must be the name of a variable: letters, digits and _",
  );
}

/** A branch, a tag or a commit. */
export function gitName() {
  return text().max(MAX_GIT_NAME, `must be at most ${MAX_GIT_NAME} characters`)
    .regex(GIT_NAME, "must be the name of a branch or a tag, or a commit");
}
