/**
 * What cannot be run here, the workflows and the recipe of the container, looked
 * at as closely as can be without running it.
 */
import assert from "node:assert/strict";
import { parse } from "yaml";
import project from "../../deno.json" with { type: "json" };
import { KINDS } from "../../dev/brokers/kinds.ts";
import { NAME, TARGETS, VERSION } from "../../dev/distribution/release.ts";
import { run } from "../../dev/distribution/run.ts";
import { ROOT } from "../../dev/programs.ts";

interface Step {
  uses?: string;
  with?: Record<string, unknown>;
  run?: string;
  env?: Record<string, string>;
  "working-directory"?: string;
}

interface Workflow {
  on: Record<string, unknown>;
  permissions: Record<string, string>;
  jobs: Record<string, {
    "runs-on": string;
    needs?: string;
    permissions?: Record<string, string>;
    env?: Record<string, string>;
    strategy?: { matrix: Record<string, string[]> };
    container?: { image: string; options: string };
    services?: Record<string, { image: string; ports: string[] }>;
    steps: Step[];
  }>;
}

async function workflow(name: string): Promise<Workflow> {
  const file = `${ROOT}.github/workflows/${name}.yml`;
  return parse(await Deno.readTextFile(file), { strict: true });
}

const stepsOf = ({ jobs }: Workflow) =>
  Object.values(jobs).flatMap(({ steps }) => steps);

for (const name of ["ci", "release", "brokers"]) {
  test(`${name}: its actions are pinned, its scripts name what there is`, async () => {
    const flow = await workflow(name);
    assert.deepEqual(flow.permissions, { contents: "read" });
    for (const { steps, ...job } of Object.values(flow.jobs)) {
      assert.match(job["runs-on"], /^ubuntu-\d\d\.\d\d$/);
      assert.ok(steps.length > 0);
    }
    for (const step of stepsOf(flow)) {
      assert.equal(Number("uses" in step) + Number("run" in step), 1);
      if (step.uses) await checkAction(name, step);
      if (step.run) await check(step.run);
    }
  });
}

/**
 * An action of a workflow: named by its commit, since a tag may be moved, with
 * the release that this is; and no token is left where a script may read it.
 */
async function checkAction(name: string, step: Step): Promise<void> {
  assert.match(step.uses!, /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
  const text = await Deno.readTextFile(`${ROOT}.github/workflows/${name}.yml`);
  assert.match(
    text,
    new RegExp(`uses: ${step.uses} # v\\d+\\.\\d+\\.\\d+$`, "m"),
  );
  if (step.uses!.startsWith("actions/checkout@")) {
    assert.equal(step.with?.["persist-credentials"], false);
  }
}

/** A script of a workflow: its syntax, its files, its tasks. */
async function check(script: string): Promise<void> {
  await run(["bash", "-n", "-c", script]);
  for (const [path] of script.matchAll(/(?<![\w/])(\.ci|tests|dev)\/\S+\b/g)) {
    const { isFile } = await Deno.stat(`${ROOT}${path}`);
    assert.ok(isFile, path);
  }
  for (const [, task] of script.matchAll(/\btask (?:--quiet )?([a-z:]+)/g)) {
    assert.ok(task! in project.tasks, task!);
  }
}

test("release: it begins with a tag, checks first, and publishes all that is made", async () => {
  const flow = await workflow("release");
  assert.deepEqual(flow.on, { push: { tags: ["v*"] } });
  const scripts = stepsOf(flow).map((step) => step.run ?? "");
  const place = (text: string) => {
    const found = scripts.findIndex((script) => script.includes(text));
    assert.ok(found >= 0, text);
    return found;
  };
  const order = [
    "--version",
    ".ci/run",
    "task compile",
    "archive_test.ts",
    "deb_test.ts",
    "docker build",
    "sha256sum ./",
    "sha256sum --check",
    "gh release create",
  ].map(place);
  assert.deepEqual(order, [...order].sort((a, b) => a - b));
  const publish = scripts[place("gh release create")]!;
  for (const what of ["dist/*.tar.gz", "dist/*.deb", "dist/SHA256SUMS"]) {
    assert.ok(publish.includes(what), what);
  }
  for (const { env } of stepsOf(flow)) {
    const program = env?.ANSIBLE_WORKER_PROGRAM;
    if (!program) continue;
    assert.ok(program.endsWith(`/dist/${TARGETS[0]!.name}/${NAME}`), program);
  }
});

test("release: what may write runs nothing of the repository", async () => {
  const { jobs } = await workflow("release");
  const writing = Object.values(jobs).filter(({ permissions = {} }) =>
    Object.values(permissions).includes("write")
  );
  assert.equal(writing.length, 1);
  const [{ needs, steps }] = writing as [typeof writing[number]];
  assert.equal(needs, "make");
  for (const { uses = "", run: script = "" } of steps) {
    assert.doesNotMatch(uses, /checkout/);
    assert.doesNotMatch(script, /\.ci\/|\bdeno\b|\bnpx?\b/);
  }
});

test("ci: everything on both releases of Debian, also under their systemd", async () => {
  const { jobs: { ci } } = await workflow("ci");
  const { strategy, container, steps } = ci!;
  assert.deepEqual(strategy!.matrix, { debian: ["12", "13"] });
  assert.equal(
    container!.image,
    "docker.io/library/debian:${{ matrix.debian }}",
  );
  assert.match(container!.options, /--privileged/);
  const scripts = steps.map((step) => step.run ?? "");
  for (const script of [".ci/run", ".ci/deno task test:systemd"]) {
    assert.ok(scripts.includes(script), script);
  }
});

test("brokers: every container is pinned, and is reached where it listens", async () => {
  const { jobs: { brokers } } = await workflow("brokers");
  const { services, env } = brokers!;
  assert.ok(services && env);
  const names = KINDS.map(({ name }) => name);
  for (const [name, { image, ports }] of Object.entries(services)) {
    assert.ok(names.includes(name), name);
    assert.match(image, /^docker\.io\/[\w/-]+:\d+\.\d+\.\d+$/);
    const [, port] = /^(\d+):1883$/.exec(ports.join()) ?? [];
    assert.ok(env[`BROKER_${name.toUpperCase()}`]!.includes(`:${port}`), name);
  }
  assert.equal(Object.keys(env).length, Object.keys(services).length);
});

test("Deno's release and the program's version are each named in one place", async () => {
  const files = [
    ...await list(`${ROOT}.ci`),
    ...await list(`${ROOT}.github/workflows`),
    ...await list(`${ROOT}packaging/debian`),
    `${ROOT}Containerfile`,
    `${ROOT}docs/ansible-worker.1`,
  ];
  const naming: string[] = [];
  for (const file of files) {
    const text = await Deno.readTextFile(file);
    assert.ok(!text.includes(project.version), file);
    if (/\bdeno@\d/.test(text)) naming.push(file.slice(ROOT.length));
  }
  assert.deepEqual(naming, [".ci/deno"]);
  assert.equal(VERSION, project.version);
});

async function list(directory: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(directory));
  return entries.map(({ name }) => `${directory}/${name}`);
}

test("the container's recipe copies what is made, and ends without root", async () => {
  const steps = instructions(await Deno.readTextFile(`${ROOT}Containerfile`));
  assert.equal(steps[0]!.word, "FROM");
  for (const { word, rest } of steps) {
    if (word === "FROM") {
      assert.match(rest, /^docker\.io\/[\w/-]+:\d+[\w.-]*$/);
    }
    if (word === "RUN") await run(["sh", "-n", "-c", rest]);
    if (word === "ENTRYPOINT" || word === "CMD") {
      assert.ok(Array.isArray(JSON.parse(rest)), rest);
    }
    if (word === "COPY") {
      const [source, target, ...more] = rest.split(" ");
      assert.deepEqual(more, []);
      assert.ok(target!.endsWith("/"));
      const made = TARGETS.flatMap(({ architecture }) =>
        architecture ? [`dist/${NAME}_${VERSION}_${architecture}.deb`] : []
      );
      for (const architecture of ["amd64", "arm64"]) {
        const pattern = source!.replace("${TARGETARCH}", architecture)
          .replaceAll(".", "\\.").replaceAll("*", "[^/]*");
        const found = made.filter((path) =>
          new RegExp(`^${pattern}$`).test(path)
        );
        assert.equal(found.length, 1, pattern);
      }
    }
  }
  assert.match(last(steps, "USER"), /^[1-9]\d*:[1-9]\d*$/);
  const [program] = JSON.parse(last(steps, "ENTRYPOINT"));
  assert.equal(program, "/usr/bin/ansible-worker");
});

interface Instruction {
  word: string;
  rest: string;
}

/** The instructions that a recipe may have, and no others. */
const WORDS =
  /^(FROM|ARG|COPY|RUN|USER|ENV|WORKDIR|STOPSIGNAL|ENTRYPOINT|CMD)$/;

function instructions(text: string): Instruction[] {
  return text.split("\n").filter((line) => !line.startsWith("#")).join("\n")
    .replaceAll(/\\\n\s*/g, " ").split("\n").filter((line) => line.trim())
    .map((line) => {
      const [, word, rest] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
      assert.match(word ?? "", WORDS, line);
      return { word: word!, rest: rest! };
    });
}

function last(steps: Instruction[], word: string): string {
  const found = steps.filter((step) => step.word === word).at(-1);
  assert.ok(found, word);
  return found.rest;
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test(`release: ${name}`, fn);
}
