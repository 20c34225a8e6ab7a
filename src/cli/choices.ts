/**
 * What may be chosen from on the command line: known before what a command does
 * is loaded.
 *
 * @module
 */
import type { MessageName } from "../messages/schemas.ts";

/** What a schema can be had of. */
export const SUBJECTS = Object.keys(
  {
    request: true,
    cancel: true,
    status: true,
    event: true,
    output: true,
    rejected: true,
    presence: true,
    load: true,
    lock: true,
    config: true,
    asyncapi: true,
  } satisfies Record<MessageName | "config" | "asyncapi", true>,
);

/** Whose permissions can be had: each is a program of its own. */
export const PROGRAMS = ["worker", "web"] as const;

/** The forms in which permissions can be had. */
export const FORMATS = ["flags", "systemd", "deno", "compile"] as const;

/** The shells that there are completions for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
