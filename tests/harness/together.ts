/**
 * Tests that share a broker, a project, a worker and a controller: a start of
 * each costs more than most tests do.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Broker } from "./broker.ts";
import { Client } from "./client.ts";
import { Project } from "./project.ts";
import { Worker } from "./worker.ts";

/** What they share. */
export interface Shared {
  client: Client;
  port: number;
  project: Project;
}

/**
 * Makes a test of them all, whose steps they are, in order. Each has ids of its
 * own, ends what it has begun, and leaves the files alone that others use.
 *
 * @param name of what all of them are about
 * @returns adds one; call it before any test runs
 */
export function testsTogether(
  name: string,
): (step: string, fn: (shared: Shared) => Promise<void>) => void {
  const all: { name: string; fn: (shared: Shared) => Promise<void> }[] = [];
  Deno.test({
    name: `${name}: in one group`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn(t) {
      await using broker = await Broker.start();
      await using project = await Project.create();
      await using worker = await Worker.start({ project, port: broker.port });
      await using client = await Client.connect(broker.port);
      for (const { name, fn } of all) {
        await t.step({
          name,
          // What they share has connections that come and go.
          sanitizeOps: false,
          sanitizeResources: false,
          async fn() {
            await fn({ client, port: broker.port, project });
            await project.quiet();
          },
        });
      }
      assert.equal(await worker.stop(), 0);
    },
  });
  return (step, fn) => void all.push({ name: step, fn });
}
