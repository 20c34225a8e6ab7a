/**
 * HTTP: from connections to requests and back. Who sends slowly, too much, or
 * over too many connections is cut off; who reads slowly holds up nobody else.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { close, listen, ListenError } from "../listening.ts";

/** How long a request may take to arrive, head and body, in milliseconds. */
const REQUEST_MS = 10_000;

/** How long a connection may be without a request, in milliseconds. */
const IDLE_MS = 5_000;

/** The largest head, in bytes. */
const MAX_HEAD_BYTES = 16 * 1024;

/** The largest body, in bytes: a request of 1 MiB as a form writes it. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;

/** So many connections at once; 500 of them may be streams. */
const MAX_CONNECTIONS = 1000;

/** How long an answer may stand still, in milliseconds. */
const ANSWER_MS = 60_000;

/** Answers a request that has come from an address. */
export type Handler = (
  request: Request,
  from: { peer: string },
) => Promise<Response> | Response;

/** A server that listens. */
export class HttpServer implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** The port, also where it was 0. */
  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /**
   * Listens.
   *
   * @throws {ListenError} it cannot
   */
  static async listen(
    address: { hostname: string; port: number },
    handler: Handler,
  ): Promise<HttpServer> {
    const server = createServer({
      headersTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: IDLE_MS,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: MAX_HEAD_BYTES,
    }, (incoming, response) => void answer(incoming, { response, handler }));
    server.maxConnections = MAX_CONNECTIONS;
    try {
      await listen(server, address);
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      const { hostname, port } = address;
      throw new ListenError(
        `Cannot listen on ${hostname}:${port}: ${error.message}`,
      );
    }
    return new HttpServer(server);
  }

  /** Closes it, and what is open. */
  async [Symbol.asyncDispose](): Promise<void> {
    await close(this.#server);
  }
}

async function answer(
  incoming: IncomingMessage,
  { response, handler }: { response: ServerResponse; handler: Handler },
): Promise<void> {
  const left = new AbortController();
  response.on("close", () => left.abort());
  response.on("error", () => left.abort());
  try {
    const request = await requestOf(incoming, left.signal);
    const answer = request instanceof Response
      ? request
      : await handler(request, {
        peer: incoming.socket.remoteAddress ?? "",
      });
    await send(answer, {
      response,
      isHead: incoming.method === "HEAD",
      signal: left.signal,
    });
  } catch {
    // The other side has left, or nothing can be said to it any more.
    response.destroy();
  }
}

/** The request; or the answer, where it is none that is read. */
async function requestOf(
  incoming: IncomingMessage,
  signal: AbortSignal,
): Promise<Request | Response> {
  const { method = "GET", url = "/", headers } = incoming;
  const refuse = (status: number, text: string) =>
    new Response(`${text}\n`, {
      status,
      headers: { "content-type": "text/plain", connection: "close" },
    });
  if (!url.startsWith("/") || url.startsWith("//")) {
    return refuse(400, "the path has to begin with one /");
  }
  const copied = new Headers();
  try {
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) copied.set(name, [value].flat().join(", "));
    }
  } catch {
    return refuse(400, "a header is not valid");
  }
  let body: Uint8Array<ArrayBuffer> | null = null;
  if (method !== "GET" && method !== "HEAD") {
    const pieces: Uint8Array[] = [];
    let size = 0;
    const tooLarge = () => refuse(413, "the request is too large");
    if (Number(headers["content-length"] ?? 0) > MAX_BODY_BYTES) {
      return tooLarge();
    }
    for await (const piece of incoming) {
      size += piece.length;
      if (size > MAX_BODY_BYTES) return tooLarge();
      pieces.push(piece);
    }
    body = new Uint8Array(Buffer.concat(pieces));
  }
  try {
    return new Request(new URL(url, "http://host"), {
      method,
      headers: copied,
      body,
      signal,
    });
  } catch {
    return refuse(400, "this is no request");
  }
}

async function send(
  answer: Response,
  { response, isHead, signal }: {
    response: ServerResponse;
    isHead: boolean;
    signal: AbortSignal;
  },
): Promise<void> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of answer.headers) headers[name] = value;
  const cookies = answer.headers.getSetCookie();
  if (cookies.length > 0) headers["set-cookie"] = cookies;
  const { body } = answer;
  const isStream = headers["content-type"] === "text/event-stream";
  if (!isStream) {
    response.setTimeout(ANSWER_MS, () => response.destroy());
  }
  if (body === null || isHead) {
    await body?.cancel();
    response.writeHead(answer.status, headers).end();
    return;
  }
  response.writeHead(answer.status, headers);
  const reader = body.getReader();
  // Also while it waits for something to be sent.
  signal.addEventListener("abort", () => void reader.cancel().catch(() => {}));
  for (;;) {
    const { done, value } = await reader.read();
    if (done || signal.aborted) break;
    if (response.write(value)) continue;
    await new Promise<void>((resolve) => {
      const go = () => {
        response.off("drain", go).off("close", go);
        resolve();
      };
      response.on("drain", go).on("close", go);
    });
  }
  response.end();
}
