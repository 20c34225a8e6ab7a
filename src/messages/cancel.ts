/**
 * The cancel: what a controller publishes to have a task ended.
 *
 * @module
 */

/** The reason that a cancel gives, as it is published. */
export function cancelReason(payload: Uint8Array): string {
  let reason: unknown;
  try {
    reason = JSON.parse(new TextDecoder().decode(payload))?.reason;
  } catch {
    // Whoever sends a cancel that we cannot read still wants the task to stop.
  }
  return typeof reason === "string" && reason
    ? `cancelled: ${reason.slice(0, 1000)}`
    : "cancelled";
}
