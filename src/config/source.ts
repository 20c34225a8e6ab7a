/**
 * The text of a configuration as YAML nodes, which know their places.
 *
 * @module
 */
import {
  type Document,
  type ErrorCode,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from "yaml";
import { expand, VariableError, type Variables } from "./expand.ts";

/** Something that is wrong at one place of the text. */
export interface SourceProblem {
  /** Where, as an offset into the text. */
  offset: number;
  /** The key that it is about, as `section.key`; empty for none. */
  key: string;
  /** What is wrong, and what to do. */
  message: string;
}

const MISSING =
  "something is missing here, such as the `: ` after a key, or a quote or bracket that closes";

/**
 * The messages for text that is not YAML. The parser's own messages quote the
 * text, which may be a password.
 */
const SYNTAX: Partial<Record<ErrorCode, string>> = {
  BAD_DQ_ESCAPE:
    'has an unknown \\ escape; in single quotes a \\ is only a \\ (in "…" write \\\\)',
  BAD_SCALAR_START:
    "a value cannot begin with this character; put the value in quotes",
  BLOCK_AS_IMPLICIT_KEY:
    "has a second `: ` in one line; put the value in quotes",
  BAD_INDENT:
    "is not indented like what it belongs to, or a bracket or quote above it does not close",
  MULTIPLE_DOCS: "must be one YAML document; remove the ---",
  TAB_AS_INDENT: "must be indented with spaces, not with tabs",
  MISSING_CHAR: MISSING,
  MULTILINE_IMPLICIT_KEY: MISSING,
  TAG_RESOLVE_FAILED: "must not have a tag (!…); put a text in quotes",
};

/** A configuration as it was written. */
export class ConfigSource {
  /** What is not YAML, or not what a configuration is made of. */
  readonly problems: SourceProblem[] = [];
  /** Whether the rest makes no sense because the text is not YAML. */
  readonly isBroken: boolean;
  readonly #document: Document;
  /** Values that were filled in from variables. */
  readonly #filledIn = new Set<unknown>();
  readonly #lines = new LineCounter();

  /** Parses the text; does not throw. */
  constructor(text: string) {
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      logLevel: "error",
      prettyErrors: false,
    });
    const { errors, warnings } = this.#document;
    for (const { code, pos: [offset] } of [...errors, ...warnings]) {
      this.problems.push(
        code === "DUPLICATE_KEY"
          ? { offset, key: this.#keyAt(offset), message: "is given twice" }
          : {
            offset,
            key: "",
            message: SYNTAX[code] ?? "is not YAML from here on",
          },
      );
    }
    this.isBroken = errors.some(({ code }) => code !== "DUPLICATE_KEY");
  }

  /**
   * Expands the variables in all values, so that what a variable contains can
   * never become YAML; and finds aliases, which a configuration has no use for.
   */
  expand(variables: Variables): void {
    visit(this.#document, {
      Alias: (_, { range }, ancestors) => {
        this.problems.push({
          offset: range?.[0] ?? 0,
          key: nameOf(ancestors),
          message: "must not be an alias (*name); put a text in quotes",
        });
        // Left in, it would be resolved, or fail to be.
        return this.#document.createNode("");
      },
      Scalar: (key, node, ancestors) => {
        if (key === "key" || typeof node.value !== "string") return;
        try {
          const text = node.value;
          node.value = expand(text, variables);
          if (node.value !== text) this.#filledIn.add(node);
        } catch (error) {
          if (!(error instanceof VariableError)) throw error;
          this.problems.push({
            offset: node.range?.[0] ?? 0,
            key: nameOf(ancestors),
            message: error.message,
          });
        }
      },
    });
  }

  /** Forgets every section but these, and every key of them but the named. */
  keepOnly(sections: Record<string, readonly string[] | "all">): void {
    const keep = (node: unknown, wanted: (name: string) => boolean) => {
      if (!isMap(node)) return;
      node.items = node.items.filter(({ key }) =>
        wanted(String(isScalar(key) ? key.value : key))
      );
    };
    keep(this.#document.contents, (name) => Object.hasOwn(sections, name));
    for (const [name, keys] of Object.entries(sections)) {
      if (keys === "all") continue;
      keep(this.#document.get(name), (key) => keys.includes(key));
    }
  }

  /** The values, as plain objects. */
  toValue(): unknown {
    return this.#document.toJS() ?? {};
  }

  /** Whether a value is written in the text itself, and not in a variable. */
  isWritten(path: readonly string[]): boolean {
    const node = this.#document.getIn(path, true);
    return isScalar(node) && typeof node.value === "string" &&
      !this.#filledIn.has(node);
  }

  /** A place in the way people and editors count, from 1. */
  place(offset: number): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(offset);
    // The counter has no first line where there is no text.
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  /**
   * The place of a value; where there is none, its section, since that is where
   * to write it.
   *
   * @param options.key the place of the key instead of its value
   */
  offsetOf(path: readonly PropertyKey[], options = { key: false }): number {
    let node: unknown = this.#document.contents;
    let offset = 0;
    for (const [depth, name] of path.entries()) {
      if (isSeq(node) && typeof name === "number") {
        node = node.items[name];
        offset = (node as Node | undefined)?.range?.[0] ?? offset;
        continue;
      }
      if (!isMap(node)) break;
      const pair = node.items.find(({ key }) =>
        String(isScalar(key) ? key.value : key) === name
      );
      if (!pair) break;
      const key = pair.key as Node;
      const value = pair.value as Node | null;
      const wantsKey = isMap(value) || options.key && depth === path.length - 1;
      offset = (wantsKey ? null : value)?.range?.[0] ?? key.range?.[0] ??
        offset;
      node = value;
    }
    return offset;
  }

  #keyAt(offset: number): string {
    let name = "";
    visit(this.#document, {
      Pair(_, pair, ancestors) {
        if ((pair.key as Node | null)?.range?.[0] !== offset) return;
        name = nameOf([...ancestors, pair]);
        return visit.BREAK;
      },
    });
    return name;
  }
}

/** The keys above a node, as `section.key`. */
function nameOf(ancestors: readonly unknown[]): string {
  return ancestors.filter(isPair).map(({ key }) =>
    showKey(isScalar(key) ? String(key.value) : "?")
  ).join(".");
}

/**
 * A key in a message. What does not look like one is not shown: where the space
 * after `password:` was forgotten, the password is part of the key.
 */
export function showKey(key: string): string {
  return /^[A-Za-z0-9_-]{1,40}$/.test(key) ? key : "?";
}
