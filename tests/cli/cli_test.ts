/**
 * The command line as users start it: a process of its own, under exactly the
 * flags of `deno task start`.
 */
import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };
import { Command } from "commander";
import { ROOT, startArguments } from "../../dev/programs.ts";
import { addClientCommands } from "../../src/cli/client_commands.ts";
import { SUBJECTS } from "../../src/cli/choices.ts";
import { documentOf } from "../../src/cli/schema.ts";
import { Project } from "../harness/project.ts";
import { Worker } from "../harness/worker.ts";

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

async function deno(
  args: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Result> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: options.cwd ?? ROOT,
    env: { NO_COLOR: "1", ...options.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

function cli(args: string[], options = {}): Promise<Result> {
  return deno([...startArguments(), ...args], options);
}

const CLIENT_COMMANDS = [
  "submit",
  "watch",
  "tasks",
  "workers",
  "templates",
  "refresh",
  "cancel",
  "output",
];

const VALID = `mqtt:
  host: 127.0.0.1
worker:
  group_name: g
  playbook_directory: .
`;

test("--help fits on one screen, has an example, and ends with 0", async () => {
  const { code, stdout, stderr } = await cli(["--help"]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const lines = stdout.split("\n");
  assert.ok(lines.length <= 24, stdout);
  assert.ok(lines.every((line) => line.length <= 80), stdout);
  for (const text of ["Example", "--config", "--validate", "--version"]) {
    assert.ok(stdout.includes(text), text);
  }
  assert.equal((await cli(["-h"])).stdout, stdout);
});

test("--help names every command", async () => {
  const { stdout } = await cli(["--help"]);
  for (const command of [...CLIENT_COMMANDS, "permissions", "keygen"]) {
    assert.match(stdout, new RegExp(`^  .*\\b${command}\\b`, "m"));
  }
});

for (const command of CLIENT_COMMANDS) {
  test(`${command} --help fits on one screen, names every option, and has an example`, async () => {
    const { code, stdout, stderr } = await cli([command, "--help"]);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    const lines = stdout.split("\n");
    assert.ok(lines.length <= 24, stdout);
    assert.ok(lines.every((line) => line.length <= 80), stdout);
    assert.ok(
      stdout.includes(`\nExample:\n  ansible-worker ${command}`),
      stdout,
    );
    const program = new Command();
    addClientCommands(program, () => {});
    const { options } = program.commands.find((one) => one.name() === command)!;
    for (const { long, short } of options) {
      // As a word of its own; "-v" also as "-v to -vvvvvv".
      const names = short === "-v"
        ? ["-v"]
        : [long, short].filter((name) => name !== undefined);
      for (const name of names) {
        assert.match(stdout, new RegExp(`[\\s[]${name}[\\s,\\]]`), name);
      }
    }
  });
}

test("--version prints the version of deno.json, and ends with 0", async () => {
  assert.deepEqual(await cli(["--version"]), {
    code: 0,
    stdout: `${project.version}\n`,
    stderr: "",
  });
});

test("schema prints each schema as JSON, and ends with 0", async () => {
  const results = await Promise.all(
    SUBJECTS.map((subject) => cli(["schema", subject])),
  );
  for (const [i, { code, stdout, stderr }] of results.entries()) {
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.deepEqual(JSON.parse(stdout), documentOf(SUBJECTS[i]!));
  }
});

for (
  const [name, args, says] of [
    ["an unknown option", ["--nope"], "unknown option '--nope'"],
    ["a misspelt option", ["--validat"], "Did you mean --validate?"],
    [
      "an argument",
      ["config.yaml"],
      `no command "config.yaml"; a configuration is named with -c`,
    ],
    ["-c without a file", ["-c"], "argument missing"],
    ["schema without a name", ["schema"], "missing required argument"],
    ["schema of something else", ["schema", "statuses"], "status, event,"],
  ] as const
) {
  test(`${name} is a usage error: 2, and how to get help`, async () => {
    const { code, stdout, stderr } = await cli([...args]);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.ok(stderr.includes(says), stderr);
    assert.ok(stderr.includes("--help"), stderr);
  });
}

test("--validate accepts the example that is shipped", async () => {
  assert.deepEqual(await cli(["--validate", "-c", "config.example.yaml"]), {
    code: 0,
    stdout: "config.example.yaml: the configuration is valid\n",
    stderr: "",
  });
});

test("deno task start passes its arguments on", async () => {
  const { code, stdout } = await deno(
    ["task", "start", "-c", "config.example.yaml", "--validate"],
  );
  assert.equal(code, 0);
  assert.equal(stdout, "config.example.yaml: the configuration is valid\n");
});

test("config.yaml of the working directory is the default", async () => {
  await using place = await Place.create();
  const none = await cli(["--validate"], { cwd: place.directory });
  assert.equal(none.code, 1);
  assert.equal(
    none.stderr,
    'Cannot read the configuration "config.yaml": there is no such file; name one with -c FILE, or begin with a copy of config.example.yaml\n',
  );
  await place.write(VALID);
  assert.deepEqual(await cli(["--validate"], { cwd: place.directory }), {
    code: 0,
    stdout: "config.yaml: the configuration is valid\n",
    stderr: "",
  });
});

test("problems are on stderr, one a line, and end with 1 if checked, 78 if run", async () => {
  await using place = await Place.create();
  await place.write(VALID.replace("  host", "  hots") + "log_level: LOUD\n");
  for (const args of [["--validate"], [], ["-c", "./config.yaml"]]) {
    const { code, stdout, stderr } = await cli(args, { cwd: place.directory });
    const file = args[0] === "-c" ? "./config.yaml" : "config.yaml";
    assert.equal(code, args[0] === "--validate" ? 1 : 78);
    assert.equal(stdout, "");
    assert.equal(
      stderr,
      [
        `${file}:1:1: mqtt.host: is required`,
        `${file}:2:3: mqtt.hots: is not a key; did you mean mqtt.host?`,
        `${file}:6:12: log_level: must be one of DEBUG, INFO, WARN, ERROR`,
        "",
      ].join("\n"),
    );
  }
});

test("a variable that is not set and one that the sandbox hides are told apart", async () => {
  await using place = await Place.create();
  await place.write(`${VALID}  worker_id: "\${BROKER_SECRET}"
  topic_prefix: "\${ANSIBLE_WORKER_NOWHERE}"
  max_queue_size: \${ANSIBLE_WORKER_QUEUE}
log_level: \${NOWHERE:-WARN}
`);
  const { code, stderr } = await cli(["--validate"], {
    cwd: place.directory,
    env: { BROKER_SECRET: "hunter2", ANSIBLE_WORKER_QUEUE: "7" },
  });
  assert.equal(code, 1);
  assert.equal(
    stderr,
    [
      "config.yaml:6:14: worker.worker_id: the variable BROKER_SECRET is hidden by Deno's sandbox; start the worker with --allow-env=BROKER_SECRET",
      "config.yaml:7:17: worker.topic_prefix: the variable ANSIBLE_WORKER_NOWHERE is not set",
      "",
    ].join("\n"),
  );
});

test("a file that the sandbox hides is told as such", async () => {
  await using place = await Place.create();
  await place.write(
    VALID.replace("playbook_directory: .", "worker_id: w") +
      "  playbook_directory: /usr\n",
  );
  const args = startArguments().map((argument) =>
    argument === "--allow-read" ? `--allow-read=${place.directory}` : argument
  );
  const file = `${place.directory}/config.yaml`;
  const { code, stderr } = await deno([...args, "--validate", "-c", file]);
  assert.equal(code, 1);
  assert.equal(
    stderr,
    `${file}:6:23: worker.playbook_directory: "/usr" is hidden by Deno's sandbox; start the worker with --allow-read=/usr\n`,
  );
});

test("output that nobody reads is no error", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...startArguments(), "--help"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await child.stdout.cancel();
  const [{ code }, stderr] = await Promise.all([
    child.status,
    new Response(child.stderr).text(),
  ]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
});

for (const format of ["text", "json"] as const) {
  test(`the ${format} log of a worker has one entry a line and no password`, async () => {
    await using project = await Project.create();
    await using worker = await Worker.spawn({
      project,
      // No broker of another test can be given this one.
      port: 1,
      mqtt: { username: "user", password: "connect" },
      config: { log_level: "DEBUG", log_format: format },
    });
    await worker.logged("trying again");
    assert.equal(await worker.stop(), 0);
    await worker.ended();
    const lines = worker.log.trimEnd().split("\n");
    for (const line of lines) {
      if (format === "json") JSON.parse(line);
      else assert.match(line, /^\d{4}-[-0-9:.T]+Z (DEBUG|INFO|WARN|ERROR) +\S/);
    }
    // The password is a word of the message, so that it is sure to be met.
    assert.match(worker.log, /cannot \*\*\* to the broker/);
    assert.ok(!worker.log.includes("connect"));
  });
}

/** A directory with a configuration. */
class Place implements AsyncDisposable {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async create(): Promise<Place> {
    return new Place(await Deno.makeTempDir({ prefix: "cli-" }));
  }

  async write(text: string): Promise<void> {
    await Deno.writeTextFile(`${this.directory}/config.yaml`, text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name: `command line: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    fn,
  });
}
