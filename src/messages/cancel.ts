/**
 * The cancel: what a controller publishes to have a task ended.
 *
 * @module
 */
import { z } from "zod";

/** The schema of a cancel; an empty message is one too. */
export const cancelSchema = z.looseObject({
  reason: z.string().optional().describe(
    "Why, for the error_message of the task. What is longer than 1000 characters is cut.",
  ),
}).meta({
  title: "Cancel",
  description:
    "Asks for the end of a task. It may also be empty. Published at QoS 1, not retained.",
});

/** The reason that a cancel gives, as it is published. */
export function cancelReason(payload: Uint8Array): string {
  let cancel: z.output<typeof cancelSchema> | undefined;
  try {
    cancel = cancelSchema.safeParse(
      JSON.parse(new TextDecoder().decode(payload)),
    ).data;
  } catch {
    // Whoever sends a cancel that we cannot read still wants the task to stop.
  }
  return cancel?.reason
    ? `cancelled: ${cancel.reason.slice(0, 1000)}`
    : "cancelled";
}
