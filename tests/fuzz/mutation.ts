/**
 * Inputs that are nearly valid: valid ones, changed in a few places.
 *
 * @module
 */
import fc from "fast-check";

/** What is tried, and how much of a run's cases it gets. */
export interface Target {
  name: string;
  /** Its part of all cases, in parts of 100. */
  share: number;
  /** What has to hold of every case. */
  property(): fc.IAsyncProperty<[unknown]>;
}

/** A property of one value, which the target need not name the type of. */
export function forEvery<T>(
  values: fc.Arbitrary<T>,
  holds: (value: T) => void | Promise<void>,
): fc.IAsyncProperty<[unknown]> {
  return fc.asyncProperty(
    values as fc.Arbitrary<unknown>,
    async (value) => await holds(value as T),
  );
}

interface Change {
  kind: "insert" | "delete" | "replace" | "double" | "swap";
  /** Where, as a part of the whole. */
  at: number;
  length: number;
  text: string;
}

/** Texts from these, each with up to six changes, some of them by a token. */
export function mutated(
  texts: fc.Arbitrary<string>,
  tokens: readonly string[],
): fc.Arbitrary<string> {
  const change: fc.Arbitrary<Change> = fc.record({
    kind: fc.constantFrom("insert", "delete", "replace", "double", "swap"),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.nat({ max: 12 }),
    text: fc.oneof(
      fc.constantFrom(...tokens),
      fc.string({ unit: "binary", maxLength: 4 }),
    ),
  });
  return fc.tuple(texts, fc.array(change, { maxLength: 6 })).map((
    [text, changes],
  ) => changes.reduce(apply, text));
}

function apply(
  text: string,
  { kind, at, length, text: other }: Change,
): string {
  const start = Math.floor(at * text.length);
  const [head, rest] = [text.slice(0, start), text.slice(start)];
  switch (kind) {
    case "insert":
      return head + other + rest;
    case "delete":
      return head + rest.slice(length);
    case "replace":
      return head + other + rest.slice(other.length);
    case "double":
      return head + rest.slice(0, length) + rest;
    case "swap":
      return rest + head;
  }
}

/** Bytes of these texts, in some of which bytes are others. */
export function bytesOf(texts: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array> {
  return fc.tuple(
    texts,
    fc.oneof(
      { arbitrary: fc.constant<[number, number][]>([]), weight: 4 },
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 2 }),
    ),
  ).map(([text, changes]) => {
    const bytes = new TextEncoder().encode(text);
    for (const [at, byte] of changes) {
      if (bytes.length > 0) bytes[at % bytes.length] = byte;
    }
    return bytes;
  });
}

/** Values of all kinds, the odd ones among them. */
export function anyValue(): fc.Arbitrary<unknown> {
  return fc.oneof(
    fc.constantFrom(
      null,
      "",
      -1,
      1e308,
      2 ** 53,
      0.1,
      true,
      "../x",
      "/etc/passwd",
      "@x",
      "{{ x }}",
      "\u0000",
      "\ud800",
      "é".repeat(5000),
    ),
    fc.jsonValue({ maxDepth: 3 }),
  );
}

/** Tokens of JSON, and what is odd in it. */
export const JSON_TOKENS: readonly string[] = [
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  ":",
  ",",
  "null",
  "1e999",
  "-0",
  "1".repeat(400),
  '"__proto__":',
  '"constructor":',
  "\\u0000",
  "\\ud800",
  "\ufeff",
  "\n",
  "[".repeat(300),
];
