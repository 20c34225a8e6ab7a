/**
 * The examples of docs/controllers.md, run as they stand there.
 */
import assert from "node:assert/strict";
import { ROOT } from "../../dev/programs.ts";
import { pythonWith } from "../../dev/python.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Worker } from "../harness/worker.ts";

const DOCUMENT = await Deno.readTextFile(`${ROOT}docs/controllers.md`);

function example(language: string): string {
  const found = new RegExp(
    `<!-- run: ${language} -->\\s*\`\`\`\\w+\\n([\\s\\S]*?)\`\`\``,
  ).exec(DOCUMENT);
  assert.ok(found, `there is an example in ${language}`);
  return found[1]!;
}

const PROGRAMS: [language: string, program: () => Promise<string>][] = [
  ["shell", () => Promise.resolve("sh")],
  ["python", () => pythonWith("paho-mqtt==2.1.0")],
];

for (const [language, program] of PROGRAMS) {
  Deno.test({
    name:
      `controllers: the example in ${language} runs a playbook, and tells its failure`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      const interpreter = await program();
      await using broker = await Broker.start();
      await using project = await Project.create({
        "good.yml": "- hosts: all\n  gather_facts: false\n  tasks: [debug: ]\n",
        "bad.yml":
          "- hosts: all\n  gather_facts: false\n  tasks: [fail: { msg: wrong }]\n",
      });
      await using client = await Client.connect(broker.port, {
        group: "default",
      });
      await using worker = await Worker.start({
        project,
        port: broker.port,
        worker: { group_name: "default" },
      });
      const file = project.path("controller");
      await Deno.writeTextFile(file, example(language));
      const run = (playbook: string) =>
        new Deno.Command(interpreter, {
          args: [file, "127.0.0.1", String(broker.port), playbook, "hosts"],
          stdin: "null",
        }).output();
      const text = new TextDecoder();
      const good = await run("good.yml");
      assert.equal(good.code, 0, text.decode(good.stderr));
      assert.match(text.decode(good.stdout), /success/);
      const bad = await run("bad.yml");
      assert.equal(bad.code, 1, text.decode(bad.stderr));
      assert.match(text.decode(bad.stdout), /h1: failed at .*fail.*: wrong/);
      const ran = new Set(
        client.messages.filter(({ topic }) => topic.endsWith("/status"))
          .map(({ topic }) => topic.split("/").at(-2)!)
          .filter((id) => id.startsWith(`${language}-`)),
      );
      assert.equal(ran.size, 2);
      assert.equal(await worker.stop(), 0);
    },
  });
}
