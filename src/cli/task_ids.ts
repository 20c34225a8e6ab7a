/**
 * Task ids on the command line.
 *
 * @module
 */
import { harmless } from "../harmless.ts";
import { taskIdSchema } from "../messages/task_request.ts";
import { print } from "./output.ts";

/** Whether it can be one; otherwise it is said. */
export function isTaskId(text: string): boolean {
  const { success, error } = taskIdSchema.safeParse(text);
  if (!success) {
    print(
      Deno.stderr,
      `"${harmless(text)}" is no task id: ${error.issues[0]!.message}\n`,
    );
  }
  return success;
}
