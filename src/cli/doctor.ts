/**
 * `ansible-worker doctor`: what the doctor has found, a line each.
 *
 * @module
 */
import type { Finding, Status } from "../doctor/finding.ts";
import { print } from "./output.ts";

const WORDS: Record<Status, string> = {
  ok: "ok",
  warning: "warning",
  failed: "FAILED",
  skipped: "skipped",
};

/** Colours of a terminal, as SGR parameters. */
const COLOURS: Record<Status, string> = {
  ok: "32",
  warning: "33",
  failed: "31;1",
  skipped: "2",
};

/** What a line of advice begins with. */
const INDENT = " ".repeat(9);

/** Examines a set-up, and prints; returns the exit code: 1 if it is broken. */
export async function doctor(
  file: string,
  { json }: { json: boolean },
): Promise<number> {
  // Only now: other commands need neither MQTT nor Ansible.
  const { examine } = await import("../doctor/doctor.ts");
  const terminal = Deno.stdout.isTerminal();
  const format = {
    width: terminal ? Deno.consoleSize().columns : null,
    colour: terminal && !Deno.noColor,
  };
  const count: Record<Status, number> = {
    ok: 0,
    warning: 0,
    failed: 0,
    skipped: 0,
  };
  for await (const finding of examine(file)) {
    count[finding.status]++;
    print(
      Deno.stdout,
      json ? `${JSON.stringify(finding)}\n` : lines(finding, format),
    );
  }
  if (!json) print(Deno.stdout, `\n${summary(count)}\n`);
  return count.failed === 0 ? 0 : 1;
}

/**
 * A finding as lines.
 *
 * @param format.width characters that fit on a line; null: any number
 */
export function lines(
  { status, title, message, advice }: Finding,
  format: { width: number | null; colour: boolean },
): string {
  const word = WORDS[status].padEnd(INDENT.length);
  return [
    ...wrapped(`${title}: ${message}`, format.width),
    ...advice.flatMap((text) => wrapped(text, format.width)),
  ].map((line, i) => {
    if (i > 0) return `${INDENT}${line}\n`;
    return format.colour
      ? `\x1b[${COLOURS[status]}m${word}\x1b[0m${line}\n`
      : `${word}${line}\n`;
  }).join("");
}

/** A text in lines that fit beside the indent; words are not broken. */
function wrapped(text: string, width: number | null): string[] {
  if (width === null) return [text];
  const fits = Math.max(width - INDENT.length, 20);
  const found: string[] = [];
  for (const word of text.split(" ")) {
    const last = found.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= fits) {
      found[found.length - 1] = `${last} ${word}`;
    } else found.push(word);
  }
  return found;
}

function summary(count: Record<Status, number>): string {
  const parts = (["ok", "warning", "failed", "skipped"] as const)
    .filter((status) => count[status] > 0)
    .map((status) => `${count[status]} ${WORDS[status].toLowerCase()}`);
  return parts.join(", ");
}
