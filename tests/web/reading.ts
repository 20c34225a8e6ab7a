/**
 * Reading a page as a browser and a program do.
 *
 * @module
 */
import { within } from "../harness/waiting.ts";

/** An event of a stream. */
export interface StreamEvent {
  event: string;
  // deno-lint-ignore no-explicit-any
  data: any;
}

/** A stream of events that is read until it is disposed of. */
export class Stream implements AsyncDisposable {
  readonly events: StreamEvent[] = [];
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #reading: Promise<void>;
  readonly #listeners = new Set<() => void>();

  private constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.getReader();
    this.#reading = this.#read();
  }

  static async open(url: string, init: RequestInit = {}): Promise<Stream> {
    const response = await fetch(url, init);
    if (!response.ok) throw new Error(await response.text());
    return new Stream(response.body!);
  }

  /** The first event that fits, past or to come. */
  async event(
    what: string,
    fits: (event: StreamEvent) => boolean,
  ): Promise<StreamEvent> {
    const found = Promise.withResolvers<StreamEvent>();
    const look = () => {
      const event = this.events.find(fits);
      if (event) found.resolve(event);
    };
    this.#listeners.add(look);
    look();
    return await within(what, found.promise).finally(() =>
      this.#listeners.delete(look)
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.cancel();
    await this.#reading;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      for (let end; (end = text.indexOf("\n\n")) >= 0;) {
        const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(
          text.slice(0, end),
        )!;
        this.events.push({ event: event!, data: JSON.parse(data!) });
        text = text.slice(end + 2);
      }
      for (const look of [...this.#listeners]) look();
    }
  }
}

/** Asks for JSON. */
// deno-lint-ignore no-explicit-any
export async function json(url: string, init: RequestInit = {}): Promise<any> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text}`);
  return JSON.parse(text);
}

/** Posts JSON, as a program does. */
export function posted(body: unknown, headers: HeadersInit = {}): RequestInit {
  return {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  };
}

/** Posts a form, as a page of that origin does. */
export function form(
  origin: string,
  values: Record<string, string>,
  headers: HeadersInit = {},
): RequestInit {
  return {
    method: "POST",
    redirect: "manual",
    headers: {
      origin: new URL(origin).origin,
      accept: "text/html",
      ...headers,
    },
    body: new URLSearchParams(values),
  };
}
