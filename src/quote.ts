/**
 * Texts of strangers in sentences.
 *
 * @module
 */

/** A text of a request, as part of a sentence. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
