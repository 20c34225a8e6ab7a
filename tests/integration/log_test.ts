import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { localHosts, Project } from "../harness/project.ts";
import { Worker } from "../harness/worker.ts";

/** A failure whose message has lines that look like the worker's own. */
const FAIL = `
- hosts: all
  gather_facts: false
  tasks:
    - fail:
        msg: "one\\n2030-01-01T00:00:00.000Z ERROR two\\r\\n{\\"level\\": \\"three\\"}\\e[31m"
`;

for (const format of ["text", "json"]) {
  Deno.test({
    name:
      `log_format: ${format}: one line each, with the task's id and no secret`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      await using project = await Project.create({
        hosts: localHosts("h1", "h2"),
        "fail.yml": FAIL,
      });
      const passwords = project.path("passwords");
      await Deno.writeTextFile(passwords, "worker:broker-secret\n");
      await new Deno.Command("mosquitto_passwd", { args: ["-U", passwords] })
        .output();
      await using broker = await Broker.start({
        extra: ["allow_anonymous false", `password_file ${passwords}`],
      });
      const account = { username: "worker", password: "broker-secret" };
      await using client = await Client.connect(broker.port, { mqtt: account });
      await using worker = await Worker.start({
        project,
        port: broker.port,
        mqtt: account,
        config: { log_format: format, log_level: "DEBUG" },
      });
      const extra_vars = { token: "variable-secret" };
      await client.run({
        ...project.work("good"),
        extra_vars: {
          ...project.work("good").extra_vars,
          ...extra_vars,
        },
      });
      await client.run({
        task_id: "bad",
        playbook: "fail.yml",
        inventory: "hosts",
        extra_vars,
      });
      // A message that is refused is logged with what is wrong with it.
      await client.publish(
        "ansible/test/tasks",
        JSON.stringify({ task_id: "none", extra_vars, "x\n2030 ERROR": 1 }),
        { qos: 2 },
      );
      await client.message("it", ({ topic }) => topic.endsWith("/rejected"));
      assert.equal(await worker.stop(), 0);
      await worker.ended();

      const lines = worker.log.split("\n").slice(0, -1);
      for (const id of ["good", "bad", "none"]) {
        assert.ok(lines.some((line) => line.includes(id)), `nothing of ${id}`);
      }
      for (const line of lines) {
        // deno-lint-ignore no-control-regex
        assert.doesNotMatch(line, /[\u0000-\u001f\u007f]/);
        assert.doesNotMatch(line, /broker-secret|variable-secret/);
        if (format === "json") {
          const { time, level, message } = JSON.parse(line);
          assert.ok(!Number.isNaN(Date.parse(time)) && message, line);
          assert.match(level, /^(DEBUG|INFO|WARN|ERROR)$/i);
        } else {
          assert.match(
            line,
            /^2\d{3}-\d\d-\d\dT[\d:.]+Z\s+(DEBUG|INFO|WARN|ERROR)\s/,
          );
          assert.doesNotMatch(line, /^2030/);
        }
      }
      if (format === "json") {
        const ids = lines.map((line) => JSON.parse(line).task_id);
        assert.ok(ids.includes("good") && ids.includes("bad"));
      }
      console.log(`${lines.length} lines of ${format}`);
    },
  });
}
