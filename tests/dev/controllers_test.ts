/**
 * The examples of docs/controllers.md, run as they stand there.
 */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { nodeRed } from "../../dev/node_red.ts";
import { freePort, ROOT } from "../../dev/programs.ts";
import { pythonWith } from "../../dev/python.ts";
import { Broker } from "../harness/broker.ts";
import { taskRequestSchema } from "../../src/messages/task_request.ts";
import { Client } from "../harness/client.ts";
import { run } from "../harness/client_program.ts";
import { Project } from "../harness/project.ts";
import { until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

const DOCUMENT = await Deno.readTextFile(`${ROOT}docs/controllers.md`);

function example(language: string): string {
  const found = new RegExp(
    `<!-- \\w+: ${language} -->\\s*\`\`\`\\w+\\n([\\s\\S]*?)\`\`\``,
  ).exec(DOCUMENT);
  assert.ok(found, `there is an example in ${language}`);
  return found[1]!;
}

const GOOD = "- hosts: all\n  gather_facts: false\n  tasks: [debug: ]\n";
const BAD =
  "- hosts: all\n  gather_facts: false\n  tasks: [fail: { msg: wrong }]\n";

/** A worker of the group that the examples are for. */
async function workerOf(files: Record<string, string>) {
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
      await using group = await workerOf({ "good.yml": GOOD, "bad.yml": BAD });
      const { broker, client, project, worker } = group;
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

/** Node-RED with the flow of the document, until it is disposed of. */
class NodeRed implements AsyncDisposable {
  said = "";
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  constructor(main: string, { directory, port }: {
    directory: string;
    port: number;
  }) {
    this.#child = new Deno.Command("node", {
      args: [
        main,
        "--userDir",
        directory,
        "--port",
        String(port),
        "flows.json",
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#reading = this.#read();
  }

  /** Settles when it has said a text. */
  says(text: string): Promise<void> {
    return until(`${text} from Node-RED`, () => this.said.includes(text));
  }

  /** How often it has told a failure of this task. */
  told(taskId: string): number {
    return this.said.split(`(${taskId}) failed: `).length - 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // By itself it would leave the broker in order, and take its time.
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#reading;
  }

  async #read(): Promise<void> {
    for await (
      const text of this.#child.stdout.pipeThrough(new TextDecoderStream())
    ) this.said += text;
  }
}

Deno.test({
  name:
    "controllers: the flow for Node-RED tells each failure once, also after a restart",
  ignore: !await hasNode(),
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const main = await nodeRed();
    await using group = await workerOf({
      "site.yml": GOOD,
      "bad.yml": BAD,
      "hosts.ini": "h1 ansible_connection=local\n",
    });
    const { broker, client, project, worker } = group;
    const fail = async (task_id: string) => {
      const request = { task_id, playbook: "bad.yml", inventory: "hosts" };
      assert.equal((await client.run(request)).state, "failed");
    };
    const directory = project.path("node-red");
    await Deno.mkdir(directory);
    await Deno.writeTextFile(
      `${directory}/flows.json`,
      example("node-red").replace('"localhost"', '"127.0.0.1"')
        .replace('"1883"', `"${broker.port}"`),
    );
    await fail("long-ago");
    const port = freePort();
    {
      await using red = new NodeRed(main, { directory, port });
      await red.says("Connected to broker");
      await until(
        "the editor",
        () =>
          fetch(`http://127.0.0.1:${port}/inject/aw-ask`, { method: "POST" })
            .then(async (answer) => {
              await answer.body?.cancel();
              return answer.ok;
            }, () => false),
      );
      const asked = () =>
        client.messages.map(({ topic }) => topic.split("/").at(-2)!)
          .find((id) => id.startsWith("node-red-"));
      await until("what it asked for", () => asked() !== undefined);
      assert.equal((await client.final(asked()!)).state, "success");
      await fail("while-it-ran");
      await red.says("(while-it-ran) failed: ");
      assert.equal(red.told("long-ago"), 0);
    }
    await fail("meanwhile");
    await using red = new NodeRed(main, { directory, port });
    await red.says("(meanwhile) failed: ");
    await fail("afterwards");
    await red.says("(afterwards) failed: ");
    const told = ["long-ago", "while-it-ran", "meanwhile", "afterwards"]
      .map((id) => red.told(id));
    assert.deepEqual(told, [0, 0, 1, 1]);
    assert.equal(await worker.stop(), 0);
  },
});

async function hasNode(): Promise<boolean> {
  return await new Deno.Command("node", { args: ["--version"] }).output()
    .then(({ success }) => success, () => false);
}

/** Set: a Python that has Home Assistant's own engine. */
const HOME_ASSISTANT = Deno.env.get("ANSIBLE_WORKER_TEST_HOME_ASSISTANT");

/** Renders templates by that, at a time of the test's, as an action gets texts. */
const RENDER_THERE = `
import asyncio, datetime, json, sys
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.template import Template
from homeassistant.util import dt
given = json.load(sys.stdin)
moment = datetime.datetime.fromisoformat(given["now"].replace("Z", "+00:00"))
dt.now = lambda time_zone=None: moment
async def main():
    hass = HomeAssistant("/nonexistent")
    print(json.dumps([
        cv.string(Template(template, hass).async_render(
            {"trigger": trigger, **given.get("variables", {})}, strict=True))
        for template in given["templates"] for trigger in given["triggers"]]))
    await hass.async_stop(force=True)
asyncio.run(main())
`;

/** Has it check a configuration, which it does with what is running. */
const CHECK_THERE = `
import asyncio, json, sys
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv, frame
from homeassistant.helpers.selector import selector
def check(given):
    for one in given.get("automation", []):
        cv.string(one.pop("alias"))
        cv.TRIGGER_SCHEMA(one.pop("triggers"))
        cv.CONDITIONS_SCHEMA(one.pop("conditions"))
        cv.SCRIPT_SCHEMA(one.pop("actions"))
        assert not one, one
    for name, one in given["script"].items():
        cv.slug(name)
        cv.string(one.pop("alias"))
        cv.SCRIPT_SCHEMA(one.pop("sequence"))
        for field in one.pop("fields", {}).values():
            selector(field["selector"])
        assert not one, one
async def main():
    hass = HomeAssistant("/nonexistent")
    frame.async_setup(hass)
    check(json.load(sys.stdin))
    await hass.async_stop(force=True)
asyncio.run(main())
`;

/** Renders templates as Home Assistant documents it, at a time of the test's. */
const RENDER = `
import datetime, json, sys
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
given = json.load(sys.stdin)
moment = datetime.datetime.fromisoformat(given["now"].replace("Z", "+00:00"))
environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
environment.filters["to_json"] = json.dumps
environment.globals["now"] = lambda: moment
environment.globals["as_datetime"] = lambda text: datetime.datetime.fromisoformat(
    text.replace("Z", "+00:00"))
print(json.dumps([environment.from_string(template).render(
                      trigger=trigger, **given.get("variables", {}))
                  for template in given["templates"]
                  for trigger in given["triggers"]]))
`;

/** Renders templates, each with each of some triggers. */
async function render(
  given: {
    templates: string[];
    triggers?: unknown[];
    variables?: Record<string, unknown>;
    now?: string;
  },
): Promise<string[]> {
  const input = { triggers: [null], now: NOW, ...given };
  return JSON.parse(
    HOME_ASSISTANT === undefined
      ? await python(await pythonWith("jinja2==3.1.6"), RENDER, input)
      : await python(HOME_ASSISTANT, RENDER_THERE, input),
  );
}

/** Runs a script with JSON as its input; returns what it printed. */
async function python(
  ...[interpreter, script, given]: [string, string, unknown]
): Promise<string> {
  const child = new Deno.Command(interpreter, {
    args: ["-c", script],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(given)));
  await writer.close();
  const { stdout, success } = await child.output();
  assert.ok(success);
  return new TextDecoder().decode(stdout);
}

const NOW = "2026-05-04T12:00:02Z";

Deno.test("controllers: the form for Home Assistant asks for a template, whatever is typed", async () => {
  const { script } = parse(example("home assistant form"));
  const { data } = script.deploy_web.sequence[0];
  for (const app_version of ["2.5.0", 'a "quoted" one']) {
    const [request] = await render({
      templates: [data.payload],
      variables: { app_version, check_mode: true },
    });
    const parsed = taskRequestSchema.parse(JSON.parse(request!));
    assert.equal(parsed.template, "deploy-web");
    assert.deepEqual(parsed.extra_vars, { app_version });
    assert.equal(parsed.check_mode, true);
  }
});

Deno.test({
  name: "controllers: Home Assistant takes its configuration",
  ignore: HOME_ASSISTANT === undefined,
  async fn() {
    for (const name of ["home assistant", "home assistant form"]) {
      await python(HOME_ASSISTANT!, CHECK_THERE, parse(example(name)));
    }
  },
});

Deno.test("controllers: the systemd timer's command runs a playbook, and its units are valid", async () => {
  await using group = await workerOf({
    "backup.yml": GOOD,
    "hosts.ini": "h1 ansible_connection=local\n",
  });
  const { broker, client, project } = group;
  const service = example("systemd service");
  const [, command] = /^ExecStart=\S+ (.*)$/m.exec(service)!;
  const { code, stdout } = await run(
    command!.replace("broker", "127.0.0.1").replace("1883", `${broker.port}`)
      .split(" "),
  );
  assert.equal(code, 0, stdout);
  const id = /^(\S+): backup.yml/.exec(stdout)![1]!;
  assert.equal((await client.final(id)).lock, "backup");
  const units = project.path("units");
  await Deno.mkdir(units);
  const files = {
    "ask-for-backup.service": service.replace(
      /ExecStart=\S+/,
      "ExecStart=/bin/true",
    ),
    "ask-for-backup.timer": example("systemd timer"),
  };
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${units}/${name}`, text);
  }
  const verified = await new Deno.Command("systemd-analyze", {
    args: ["verify", ...Object.keys(files).map((name) => `${units}/${name}`)],
    stdin: "null",
  }).output().catch(() => null);
  const text = new TextDecoder();
  if (verified) assert.equal(verified.code, 0, text.decode(verified.stderr));
});

/** Runs a source until its first event. */
const SOURCE = `
import asyncio, json, sys
sys.path.insert(0, sys.argv[1])
import ansible_worker
async def first():
    queue = asyncio.Queue()
    source = asyncio.create_task(
        ansible_worker.main(queue, {"host": "127.0.0.1", "port": sys.argv[2],
                                    "topic": "ansible/default/tasks/+/status"}))
    print(json.dumps(await asyncio.wait_for(queue.get(), 60)), flush=True)
    source.cancel()
asyncio.run(first())
`;

Deno.test("controllers: the source for Event-Driven Ansible tells what is news, and the rulebook asks for a task", async () => {
  const python = await pythonWith("paho-mqtt==2.1.0");
  await using group = await workerOf({ "bad.yml": BAD });
  const { broker, client, project } = group;
  const ask = (task_id: string) =>
    client.run({ task_id, playbook: "bad.yml", inventory: "hosts" });
  await ask("before");
  const directory = project.path("eda");
  await Deno.mkdir(directory);
  await Deno.writeTextFile(
    `${directory}/ansible_worker.py`,
    example("eda source"),
  );
  const source = new Deno.Command(python, {
    args: ["-c", SOURCE, directory, String(broker.port)],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const output = source.output();
  let isOver = false;
  output.then(() => isOver = true);
  // Until it has subscribed, there is nobody to be told.
  for (let i = 0; !isOver && i < 60; i++) await ask(`now-${i}`);
  const { status } = JSON.parse(
    new TextDecoder().decode((await output).stdout),
  );
  assert.match(status.task_id, /^now-/);
  const [{ rules: [rule] }] = parse(example("eda rulebook"));
  const [request] = await render({
    templates: [rule.action.run_module.module_args.payload],
    variables: { event: { status: { ...status, state: "failed" } } },
  });
  assert.deepEqual(JSON.parse(request!), {
    task_id: `rollback-${status.task_id}`,
    template: "rollback-web",
  });
});

Deno.test("controllers: the templates for Home Assistant ask for a task, and tell what is news", async () => {
  const { script, automation: [automation] } = parse(
    example("home assistant"),
  );
  const failed = {
    state: "failed",
    completed_at: "2026-05-04T12:00:00.000Z",
    task_id: "t",
    playbook: "bad.yml",
    error_message: "h1: wrong",
  };
  const told = (
    templates: string[],
    { now, statuses = [failed] }: { now: string; statuses?: unknown[] },
  ) =>
    render({
      templates,
      triggers: statuses.map((payload_json) => ({ payload_json })),
      now,
    });
  const [soon, late] = ["2026-05-04T12:00:02Z", "2026-05-05T12:00:00Z"];
  const { data } = script.update_all_hosts.sequence[0];
  const [request] = await told([data.payload], { now: soon });
  assert.deepEqual(JSON.parse(request!), {
    task_id: "ha-1777896002",
    playbook: "update.yml",
    inventory: "hosts.ini",
  });
  const statuses = [
    failed,
    { ...failed, state: "timeout" },
    { ...failed, state: "success" },
    { ...failed, state: "running", completed_at: null },
  ];
  const condition = [automation.conditions];
  assert.deepEqual(await told(condition, { now: soon, statuses }), [
    "True",
    "True",
    "False",
    "False",
  ]);
  // After a restart all that is retained comes again.
  assert.deepEqual(
    await told(condition, { now: late, statuses }),
    statuses.map(() => "False"),
  );
  const notification = automation.actions[0].data as Record<string, string>;
  assert.deepEqual(await told(Object.values(notification), { now: soon }), [
    "ansible_t",
    "bad.yml failed",
    "h1: wrong",
  ]);
});
