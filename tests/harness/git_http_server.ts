/**
 * An HTTP server for git repositories: git's own CGI program behind Deno's, and
 * the large files of its extension LFS.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** Where a repository's large files are, behind its own address. */
const LFS = "/info/lfs/";

/** A running server. */
export class GitHttpServer implements AsyncDisposable {
  /** How many requests it has answered. */
  requests = 0;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #root: string;
  readonly #authorization: string | null;
  /** By their SHA-256. */
  readonly #largeFiles = new Map<string, Uint8Array<ArrayBuffer>>();

  /**
   * Serves the repositories of a directory.
   *
   * @param options.user who may read; all, if left out
   */
  constructor(
    root: string,
    options: { user?: { name: string; password: string } } = {},
  ) {
    this.#root = root;
    const { user } = options;
    this.#authorization = user
      ? `Basic ${btoa(`${user.name}:${user.password}`)}`
      : null;
    this.#server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      onListen() {},
    }, (request) => this.#answer(request));
  }

  /** Where a repository is. */
  url(name: string): string {
    return `http://127.0.0.1:${this.#server.addr.port}/${name}`;
  }

  /**
   * Keeps a large file for all its repositories.
   *
   * @returns what stands for it in a commit
   */
  addLargeFile(content: string): string {
    const bytes = new TextEncoder().encode(content);
    const id = createHash("sha256").update(bytes).digest("hex");
    this.#largeFiles.set(id, bytes);
    return `version https://git-lfs.github.com/spec/v1\noid sha256:${id}\nsize ${bytes.length}\n`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    this.requests++;
    const body = new Uint8Array(await request.arrayBuffer());
    if (
      this.#authorization !== null &&
      request.headers.get("authorization") !== this.#authorization
    ) {
      return new Response("who are you?", {
        status: 401,
        headers: { "www-authenticate": 'Basic realm="git"' },
      });
    }
    const { pathname, search } = new URL(request.url);
    if (pathname.includes(LFS)) return this.#answerForLargeFile(pathname, body);
    const child = new Deno.Command("git", {
      args: ["http-backend"],
      env: {
        GIT_PROJECT_ROOT: this.#root,
        GIT_HTTP_EXPORT_ALL: "1",
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers.get("content-type") ?? "",
        CONTENT_LENGTH: String(body.length),
        HTTP_CONTENT_ENCODING: request.headers.get("content-encoding") ?? "",
        GIT_PROTOCOL: request.headers.get("git-protocol") ?? "",
        REMOTE_ADDR: "127.0.0.1",
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const writer = child.stdin.getWriter();
    const written = writer.write(body).then(() => writer.close())
      .catch(() => {});
    const { stdout } = await child.output();
    await written;
    return answerOf(stdout);
  }

  /** Says where files are, in one batch, and gives them. */
  #answerForLargeFile(pathname: string, body: Uint8Array): Response {
    const [repository, name] = pathname.split(LFS) as [string, string];
    if (name !== "objects/batch") {
      const file = this.#largeFiles.get(name);
      return file ? new Response(file) : new Response(null, { status: 404 });
    }
    const { objects } = JSON.parse(new TextDecoder().decode(body)) as {
      objects: { oid: string; size: number }[];
    };
    const answer = objects.map((one) => ({
      ...one,
      actions: {
        download: { href: this.url(`${repository.slice(1)}${LFS}${one.oid}`) },
      },
    }));
    return new Response(
      JSON.stringify({ transfer: "basic", objects: answer }),
      { headers: { "content-type": "application/vnd.git-lfs+json" } },
    );
  }
}

/** An answer, as a CGI program writes it (RFC 3875, 6). */
function answerOf(written: Uint8Array): Response {
  const text = new TextDecoder("latin1").decode(written);
  const end = text.indexOf("\r\n\r\n");
  const headers = new Headers();
  let status = 200;
  for (const line of text.slice(0, Math.max(0, end)).split("\r\n")) {
    const [name, value] = line.split(/:\s*/, 2) as [string, string];
    if (name === "Status") status = Number(value.slice(0, 3));
    else headers.set(name, value);
  }
  return new Response(written.slice(end + 4) as BodyInit, { status, headers });
}
