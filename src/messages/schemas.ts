/**
 * Every kind of message that travels, by its name.
 *
 * @module
 */
import type { z } from "zod";
import { cancelSchema } from "./cancel.ts";
import { eventSchema } from "./event.ts";
import { lockSchema } from "./lock.ts";
import { outputSchema } from "./output.ts";
import { loadSchema, presenceSchema } from "./presence.ts";
import { rejectedSchema } from "./rejected.ts";
import { taskRequestSchema } from "./task_request.ts";
import { taskStatusSchema } from "./task_status.ts";

/** The schemas that the program itself checks by. */
export const messageSchemas = {
  request: taskRequestSchema,
  cancel: cancelSchema,
  status: taskStatusSchema,
  event: eventSchema,
  output: outputSchema,
  rejected: rejectedSchema,
  presence: presenceSchema,
  load: loadSchema,
  lock: lockSchema,
} satisfies Record<string, z.ZodType>;

/** The name of a kind of message. */
export type MessageName = keyof typeof messageSchemas;
