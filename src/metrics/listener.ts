/**
 * The HTTP listener for metrics and health.
 *
 * It answers GET and HEAD on the paths that it is given, and nothing else. What
 * one can ask of it is bounded, since who can reach the port need not be a
 * friend: so many connections at once, each for one request, whose head must be
 * there in time and whose body is not read.
 *
 * @module
 */
import { createServer, type ServerResponse } from "node:http";
import { close, listen } from "../listening.ts";

/** Connections at once; what is more is closed. */
const MAX_CONNECTIONS = 32;

/** How long the head of a request may take, in milliseconds. */
const HEAD_TIMEOUT_MS = 5000;

/** The largest head of a request, in bytes. */
const MAX_HEAD_BYTES = 8192;

/** How long an answer may take on its way, in milliseconds. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Where to listen. */
export interface Address {
  /** An IPv4 or IPv6 address, without brackets. */
  hostname: string;
  /** The TCP port. */
  port: number;
}

/** The answer on a path. */
export interface Answer {
  /** The HTTP status. */
  status: number;
  /** The media type. */
  type: string;
  /** The body. */
  text: string;
}

/** A path's answer, made anew for each request. */
export type Page = () => Answer | Promise<Answer>;

/** A listener that is there until it is closed. */
export class HttpListener implements AsyncDisposable {
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
  }

  /**
   * Listens.
   *
   * @param pages by their paths
   * @throws {ListenError} the port is taken, or the address is not this host's
   */
  static async open(
    address: Address,
    pages: ReadonlyMap<string, Page>,
  ): Promise<HttpListener> {
    const server = createServer({
      headersTimeout: HEAD_TIMEOUT_MS,
      requestTimeout: HEAD_TIMEOUT_MS,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: MAX_HEAD_BYTES,
    }, ({ method, url }, response) => {
      response.setTimeout(ANSWER_TIMEOUT_MS, () => response.destroy());
      void answer(response, { method, page: pages.get(pathOf(url)) });
    });
    server.maxConnections = MAX_CONNECTIONS;
    await listen(server, address);
    return new HttpListener(server);
  }

  /** Closes it, and what is open. */
  async [Symbol.asyncDispose](): Promise<void> {
    await close(this.#server);
  }
}

async function answer(
  response: ServerResponse,
  { method, page }: {
    method: string | undefined;
    page: Page | undefined;
  },
): Promise<void> {
  const { status, type, text } = await answerTo(method, page);
  const body = new TextEncoder().encode(text);
  response.writeHead(status, {
    "content-type": type,
    "content-length": body.length,
    "cache-control": "no-store",
    connection: "close",
    ...(status === 405 && { allow: "GET, HEAD" }),
  });
  response.end(method === "HEAD" ? undefined : body);
}

async function answerTo(
  method: string | undefined,
  page: Page | undefined,
): Promise<Answer> {
  const plain = (status: number, text: string): Answer => ({
    status,
    type: "text/plain; charset=utf-8",
    text: `${text}\n`,
  });
  if (!page) return plain(404, "not found; there are /metrics and /health");
  if (method !== "GET" && method !== "HEAD") {
    return plain(405, "only GET and HEAD are answered");
  }
  try {
    return await page();
  } catch {
    return plain(500, "the worker could not answer");
  }
}

function pathOf(url = ""): string {
  return url.split("?", 1)[0]!;
}
