/**
 * The trace that a request belongs to, as its publisher has named it: the user
 * properties `traceparent` and `tracestate` (W3C Trace Context).
 *
 * @module
 */

/** A publisher's trace and span. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** The publisher's span, 16 hexadecimal digits. */
  spanId: string;
  /** A byte; its lowest bit says that the trace is recorded. */
  flags: number;
  /** What tracing systems have added; null for nothing. */
  state: string | null;
}

/** The longest `tracestate` that has to be passed on (3.3.1.5). */
const MAX_STATE_LENGTH = 512;

/**
 * Reads them. What is not as the recommendation wants it is as if it was not
 * there: a trace then begins with the worker (4.3).
 */
export function traceContext(
  properties: Readonly<Record<string, string>> | undefined,
): TraceContext | null {
  // Versions to come may add fields, and keep these (3.2.4).
  const [, version, traceId, spanId, flags, more] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
      .exec(properties?.traceparent ?? "") ?? [];
  if (!version || !traceId || !spanId || !flags) return null;
  if (version === "ff" || (version === "00" && more !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return {
    traceId,
    spanId,
    flags: parseInt(flags, 16),
    state: traceState(properties?.tracestate),
  };
}

/** A list of KEY=VALUE, printable, of at most 32 members; else null. */
function traceState(text: string | undefined): string | null {
  if (!text || text.length > MAX_STATE_LENGTH) return null;
  const members = text.split(",").map((member) => member.trim());
  const isMember = (member: string) =>
    member === "" ||
    /^[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256}$/
      .test(member);
  return members.length <= 32 && members.every(isMember) ? text : null;
}
