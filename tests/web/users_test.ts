/** The page's users and its copies, as those who set it up make them. */
import assert from "node:assert/strict";
import { ROOT } from "../../dev/programs.ts";
import { Database } from "../../src/web/database.ts";
import { Broker } from "../harness/broker.ts";
import { Project } from "../harness/project.ts";
import { until } from "../harness/waiting.ts";
import { Web } from "../harness/web.ts";
import { form, json } from "./reading.ts";

const PASSWORD = "correct horse battery";

/** Runs `ansible-worker web …`, with what is typed. */
async function command(
  words: string[],
  { typed = "", flags = ["-A"] }: { typed?: string; flags?: string[] } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      ...flags,
      `${ROOT}src/main.ts`,
      "web",
      ...words,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(typed)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

Deno.test("a user is added, logs in below a path, and gets another password; a copy is made meanwhile", async () => {
  await using project = await Project.create();
  await using broker = await Broker.start();
  const users = project.path("users");
  const file = project.path("web.yaml");
  await Deno.writeTextFile(
    file,
    JSON.stringify({
      mqtt: { host: "127.0.0.1", port: broker.port },
      worker: { group_name: "test" },
      web: { database: project.path("web.db"), users },
    }),
  );
  const passwd = (words: string[], typed: string, flags?: string[]) =>
    command(["passwd", ...words, "-c", file], {
      typed,
      ...(flags && { flags }),
    });
  const short = await passwd(["alice"], "short\n");
  assert.equal(short.code, 1);
  assert.match(short.stderr, /must be 8 to 1000 characters/);
  const added = await passwd(["alice", "--role", "operator"], `${PASSWORD}\n`);
  assert.equal(added.code, 0, added.stderr);
  assert.match(added.stderr, /alice may log in as operator/);
  assert.equal(Deno.statSync(users).mode! & 0o777, 0o600);
  assert.ok(!Deno.readTextFileSync(users).includes(PASSWORD));

  await using web = await Web.start({
    project,
    port: broker.port,
    narrow: true,
    web: { users, base_path: "/ansible/" },
  });
  const base = `${web.address}/ansible`;
  const asked = await fetch(`${base}/tasks/x?run=1`, { redirect: "manual" });
  await asked.text();
  const login = new URL(asked.headers.get("location")!, base);
  assert.equal(login.pathname, "/ansible/login");
  assert.equal(login.searchParams.get("next"), "/tasks/x?run=1");
  const right = await fetch(
    login,
    form(base, { name: "alice", password: PASSWORD, next: "/tasks/x?run=1" }),
  );
  await right.text();
  assert.equal(right.headers.get("location"), "/ansible/tasks/x?run=1");
  const [cookie] = right.headers.get("set-cookie")!.split(";");
  assert.match(right.headers.get("set-cookie")!, /; Path=\/ansible; /);
  const page = await fetch(`${base}/`, { headers: { cookie: cookie! } });
  const html = await page.text();
  assert.equal(page.status, 200);
  assert.ok(html.includes("alice"));
  for (
    const [, url] of html.matchAll(
      /(?:href|src|action|data-stream)="(\/[^"]*)"/g,
    )
  ) {
    assert.ok(url!.startsWith("/ansible/"), url!);
  }
  const outside = await fetch(`${web.address}/`, { redirect: "manual" });
  await outside.text();
  assert.equal(outside.status, 404);
  const authorization = `Basic ${btoa(`alice:${PASSWORD}`)}`;
  assert.deepEqual(
    await json(`${base}/api/tasks`, { headers: { authorization } }),
    { tasks: [], next: null },
  );

  const again = await passwd(["alice"], "another password\n");
  assert.match(again.stderr, /as operator/, "the role stays");
  for (const headers of [{ cookie: cookie! }, { authorization }]) {
    const after = await fetch(`${base}/api/tasks`, { headers });
    await after.text();
    assert.equal(after.status, 401);
  }
  await until("the log", () => web.log.includes("web: log in"));

  // Where the sandbox lets nobody write, the line is printed.
  const printed = await passwd(["bob"], `${PASSWORD}\n`, [
    "--allow-read",
    "--allow-env",
  ]);
  assert.match(printed.stdout, /^bob:viewer:scrypt\$/);

  const copy = project.path("copy.db");
  const saved = await command(["backup", copy, "-c", file]);
  assert.equal(saved.code, 0, saved.stderr);
  using database = Database.open(copy);
  assert.ok(database.isSound());
  assert.ok(
    database.all("SELECT action FROM audit WHERE who = 'alice'").length > 0,
  );
});

Deno.test("what is wrong with the configuration of the page is told, and it does not start", async () => {
  await using project = await Project.create();
  const file = project.path("web.yaml");
  await Deno.writeTextFile(
    file,
    JSON.stringify({
      mqtt: { host: "127.0.0.1" },
      worker: { group_name: "test" },
      web: { database: project.path("web.db"), listen: ":8480" },
    }),
  );
  const { code, stderr } = await command(["-c", file]);
  assert.equal(code, 78);
  assert.match(stderr, /web\.listen: is reached from other hosts/);
});

Deno.test("a trusted proxy says who comes, and what they may do", async () => {
  await using project = await Project.create();
  await using broker = await Broker.start();
  await using web = await Web.start({
    project,
    port: broker.port,
    web: {
      allow: ["submit"],
      trusted_proxy: {
        address: "127.0.0.1",
        user_header: "X-User",
        role_header: "X-Role",
      },
    },
  });
  const ask = async (path: string, headers: Record<string, string>) => {
    const response = await fetch(`${web.address}${path}`, {
      headers,
      redirect: "manual",
    });
    return { status: response.status, text: await response.text() };
  };
  assert.equal((await ask("/", {})).status, 401);
  const viewer = await ask("/", { "x-user": "vera", "x-role": "nothing" });
  assert.equal(viewer.status, 200);
  assert.ok(viewer.text.includes("vera"));
  assert.equal((await ask("/submit", { "x-user": "vera" })).status, 403);
  const operator = { "x-user": "otto", "x-role": "operator" };
  assert.equal((await ask("/submit", operator)).status, 200);
});
