/**
 * Extra variables as they are given to `-e`: the ways of ansible-playbook.
 *
 * @module
 */
import { isScalar, parseDocument, visit } from "yaml";
import { exactNumber, parseExactly } from "../messages/exact_json.ts";

/** What was given cannot be understood; the message says what to do. */
export class ExtraVarsError extends Error {
  override name = "ExtraVarsError";
}

/** A number that means the same in YAML and in JSON. */
const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/;

/**
 * The variables of all that was given, later ones before earlier ones.
 *
 * @param given each `NAME=VALUE …`, a JSON object, or `@FILE` (YAML or JSON)
 * @returns undefined if there are none
 * @throws {ExtraVarsError} one of them is none of these
 */
export async function extraVars(
  given: readonly string[],
): Promise<Record<string, unknown> | undefined> {
  if (given.length === 0) return undefined;
  const all: Record<string, unknown> = {};
  for (const text of given) Object.assign(all, await variablesOf(text));
  return all;
}

async function variablesOf(text: string): Promise<Record<string, unknown>> {
  if (text.startsWith("@")) return await fromFile(text.slice(1));
  if (text.trimStart().startsWith("{")) return fromText(text, "its value");
  return fromPairs(text);
}

async function fromFile(path: string): Promise<Record<string, unknown>> {
  let text;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    throw new ExtraVarsError(
      error instanceof Deno.errors.NotFound
        ? `there is no file "${path}"`
        : `cannot read "${path}": ${(error as Error).message}`,
    );
  }
  if (text.startsWith("$ANSIBLE_VAULT;")) {
    throw new ExtraVarsError(
      `"${path}" is encrypted; name it in the playbook (vars_files), which the worker can open`,
    );
  }
  return fromText(text, `"${path}"`);
}

/** JSON or, if it is none, YAML: the order in which Ansible tries them. */
function fromText(text: string, what: string): Record<string, unknown> {
  let value;
  try {
    value = parseExactly(text);
  } catch {
    value = fromYaml(text, what);
  }
  // A file with nothing in it, or only comments.
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) {
    throw new ExtraVarsError(`${what} is not a mapping of names to values`);
  }
  return value as Record<string, unknown>;
}

/** YAML as Ansible reads it: version 1.1. */
function fromYaml(text: string, what: string): unknown {
  const document = parseDocument(text, {
    version: "1.1",
    prettyErrors: false,
    logLevel: "silent",
    // Ansible makes texts of them again.
    customTags: (tags) =>
      tags.filter((tag) =>
        typeof tag === "string"
          ? tag !== "timestamp"
          : tag.tag !== "tag:yaml.org,2002:timestamp"
      ),
  });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) {
    throw new ExtraVarsError(`${what} is not valid: ${problem.message}`);
  }
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value !== "number") return;
      if (!Number.isFinite(node.value)) {
        throw new ExtraVarsError(
          `${what} has a number that JSON cannot express`,
        );
      }
      if (node.source !== undefined && JSON_NUMBER.test(node.source)) {
        node.value = exactNumber(node.source);
      }
    },
    Pair(_, { key }) {
      if (isScalar(key) && typeof key.value === "string") return;
      throw new ExtraVarsError(
        `${what} has a key that is not a string; put it in quotes`,
      );
    },
  });
  return document.toJS({ maxAliasCount: 100 });
}

/** `a=1 b="two words"`: all values are texts. */
function fromPairs(text: string): Record<string, string> {
  const all: Record<string, string> = {};
  for (const pair of words(text)) {
    const [, name, value] = /^([^=\s]+)=(.*)$/s.exec(pair) ?? [];
    if (name === undefined) {
      throw new ExtraVarsError(
        `"${pair}" is not NAME=VALUE; put quotes around a value with spaces, as in -e 'NAME="two words"'`,
      );
    }
    const [, quoted] = /^(?:"(.*)"|'(.*)')$/s.exec(value!)
      ?.filter((part) => part !== undefined) ?? [];
    all[name] = quoted ?? value!;
  }
  return all;
}

/** The words of a text, split at spaces that are not in quotes. */
function words(text: string): string[] {
  const found = text.match(/(?:"[^"]*"|'[^']*'|\S)+/g);
  if (!found) {
    throw new ExtraVarsError("is empty; give NAME=VALUE, JSON or @FILE");
  }
  return found;
}
