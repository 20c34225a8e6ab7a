/**
 * The page: its session, its database and its server, from the start to the end.
 *
 * Released in reverse order: no more requests are answered, then the streams
 * end, then the session at the broker rests, and what was received is written
 * down; then the database is closed.
 *
 * @module
 */
import { MessageSigner } from "../client/signer.ts";
import type { WebPlace } from "../config/mod.ts";
import type { Log } from "../log.ts";
import { Topics } from "../messages/topics.ts";
import { Access } from "./access.ts";
import { Audit } from "./audit.ts";
import { Database } from "./database.ts";
import { HttpServer } from "./http.ts";
import { Ingest } from "./ingest.ts";
import { Live } from "./live.ts";
import type { Pages } from "./pages.ts";
import { Pruning } from "./pruning.ts";
import { Recorder } from "./recorder.ts";
import { Requests } from "./requests.ts";
import { serverOf } from "./server.ts";
import { Sessions } from "./sessions.ts";
import { Store } from "./store.ts";
import { UsersFile } from "./users.ts";
import { whyWaiting } from "./workers.ts";

/** A page that is served. */
export interface Web extends AsyncDisposable {
  /** Where it is, for people. */
  url: string;
  /** Settles if it cannot go on, with the reason. */
  failed: Promise<Error>;
}

/**
 * Begins to serve.
 *
 * @throws {DatabaseError} the database cannot be used
 * @throws {ListenError} the address cannot be listened on
 * @throws {KeyError} the signing key cannot be used
 * @throws {UsersError} the users' file cannot be used
 */
export async function serve(
  place: WebPlace,
  { log, pages }: { log: Log; pages: Pages },
): Promise<Web> {
  const { web } = place;
  await using stack = new AsyncDisposableStack();
  const topics = new Topics(place.prefix, place.group);
  const signer = await MessageSigner.read(web.signing_key, "web.signing_key");
  const users = web.users === undefined ? null : new UsersFile(web.users);
  await users?.users();
  const database = stack.use(Database.open(web.database));
  const store = new Store(database);
  const failed = Promise.withResolvers<Error>();
  let since = new Date().toISOString();
  const live = stack.use(
    new Live(store, {
      summary: () => {
        const { running, queued } = store.totals();
        return {
          running,
          queued,
          failedToday: store.failedToday(),
          isConnected: ingest.isConnected,
        };
      },
      workers: () =>
        ingest.view.workers().map((presence) => ({
          ...presence,
          load: ingest.view.loads.get(presence.worker_id) ?? null,
        })),
    }),
  );
  const recorder = new Recorder(database, {
    onCommit: (kept) => live.kept(kept),
    onFailure: (error) => failed.resolve(error as Error),
  });
  stack.use(
    new Pruning(database, {
      keepDays: web.keep_days,
      keepBytes: web.keep_bytes,
      onRemoved: (removed) => {
        log.info("old tasks were removed", { tasks: removed });
        live.boardsChanged();
      },
      onFailure: (error) => failed.resolve(error as Error),
    }),
  );
  const audit = new Audit(database, log);
  const ingest: Ingest = stack.use(
    new Ingest({
      broker: place.broker,
      topics,
      database,
      recorder,
      log,
      onWorkers: () => live.workersChanged(),
      onConnection: () => {
        since = new Date().toISOString();
        live.boardsChanged();
      },
      onStatus: (status) => requests.onStatus(status),
      onRejected: (rejected) => requests.onRejected(rejected),
    }),
  );
  const requests = new Requests({
    topics,
    signer,
    channel: ingest,
    audit,
    whyWaiting: () => whyWaiting(ingest.view),
  });
  const server = stack.use(
    await HttpServer.listen(
      web.address,
      serverOf({
        web,
        group: topics.group,
        log,
        pages,
        access: new Access({
          web,
          users,
          sessions: new Sessions(database),
          audit,
        }),
        store,
        view: ingest.view,
        live,
        requests,
        connection: () => ({ isConnected: ingest.isConnected, since }),
      }),
    ),
  );
  ingest.connect().catch((error) => failed.resolve(error));
  const all = stack.move();
  return {
    url: urlOf(web.address.hostname, { port: server.port, base: web.base }),
    failed: failed.promise,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** An address that can be opened from this host. */
function urlOf(
  hostname: string,
  { port, base }: { port: number; base: string },
): string {
  const host = hostname === "0.0.0.0"
    ? "127.0.0.1"
    : hostname === "::"
    ? "[::1]"
    : hostname.includes(":")
    ? `[${hostname}]`
    : hostname;
  return `http://${host}:${port}${base}/`;
}
