/**
 * The examples of docs/controllers.md, and a group for them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ROOT } from "../../dev/programs.ts";
import { Broker } from "./broker.ts";
import { Client } from "./client.ts";
import { Project } from "./project.ts";
import { Worker } from "./worker.ts";

const DOCUMENT = await Deno.readTextFile(`${ROOT}docs/controllers.md`);

/** An example of docs/controllers.md, by the mark that stands before it. */
export function example(language: string): string {
  const found = new RegExp(
    `<!-- \\w+: ${language} -->\\s*\`\`\`\\w+\\n([\\s\\S]*?)\`\`\``,
  ).exec(DOCUMENT);
  assert.ok(found, `there is an example in ${language}`);
  return found[1]!;
}

/** A playbook that succeeds, and one that fails. */
export const GOOD = "- hosts: all\n  gather_facts: false\n  tasks: [debug: ]\n";
export const BAD =
  "- hosts: all\n  gather_facts: false\n  tasks: [fail: { msg: wrong }]\n";

/** A worker of the group that the examples are for. */
export async function workerOf(
  files: Record<string, string>,
  config: Record<string, unknown> = {},
) {
  await using stack = new AsyncDisposableStack();
  const broker = stack.use(await Broker.start());
  const project = stack.use(await Project.create(files));
  const group = "default";
  const client = stack.use(await Client.connect(broker.port, { group }));
  const worker = stack.use(
    await Worker.start({
      project,
      port: broker.port,
      worker: { group_name: group },
      config,
    }),
  );
  const rest = stack.move();
  return {
    broker,
    client,
    project,
    worker,
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}
