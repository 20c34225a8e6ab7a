/**
 * docs/security.md, followed step by step: keys are made as it says, and
 * requests signed with its examples.
 */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { ROOT } from "../../dev/programs.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Worker } from "../harness/worker.ts";

const DOCUMENT = await Deno.readTextFile(`${ROOT}docs/security.md`);

/** The text of the block behind a mark. */
function block(mark: string): string {
  const found = new RegExp(
    `<!-- ${mark} -->\\s*\`\`\`\\w+\\n([\\s\\S]*?)\`\`\``,
  ).exec(DOCUMENT);
  assert.ok(found, `the document has a block "${mark}"`);
  return found[1]!;
}

async function run(
  program: string,
  { args, cwd, input = "", path = "" }: {
    args: string[];
    cwd: string;
    input?: string;
    path?: string;
  },
): Promise<string> {
  const child = new Deno.Command(program, {
    args,
    cwd,
    env: { PATH: `${path}:${Deno.env.get("PATH")}` },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  assert.ok(success, text.decode(stderr));
  return text.decode(stdout);
}

Deno.test({
  name: "the security document: its keys and signatures are taken",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port, {
      group: "default",
    });
    const cwd = project.path("");
    // What stands for the program in the document.
    const path = project.path("bin");
    await Deno.mkdir(path);
    await Deno.writeTextFile(
      `${path}/ansible-worker`,
      `#!/bin/sh\nexec "${Deno.execPath()}" run -A --quiet "${ROOT}src/main.ts" "$@"\n`,
      { mode: 0o755 },
    );
    for (const mark of ["run: keys", "run: keygen"]) {
      await run("sh", { args: ["-ec", block(mark)], cwd, path });
    }
    for (const name of ["controller.key", "second.jwk"]) {
      const { mode } = await Deno.stat(project.path(name));
      assert.equal(mode! & 0o077, 0, `${name} is its owner's only`);
    }
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: { group_name: "default" },
      config: parse(block("configuration")),
    });

    await Deno.writeTextFile(
      project.path("publish_signed.sh"),
      block("run: openssl"),
    );
    const publish = (kind: string, taskId: string, message: unknown) =>
      run("sh", {
        args: [
          "publish_signed.sh",
          "127.0.0.1",
          String(broker.port),
          "controller.key",
          kind,
          taskId,
        ],
        cwd,
        input: JSON.stringify(message),
      });
    await publish("request", "by-openssl", project.work("by-openssl"));
    assert.equal((await client.final("by-openssl")).state, "success");

    const long = project.work("long", { seconds: 600 });
    await publish("request", "long", long);
    await project.started("long");
    await publish("cancel", "long", { reason: "enough" });
    const cancelled = await client.final("long");
    assert.equal(cancelled.state, "cancelled");
    assert.match(cancelled.error_message!, /enough/);

    await Deno.writeTextFile(project.path("sign.mjs"), block("run: jose"));
    const jws = await run(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--quiet",
        "--config",
        `${ROOT}deno.json`,
        "sign.mjs",
        "second.jwk",
        "ansible/default",
        JSON.stringify(project.work("by-jose")),
      ],
      cwd,
    });
    await client.publish("ansible/default/tasks", jws, { qos: 2 });
    assert.equal((await client.final("by-jose")).state, "success");
    assert.deepEqual(client.rejected(), []);
    assert.equal(await worker.stop(), 0);
  },
});
