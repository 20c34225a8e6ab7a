/**
 * The archive, unpacked where nobody may write, and started by somebody who
 * owns nothing of it.
 */
import assert from "node:assert/strict";
import { archiveName, makeArchive } from "../../dev/distribution/archive.ts";
import { TARGETS } from "../../dev/distribution/release.ts";
import { run } from "../../dev/distribution/run.ts";
import { freePort, ROOT } from "../../dev/programs.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { ListeningProgram } from "../harness/listening.ts";
import { Project } from "../harness/project.ts";
import { StandIn } from "../harness/stand_in.ts";
import { until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

const TARGET = TARGETS[0]!;
const TIME = 1767225600;

/** Whoever runs the worker, if these tests are root's. */
const NOBODY = 65534;
const AS_NOBODY = Deno.uid() === 0
  ? [
    "setpriv",
    `--reuid=${NOBODY}`,
    `--regid=${NOBODY}`,
    "--clear-groups",
    "--no-new-privs",
  ]
  : [];

/** The archive, made and unpacked. */
async function unpacked() {
  const stack = new AsyncDisposableStack();
  const standIn = stack.use(await StandIn.create());
  const directory = await Deno.makeTempDir({ prefix: "unpacked-" });
  await Deno.chmod(directory, 0o755);
  stack.defer(async () => {
    await run(["chmod", "-R", "u+w", directory]);
    await Deno.remove(directory, { recursive: true });
  });
  const { programs } = standIn;
  const file = await makeArchive(TARGET, { programs, directory, time: TIME });
  await run(["tar", "-xzf", file, "-C", directory]);
  const top = `${directory}/${archiveName(TARGET)}`;
  await run(["chmod", "-R", "a-w", top]);
  return {
    file,
    top,
    program: `${top}/ansible-worker`,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** All paths below a directory. */
async function list(directory: string): Promise<string[]> {
  const { stdout } = await run(["find", directory, "-printf", "%P\n"]);
  return stdout.trim().split("\n").filter(Boolean).sort();
}

async function broughtUp() {
  const stack = new AsyncDisposableStack();
  const archive = stack.use(await unpacked());
  const broker = stack.use(await Broker.start());
  const project = stack.use(await Project.create());
  if (AS_NOBODY.length > 0) {
    await run(["chown", "-R", `${NOBODY}:${NOBODY}`, project.path("")]);
  }
  return {
    archive,
    broker,
    project,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test("what is in it, and that the same files give the same bytes", async () => {
  await using archive = await unpacked();
  const sources = await list(`${ROOT}src/ansible`);
  const isPython = (path: string) =>
    /^python\/.*\.\w+$/.test(path) && !path.includes("__pycache__");
  const python = sources.filter(isPython);
  assert.ok(python.length > 5);
  const files = await list(archive.top);
  assert.deepEqual(
    files.filter(isPython),
    python,
  );
  assert.deepEqual(
    files.filter((path) => path.startsWith("docs/")),
    (await list(`${ROOT}docs`)).filter((path) =>
      /\.(md|png)$|^images$/.test(path)
    )
      .map((path) => `docs/${path}`),
  );
  assert.deepEqual(
    files.filter((path) => !path.includes("/")),
    [
      "LICENSE",
      "README.md",
      "ansible-worker",
      "ansible-worker-web",
      "ansible-worker-web.service",
      "ansible-worker.1",
      "ansible-worker.service",
      "config.example.yaml",
      "docs",
      "python",
    ],
  );
  for (const path of python) {
    assert.equal(
      await Deno.readTextFile(`${archive.top}/${path}`),
      await Deno.readTextFile(`${ROOT}src/ansible/${path}`),
    );
  }
  const unit = await Deno.readTextFile(`${archive.top}/ansible-worker.service`);
  assert.match(
    unit,
    /^ExecStart=\/usr\/local\/bin\/ansible-worker -c \/etc\/ansible-worker\/config.yaml$/m,
  );
  const directory = await Deno.makeTempDir();
  try {
    const again = await makeArchive(TARGET, {
      programs: archive.top,
      directory,
      time: TIME,
    });
    await run(["cmp", archive.file, again]);
    const { stdout: owners } = await run([
      "tar",
      "-tvzf",
      again,
      "--numeric-owner",
    ]);
    for (const line of owners.trim().split("\n")) {
      assert.match(line, /^([d-]rwxr-xr-x|-rw-r--r--) 0\/0 /);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

test("it runs a task where nobody may write, and leaves nothing there", async () => {
  await using all = await broughtUp();
  const { archive, broker, project } = all;
  const { stdout: writable } = await run([
    ...AS_NOBODY,
    "find",
    archive.top,
    "-writable",
  ]);
  assert.equal(writable, "");
  const before = await list(archive.top);
  await using client = await Client.connect(broker.port);
  await using worker = await Worker.start({
    project,
    port: broker.port,
    program: [...AS_NOBODY, archive.program],
  });
  const final = await client.run(project.work("t"));
  assert.equal(final.state, "success", final.error_message ?? "");
  assert.equal(final.tasks_ok, 1);
  assert.equal(await worker.stop(), 0);
  assert.deepEqual(await list(archive.top), before);
});

test("the page's program serves it, and the worker's says that it cannot", async () => {
  await using all = await broughtUp();
  const { archive, broker, project } = all;
  const port = freePort();
  await Deno.writeTextFile(
    project.path("page.yaml"),
    JSON.stringify({
      mqtt: { host: "127.0.0.1", port: broker.port },
      worker: { group_name: "test" },
      web: { listen: `127.0.0.1:${port}`, database: project.path("page.db") },
    }),
  );
  const words = ["-c", project.path("page.yaml")];
  const page = `${archive.top}/ansible-worker-web`;
  {
    const [program = "", ...args] = [...AS_NOBODY, page, ...words];
    await using served = await ListeningProgram.start({
      program,
      args,
      ports: [port],
      seconds: 60,
    });
    const response = await fetch(`http://127.0.0.1:${port}/assets/page.js`);
    assert.match(await response.text(), /EventSource/);
    await until(
      "the address",
      () => served.said.includes("the page is at http:"),
    );
  }
  await assert.rejects(
    run([...AS_NOBODY, archive.program, "web", ...words]),
    /start ansible-worker-web, which lies beside the worker's program/,
  );
  const printed = async (format: string) =>
    (await run([
      ...[archive.program, "permissions", ...words],
      ...["--for", "web", "--format", format],
    ])).stdout;
  const unit = await printed("systemd");
  assert.ok(unit.includes(`\nExecStart=${page} ${words.join(" ")}\n`), unit);
  assert.match(
    await printed("compile"),
    /^deno compile .* --output ansible-worker-web src\/main\.ts web\n$/,
  );
});

test("it runs by a link elsewhere, with its Python files beside the program", async () => {
  await using all = await broughtUp();
  const link = all.project.path("ansible-worker");
  await Deno.symlink(all.archive.program, link);
  await using worker = await Worker.start({
    project: all.project,
    port: all.broker.port,
    program: [...AS_NOBODY, link],
  });
  assert.equal(await worker.stop(), 0);
});

test("without its Python files it does not start, and says where they belong", async () => {
  await using all = await broughtUp();
  const alone = all.project.path("ansible-worker");
  await Deno.copyFile(all.archive.program, alone);
  await using worker = await Worker.spawn({
    project: all.project,
    port: all.broker.port,
    program: [...AS_NOBODY, alone],
  });
  assert.equal((await worker.exited).code, 1);
  await worker.ended();
  assert.ok(
    worker.log.includes(
      `Cannot find the Python files of ansible-worker: looked for "${
        all.project.path("python/sitecustomize.py")
      }"; they belong beside the program, as in its archive`,
    ),
    worker.log,
  );
});

test("the permissions that it prints fit a compiled program", async () => {
  await using archive = await unpacked();
  const file = `${archive.top}/config.example.yaml`;
  const printed = async (format: string) =>
    (await run([
      archive.program,
      "permissions",
      "-c",
      file,
      "--format",
      format,
    ])).stdout;
  const unit = await printed("systemd");
  assert.ok(unit.includes(`\nExecStart=${archive.program} -c ${file}\n`), unit);
  assert.ok(!unit.includes("DENO_DIR"), unit);
  assert.match(await printed("flags"), /^deno run .* src\/main\.ts -c /);
  assert.match(
    await printed("compile"),
    /^deno compile .* --output ansible-worker src\/main\.ts\ncp -R src\/ansible\/python python\n$/,
  );
});

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name: `archive, with ${StandIn.what}: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    fn,
  });
}
