/**
 * What all client commands have in common: the way to the group, and what is
 * said when there is none.
 *
 * @module
 */
import {
  ClientConnection,
  type ClientEvents,
  NoConnectionError,
} from "../client/connection.ts";
import { RequestError } from "../client/request.ts";
import { standardOutput, type Terminal } from "../client/terminal.ts";
import { type ClientFlags, loadClient } from "../config/client.ts";
import { ConfigError } from "../config/problems.ts";
import { harmless, harmlessLines } from "../harmless.ts";
import { KeyError } from "../messages/signed.ts";
import { Topics } from "../messages/topics.ts";
import { PublishError } from "../mqtt/mod.ts";
import { print } from "./output.ts";

/** A client's way to its group, and to whoever reads what it writes. */
export interface Client {
  /** The topics of the group. */
  topics: Topics;
  /** Standard output. */
  terminal: Terminal;
  /** Writes a text to standard output. */
  write(text: string): void;
  /** Settles when nobody reads standard output any more. */
  unread: Promise<void>;
  /** Writes a line to standard output. */
  out(line: string): void;
  /** Writes a line to standard error. */
  err(line: string): void;
  /** Connects. */
  connect(events: ClientEvents): Promise<ClientConnection>;
}

/** The exit codes of what is in the way of a command. */
export interface FailureCodes {
  /** What was given is wrong. */
  usage: number;
  /** The broker cannot be reached, or refuses. */
  connection: number;
}

/** What is said when the connection is lost. */
export function lostConnection(reason: string): string {
  return `no connection to the broker: ${reason}; trying again`;
}

/** Says a line on standard error. */
export function complain(line: string): void {
  print(Deno.stderr, `${line}\n`);
}

/**
 * Does what a client command does; returns its exit code.
 *
 * @param options.codes 1 if left out, as for a worker
 */
export async function withClient(
  flags: ClientFlags,
  { codes = { usage: 1, connection: 1 }, work }: {
    codes?: FailureCodes;
    work(client: Client): Promise<number>;
  },
): Promise<number> {
  const unread = Promise.withResolvers<void>();
  const write = (text: string) => {
    if (!print(Deno.stdout, text)) unread.resolve();
  };
  try {
    const { broker, group, prefix } = await loadClient(flags);
    return await work({
      topics: new Topics(prefix, group),
      terminal: standardOutput(write),
      write,
      unread: unread.promise,
      out: (line) => write(`${line}\n`),
      err: (line) => complain(harmless(line)),
      connect: (events) => ClientConnection.open(broker, events),
    });
  } catch (error) {
    const isUsage = error instanceof ConfigError || error instanceof KeyError ||
      error instanceof RequestError;
    const isConnection = error instanceof NoConnectionError ||
      error instanceof PublishError;
    if (!isUsage && !isConnection) throw error;
    complain(harmlessLines(error.message));
    return isUsage ? codes.usage : codes.connection;
  }
}
