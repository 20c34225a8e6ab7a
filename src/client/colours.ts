/**
 * Colours, where they are wanted.
 *
 * @module
 */
import type { TaskState } from "../messages/task_status.ts";

/** SGR parameters (ECMA-48, 8.3.117). */
const CODES = {
  red: 31,
  green: 32,
  yellow: 33,
  cyan: 36,
  bold: 1,
  dim: 2,
} as const;

/** A colour, or another way to set a text off. */
export type Colour = keyof typeof CODES;

/** Colours a text, or leaves it as it is. */
export type Paint = (text: string, colour: Colour | null) => string;

/** What colours texts, if colours are wanted. */
export function painter({ hasColour }: { hasColour: boolean }): Paint {
  return (text, colour) =>
    hasColour && colour !== null && text !== ""
      ? `\u001b[${CODES[colour]}m${text}\u001b[0m`
      : text;
}

/** The colour of a task's state. */
export function colourOf(state: TaskState): Colour | null {
  switch (state) {
    case "success":
      return "green";
    case "failed":
      return "red";
    case "cancelled":
    case "timeout":
      return "yellow";
    case "running":
      return "cyan";
    case "queued":
      return null;
  }
}
