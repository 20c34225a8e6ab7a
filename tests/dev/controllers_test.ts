/**
 * The examples of docs/controllers.md, run as they stand there.
 */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { pythonWith } from "../../dev/python.ts";
import { taskRequestSchema } from "../../src/messages/task_request.ts";
import { run } from "../harness/client_program.ts";
import { BAD, example, GOOD, workerOf } from "../harness/examples.ts";
import { until } from "../harness/waiting.ts";

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
      const ran = () =>
        new Set(
          client.messages.filter(({ topic }) => topic.endsWith("/status"))
            .map(({ topic }) => topic.split("/").at(-2)!)
            .filter((id) => id.startsWith(`${language}-`)),
        ).size;
      // Another client may be told a moment before this one.
      await until("a status of both", () => ran() >= 2);
      assert.equal(ran(), 2);
      assert.equal(await worker.stop(), 0);
    },
  });
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
