/**
 * A group with its broker, its playbooks and its controller, for tests of what
 * goes wrong in it.
 *
 * @module
 */
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Worker, type WorkerOptions } from "../harness/worker.ts";

/** Makes one; its workers are started by `start`. */
export async function group() {
  const stack = new AsyncDisposableStack();
  const broker = stack.use(
    await Broker.start({ persistence: true, extra: ["max_queued_messages 0"] }),
  );
  const project = stack.use(await Project.create());
  const client = stack.use(await Client.connect(broker.port));
  const start = async (id: string, options: Partial<WorkerOptions> = {}) =>
    stack.use(
      await Worker.start({ project, port: broker.port, id, ...options }),
    );
  return {
    broker,
    project,
    client,
    start,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A test that leaves nothing behind. */
export function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, sanitizeOps: true, sanitizeResources: true, fn });
}

/** Names of so many tasks. */
export const many = (n: number) =>
  Array.from({ length: n }, (_, i) => `t-${i}`);
