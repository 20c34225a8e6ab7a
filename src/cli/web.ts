/**
 * `ansible-worker web`: the page, its users and a copy of its database.
 *
 * @module
 */
import { ConfigError, loadWeb, missing } from "../config/mod.ts";
import { Log } from "../log.ts";
import { KeyError } from "../messages/signed.ts";
import { ListenError } from "../listening.ts";
import type { Role } from "../web/model.ts";
import { Database, DatabaseError } from "../web/database.ts";
import { pages } from "../web/pages/mod.ts";
import {
  hashOf,
  MAX_PASSWORD,
  MIN_PASSWORD,
  parseUsers,
  USER_NAME,
  UsersError,
  withUser,
} from "../web/users.ts";
import { serve } from "../web/web.ts";
import { EXIT_CONFIGURATION } from "./exit_codes.ts";
import { isJournal } from "./journal.ts";
import { print } from "./output.ts";
import { sayDenied, warnOfOpenFiles } from "./start_log.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** What denied permissions mean in a compiled program. */
const OTHER_PROGRAM =
  "the permissions of a compiled program are in it: start ansible-worker-web, which lies beside the worker's program and has those of the page; one of your own has to be compiled again for a changed configuration";

/** Serves the page until a signal comes; returns the exit code. */
export async function web(file: string): Promise<number> {
  const place = await configuration(() => loadWeb(file));
  if (place === null) return EXIT_CONFIGURATION;
  const log = new Log({
    level: place.log.log_level,
    format: place.log.log_format,
    journal: isJournal(),
    write: (line) => print(Deno.stderr, `${line}\n`),
  });
  log.redact(place.secrets);
  const denied = await missing(place.needs);
  sayDenied(denied, { log, started: "the page" });
  if (denied.length > 0) {
    if (Deno.build.standalone) log.error(OTHER_PROGRAM);
    return EXIT_CONFIGURATION;
  }
  await warnOfOpenFiles(place.secretFiles, log);
  const stopped = Promise.withResolvers<null>();
  const stop = () => stopped.resolve(null);
  for (const signal of SIGNALS) Deno.addSignalListener(signal, stop);
  try {
    await using page = await serve(place, { log, pages });
    log.info(`the page is at ${page.url}`, {
      may: place.web.allow.join(" ") || "look only",
    });
    const error = await Promise.race([stopped.promise, page.failed]);
    if (error === null) {
      log.info("stopping");
      return 0;
    }
    log.error(`the page cannot go on: ${error.message}`);
    return 1;
  } catch (error) {
    if (
      error instanceof DatabaseError || error instanceof ListenError ||
      error instanceof KeyError || error instanceof UsersError
    ) {
      log.error(error.message);
      return EXIT_CONFIGURATION;
    }
    log.error("internal error; stopping", {
      error: error instanceof Error ? error.stack : error,
    });
    return 1;
  } finally {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, stop);
  }
}

/** Writes a copy of the database; returns the exit code. */
export async function backup(
  target: string,
  { config }: { config: string },
): Promise<number> {
  const place = await configuration(() =>
    loadWeb(config, { forThePage: false })
  );
  if (place === null) return 1;
  const { database: path } = place.web;
  try {
    await Deno.stat(path);
    using database = Database.open(path);
    await database.saveTo(target);
    await Deno.chmod(target, 0o600);
  } catch (error) {
    print(
      Deno.stderr,
      `Cannot copy "${path}" to "${target}": ${
        (error as Error).message
      }. To write there takes --allow-write for the copy and for the database\n`,
    );
    return 1;
  }
  print(Deno.stderr, `"${target}" is a copy of "${path}"\n`);
  return 0;
}

/** Adds a user, or gives one another password; returns the exit code. */
export async function passwd(
  name: string,
  { config, role }: { config: string; role: Role | undefined },
): Promise<number> {
  const place = await configuration(() =>
    loadWeb(config, { forThePage: false })
  );
  if (place === null) return 1;
  const fail = (text: string) => {
    print(Deno.stderr, `${text}\n`);
    return 1;
  };
  const { users: path } = place.web;
  if (path === undefined) {
    return fail(
      `web.users is not in "${config}": name the file there that the users are to be in`,
    );
  }
  if (!USER_NAME.test(name)) {
    return fail(
      "the name must be 1 to 64 characters of A-Z a-z 0-9 . _ @ + -",
    );
  }
  let text = "";
  let known: Role | undefined;
  try {
    text = await Deno.readTextFile(path);
    known = parseUsers(text).get(name)?.role;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      return fail(
        `Cannot use the users in "${path}": ${(error as Error).message}`,
      );
    }
  }
  const password = await readPassword(`Password for ${name}: `);
  if (password.length < MIN_PASSWORD || password.length > MAX_PASSWORD) {
    return fail(
      `the password must be ${MIN_PASSWORD} to ${MAX_PASSWORD} characters`,
    );
  }
  if (
    Deno.stdin.isTerminal() && await readPassword("Again: ") !== password
  ) return fail("the two are not the same; nothing was changed");
  const user = {
    name,
    role: role ?? known ?? "viewer",
    hash: await hashOf(password),
  };
  try {
    // In its place at once: whoever logs in meanwhile reads one or the other.
    const next = `${path}.new`;
    await Deno.writeTextFile(next, withUser(text, user), { mode: 0o600 });
    await keepOwner(path, next);
    await Deno.rename(next, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) {
      return fail(`Cannot write "${path}": ${(error as Error).message}`);
    }
    print(
      Deno.stderr,
      `Deno's sandbox lets this command write no file. Put this line into "${path}", in place of one for ${name}:\n`,
    );
    print(Deno.stdout, `${user.name}:${user.role}:${user.hash}\n`);
    return 0;
  }
  print(
    Deno.stderr,
    `${name} may log in as ${user.role}; the page has read it already, if it runs\n`,
  );
  return 0;
}

/** The new file is as the old one is: the page's user has to be able to read it. */
async function keepOwner(path: string, next: string): Promise<void> {
  const before = await Deno.stat(path).catch(() => null);
  if (!before) return;
  await Deno.chmod(next, before.mode! & 0o777);
  await Deno.chown(next, before.uid, before.gid).catch(() => {});
}

async function configuration<T>(load: () => Promise<T>): Promise<T | null> {
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    print(Deno.stderr, `${error.message}\n`);
    return null;
  }
}

/** A line from standard input, which a terminal does not show. */
async function readPassword(prompt: string): Promise<string> {
  const isTerminal = Deno.stdin.isTerminal();
  if (isTerminal) {
    print(Deno.stderr, prompt);
    Deno.stdin.setRaw(true, { cbreak: true });
  }
  try {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(1024);
    let text = "";
    for (;;) {
      const count = await Deno.stdin.read(buffer);
      if (count === null) break;
      for (
        const character of decoder.decode(buffer.subarray(0, count), {
          stream: true,
        })
      ) {
        if (character === "\n" || character === "\r") return text;
        // Backspace, as terminals send it.
        if (character === "\u007f" || character === "\b") {
          text = text.slice(0, -1);
        } else text += character;
      }
      if (text.length > MAX_PASSWORD) break;
    }
    return text;
  } finally {
    if (isTerminal) {
      Deno.stdin.setRaw(false);
      print(Deno.stderr, "\n");
    }
  }
}
