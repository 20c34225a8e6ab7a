/**
 * From a message to the JSON that is sent.
 *
 * @module
 */
import type { z } from "zod";

/** A message as JSON, its keys in the order of its schema. */
export function encodeInOrder<T extends z.ZodRawShape>(
  schema: z.ZodObject<T>,
  message: Readonly<Record<keyof T & string, unknown>>,
): string {
  const ordered: Record<string, unknown> = {};
  for (const key of Object.keys(schema.shape)) ordered[key] = message[key];
  return JSON.stringify(ordered);
}

/** The first of some texts that is of at most so many bytes; null for none. */
export function firstWithin(
  bytes: number,
  texts: Iterable<string>,
): string | null {
  const encoder = new TextEncoder();
  for (const text of texts) {
    if (encoder.encode(text).length <= bytes) return text;
  }
  return null;
}
