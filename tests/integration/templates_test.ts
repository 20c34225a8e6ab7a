/**
 * Templates through the front door: a real worker, a real broker, and the
 * commands that people use.
 */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { at, run } from "../harness/client_program.ts";
import { localHosts, Project } from "../harness/project.ts";
import { Signer } from "../harness/signing.ts";
import { until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

const TELL = `
- hosts: all
  gather_facts: false
  tasks:
    - set_stats:
        data:
          version: "{{ app_version }}"
          restart: "{{ restart }}"
          place: "{{ place }}"
          hosts: "{{ ansible_play_hosts_all }}"
      run_once: true
    - assert: { that: inventory_hostname != broken | default("") }
`;

const DEPLOY = {
  description: "Brings a release to the web servers",
  playbook: "tell.yml",
  inventory: ["hosts", "more"],
  extra_vars: { place: "{{ 6 * 7 }}", ansible_ssh_port: 2222 },
  variables: {
    properties: {
      app_version: { type: "string", pattern: "^\\d+\\.\\d+\\.\\d+$" },
      restart: { type: "boolean", default: true },
      broken: { type: "string" },
    },
    required: ["app_version"],
  },
  may_set: ["limit"],
};

const SCHEDULE = {
  cron: "0 12 24 12 *",
  time_zone: "Europe/Berlin",
  catch_up: false,
};

interface Setting {
  client: Client;
  port: number;
  project: Project;
  start(
    id: string,
    config: Record<string, unknown>,
    options?: { narrow?: boolean },
  ): Promise<Worker>;
}

function test(name: string, fn: (setting: Setting) => Promise<void>): void {
  Deno.test({
    name: `templates: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      await using stack = new AsyncDisposableStack();
      const broker = stack.use(await Broker.start());
      const project = stack.use(
        await Project.create({
          "tell.yml": TELL,
          hosts: localHosts("h1"),
          more: localHosts("h2"),
        }),
      );
      const client = stack.use(await Client.connect(broker.port));
      await fn({
        client,
        project,
        port: broker.port,
        start: async (id, config, { narrow = false } = {}) =>
          stack.use(
            await Worker.start({
              project,
              port: broker.port,
              id,
              config,
              narrow,
            }),
          ),
      });
    },
  });
}

test("are listed, asked for by name, and run as they say", async ({ client, port, start }) => {
  await start("w1", {
    templates: {
      "deploy-web": DEPLOY,
      yearly: {
        playbook: "work.yml",
        inventory: "hosts",
        schedule: SCHEDULE,
      },
    },
    // Under these, too, the validator of variables can be had.
  }, { narrow: true });
  const next = new Date(`${new Date().getUTCFullYear()}-12-24T11:00:00Z`);
  if (next <= new Date()) next.setUTCFullYear(next.getUTCFullYear() + 1);
  const listed = await run(["templates", ...at(port)]);
  assert.deepEqual({ ...listed, stdout: listed.stdout.split(/ {2,}|\n/) }, {
    code: 0,
    stderr: "",
    stdout: [
      "TEMPLATE",
      "VARIABLES (* REQUIRED)",
      "MAY SET",
      "NEXT",
      "WORKERS",
      "DESCRIPTION",
      "deploy-web",
      "app_version*, restart, broken",
      "limit",
      "-",
      "w1",
      DEPLOY.description,
      "yearly",
      next.toISOString().slice(0, 19).replace("T", " ") + "Z",
      "w1",
      "",
    ],
  });
  const { stdout: json } = await run(["templates", "--json", ...at(port)]);
  const [deploy, yearly] = json.trimEnd().split("\n").map((line) =>
    JSON.parse(line)
  );
  assert.deepEqual([yearly.schedule, yearly.next_time], [
    SCHEDULE,
    next.toISOString(),
  ]);
  assert.deepEqual(deploy, {
    name: "deploy-web",
    description: DEPLOY.description,
    variables: {
      type: "object",
      additionalProperties: false,
      ...DEPLOY.variables,
    },
    may_set: ["limit"],
    workers: ["w1"],
    next_time: null,
  });
  const names = await run(["templates", "--names", ...at(port)]);
  assert.equal(names.stdout, "deploy-web\nyearly\n");

  const submit = (...args: string[]) =>
    run(["submit", "--template", "deploy-web", ...args, ...at(port)]);
  const good = await submit("--id", "good", "-e", "app_version=2.5.0");
  assert.equal(good.code, 0, good.stderr);
  assert.match(good.stdout, /^good: deploy-web\n/);
  const { template, playbook, inventory, stats } = await client.final("good");
  assert.deepEqual({ template, playbook, inventory, stats }, {
    template: "deploy-web",
    playbook: "tell.yml",
    inventory: ["hosts", "more"],
    stats: {
      run: {
        version: "2.5.0",
        restart: true,
        // Data, though its owner has written it.
        place: "{{ 6 * 7 }}",
        hosts: ["h1", "h2"],
      },
      hosts: {},
    },
  });

  const broken = ["-e", "app_version=2.5.0 broken=h2"];
  assert.equal((await submit("--id", "broken", ...broken)).code, 2);
  const again = await run([
    ...["submit", "--retry", "broken", "--id", "again"],
    ...["-e", '{"app_version": "2.5.1", "restart": false}', ...at(port)],
  ]);
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual((await client.final("again")).stats?.run, {
    version: "2.5.1",
    restart: false,
    place: "{{ 6 * 7 }}",
    hosts: ["h2"],
  });

  const nothing = await run(["submit", "--retry", "good", ...at(port)]);
  assert.match(
    nothing.stderr,
    /to run all of it again, ask for the template "deploy-web"/,
  );

  for (
    const [args, code, says] of [
      [
        ["-e", "app_version=2.5 place=x", "--forks", "3"],
        100,
        "forks: is fixed by the template\n" +
        "variables.place: is fixed by the template\n" +
        "variables.app_version: must match ^\\d+\\.\\d+\\.\\d+$\n",
      ],
      [[], 100, "variables.app_version: is required"],
      [
        ["-e", "app_version=2.5.0 restart=false"],
        100,
        "variables.restart: must be of type boolean, not string",
      ],
      [["tell.yml"], 100, "playbook: is fixed by the template"],
      [["--template", "deplyo-web"], 100, 'did you mean "deploy-web"?'],
      [["--template", "a b"], 106, "--template: must be 1 to 64 characters"],
    ] as const
  ) {
    const refused = await submit(...args);
    assert.equal(refused.code, code, refused.stderr);
    assert.ok(
      (refused.stdout + refused.stderr).includes(says),
      refused.stdout + refused.stderr,
    );
  }
});

test("an unknown one is failed, with what is not known as null", async ({ client, start }) => {
  await start("w1", {});
  const final = await client.run({ task_id: "t", template: "deploy-web" });
  const { state, template, playbook, inventory, error_message } = final;
  assert.deepEqual({ state, template, playbook, inventory, error_message }, {
    state: "failed",
    template: "deploy-web",
    playbook: null,
    inventory: null,
    error_message: 'template "deploy-web" is not known here; there are none',
  });
});

test("with templates_only nothing else is run, and SIGHUP reads them again", async ({ client, project, port, start }) => {
  const worker = await start("w1", {
    policy: { templates_only: true },
    templates: { one: DEPLOY },
  });
  const free = await client.run(project.work("free"));
  assert.equal(
    free.error_message,
    "policy.templates_only allows nothing but templates; there are one",
  );
  const file = project.path("w1.yaml");
  const config = JSON.parse(await Deno.readTextFile(file));
  const write = async (templates: Record<string, unknown>) => {
    await Deno.writeTextFile(file, JSON.stringify({ ...config, templates }));
    worker.signal("SIGHUP");
  };
  await write({ two: DEPLOY, three: DEPLOY });
  const names = async () =>
    (await run(["templates", "--names", ...at(port)])).stdout;
  await until(
    "the new templates",
    async () => await names() === "three\ntwo\n",
  );
  const request = { template: "two", extra_vars: { app_version: "1.2.3" } };
  const two = await client.run({ task_id: "two", ...request });
  assert.equal(two.state, "success", two.error_message ?? "");
  const one = await client.run({ task_id: "one", ...request, template: "one" });
  assert.match(one.error_message!, /template "one" is not known here/);
  // What is wrong changes nothing.
  await write({ four: { ...DEPLOY, playbook: "no.yml" } });
  await until(
    "the complaint",
    () =>
      Promise.resolve(
        /templates\.four\.playbook: there is no file/.test(worker.log),
      ),
  );
  assert.doesNotMatch(worker.log, /needs_restart/);
  assert.equal(await names(), "three\ntwo\n");
});

/** A template that is due every other second. */
function everyOther(project: Project): Record<string, unknown> {
  return {
    often: {
      playbook: "work.yml",
      inventory: "hosts",
      extra_vars: { id: "often", truth: project.truthFile, seconds: 0 },
      schedule: { cron: "*/2 * * * * *" },
    },
  };
}

/** The times of which final statuses have come, in order. */
function timesOf(client: Client): string[] {
  const ids = client.messages.flatMap(({ topic, text }) => {
    const [, id] = /^ansible\/test\/tasks\/(often:.*)\/status$/.exec(topic) ??
      [];
    return id !== undefined && /"completed_at":"/.test(text) ? [id] : [];
  });
  assert.equal(new Set(ids).size, ids.length, "each has one final status");
  return ids.map((id) => id.slice("often:".length)).sort();
}

test("a schedule of three workers runs each time once, though one is killed", async ({ client, project, start }) => {
  const config = { templates: everyOther(project) };
  const [first] = await Promise.all(
    ["w1", "w2", "w3"].map((id) => start(id, config)),
  );
  await until("some runs", () => Promise.resolve(timesOf(client).length >= 5));
  const before = timesOf(client).length;
  await first!.kill();
  await until(
    "more runs",
    () => Promise.resolve(timesOf(client).length >= before + 5),
  );
  const times = timesOf(client);
  const [begin, end] = [times[0]!, times.at(-1)!].map((time) =>
    Date.parse(time)
  ) as [number, number];
  const due = Array.from(
    { length: (end - begin) / 2000 },
    (_, i) => `${new Date(begin + i * 2000).toISOString().slice(0, 19)}Z`,
  );
  // What the one that was killed was running, or had waiting, is ended later, by
  // who adopts it; and it may have taken one without a word.
  const missing = () => {
    const done = new Set(timesOf(client));
    return due.filter((time) =>
      !done.has(time) &&
      client.history(`often:${time}`).at(-1)?.worker_id !== "w1"
    );
  };
  await until(
    () => `the ends of ${missing()}`,
    () => Promise.resolve(missing().length <= 1),
  );
  const truth = await project.truth();
  const starts = truth.filter(({ what }) => what === "start");
  assert.ok(starts.length >= times.length - 1);
  // Nobody hears of the copies of a request that all workers have sent.
  assert.deepEqual(client.rejected(), []);
});

test("with trusted keys a schedule needs no signature, and nothing else goes without", async ({ client, project, start }) => {
  const signer = await Signer.create("controller");
  const pem = project.path("controller.pem");
  await Deno.writeTextFile(pem, signer.pem);
  await start("w1", {
    security: { trusted_keys: [{ id: signer.id, file: pem }] },
    templates: everyOther(project),
  });
  await until("some runs", () => Promise.resolve(timesOf(client).length >= 2));
  assert.deepEqual(client.rejected(), []);
  const request = (time: Date, more = {}) => ({
    task_id: `often:${time.toISOString().slice(0, 19)}Z`,
    template: "often",
    ...more,
  });
  const second = (ms: number) => {
    const even = Math.floor(Date.now() / 2000) * 2000;
    return new Date(even + ms);
  };
  const wrong = [
    request(second(3600_000)),
    request(second(-10 * 3600_000)),
    request(second(-20_000), { check_mode: true }),
    request(second(-20_000), { extra_vars: { a: 1 } }),
    request(second(-21_000)),
    { task_id: "other", template: "often" },
  ];
  for (const one of wrong) await client.submit(one);
  await until(
    "the rejections",
    () => Promise.resolve(client.rejected().length >= wrong.length),
  );
  assert.deepEqual(
    client.rejected().map(({ reason }) => reason),
    wrong.map(() => "unsigned"),
  );
});

test("where keys are trusted, who lacks a template hands what is due to who has it, and nothing else", async ({ client, project, start }) => {
  const signer = await Signer.create("controller");
  const pem = project.path("controller.pem");
  await Deno.writeTextFile(pem, signer.pem);
  const security = { trusted_keys: [{ id: signer.id, file: pem }] };
  const lacking = await start("w1", { security });
  await start("w2", { security, templates: everyOther(project) });
  await until("some runs", () => Promise.resolve(timesOf(client).length >= 5));
  // Of five, one at least came to the one that lacks it.
  await lacking.logged("the task was handed over");
  assert.deepEqual(client.rejected(), []);
  await client.submit({
    task_id: "often:2020-01-01T00:00:00Z",
    template: "often",
    playbook: null,
    inventory: null,
  } as never);
  await until(
    "the rejection",
    () => Promise.resolve(client.rejected().length === 1),
  );
  assert.equal(client.rejected()[0]!.reason, "unsigned");
});

test("who lacks one hands it to who has it, waiting ones too, and refuses what nobody has", async ({ client, project, start }) => {
  const lacking = await start("w1", {});
  const template = {
    playbook: "work.yml",
    inventory: "hosts",
    variables: { additionalProperties: true },
  };
  await start("w2", { templates: { work: template } });
  const request = (id: string, how = {}) => {
    const { task_id, extra_vars } = project.work(id, how);
    return { task_id, template: "work", extra_vars };
  };
  const inbox = "ansible/test/workers/w1/tasks";
  // As what another worker hands over: otherwise it would be for this one alone.
  const properties = { userProperties: { "ansible-worker-from": "" } };
  const options = { qos: 2, properties } as const;
  // Straight to the one that lacks it.
  for (const id of ["a", "b", "c"]) {
    await client.publish(inbox, JSON.stringify(request(id)), options);
  }
  for (const id of ["a", "b", "c"]) {
    const { state, worker_id, playbook } = await client.final(id);
    assert.deepEqual({ state, worker_id, playbook }, {
      state: "success",
      worker_id: "w2",
      playbook: "work.yml",
    });
  }
  // Idle, w1 gets nothing of what waits for w2 that it cannot run; but what
  // came later it does get.
  const other = "ansible/test/workers/w2/tasks";
  const long = request("long", { held: true });
  await client.publish(other, JSON.stringify(long), options);
  await project.started("long");
  await client.publish(other, JSON.stringify(request("next")), options);
  await client.status("next", ({ state }) => state === "queued");
  await client.publish(other, JSON.stringify(project.work("free")), options);
  assert.equal((await client.final("free")).worker_id, "w1");
  assert.ok(client.history("long").every(({ completed_at }) => !completed_at));
  await project.release("long");
  assert.equal((await client.final("next")).worker_id, "w2");

  const nobody = await client.run({ ...request("nobody"), template: "wrok" });
  assert.equal(nobody.state, "failed");
  assert.match(nobody.error_message!, /template "wrok" is not known here/);
  assert.equal(await lacking.stop(), 0);
});
