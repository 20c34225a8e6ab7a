import assert from "node:assert/strict";
import { JournalError, JournalFile } from "../../src/ansible/journal_file.ts";

const environment = { PATH: Deno.env.get("PATH")! };

async function directory() {
  const path = await Deno.makeTempDir({ prefix: "journal-" });
  return {
    path: `${path}/journal`,
    async [Symbol.asyncDispose]() {
      await Deno.remove(path, { recursive: true });
    },
  };
}

function open(
  path: string,
  kept: { seconds: number; atMost: number } = { seconds: 60, atMost: 100 },
): Promise<JournalFile> {
  return JournalFile.open({ path, kept, environment });
}

function line(task_id: string, event: string, { ago = 0 } = {}): string {
  const at = new Date(Date.now() - ago * 1000).toISOString();
  return JSON.stringify({ at, event, task_id });
}

const written = async (path: string) =>
  (await Deno.readTextFile(path)).split("\n").slice(0, -1);

Deno.test("journal file: what is written is there, in order, and for this user alone", async () => {
  await using there = await directory();
  const lines = Array.from({ length: 200 }, (_, i) => line(`t-${i}`, "begun"));
  {
    await using file = await open(there.path);
    assert.deepEqual(file.lines, []);
    await Promise.all(lines.map((one) => file.append(one)));
    assert.deepEqual(await written(there.path), lines);
  }
  assert.equal((await Deno.stat(there.path)).mode! & 0o777, 0o600);
  await using file = await open(there.path);
  assert.deepEqual(file.lines, lines);
});

Deno.test("journal file: of each task the last line is kept, and what is over for a while", async () => {
  await using there = await directory();
  const lines = [
    line("ran", "begun", { ago: 90 }),
    line("died", "begun", { ago: 90 }),
    line("ran", "ended", { ago: 80 }),
    line("old", "told", { ago: 70 }),
    line("recent", "told", { ago: 50 }),
    line("latest", "told"),
  ];
  const part = lines[0]!.slice(0, 30);
  await Deno.writeTextFile(there.path, `${lines.join("\n")}\n${part}`);
  {
    await using file = await open(there.path);
    assert.equal(file.unreadable, 1);
    assert.deepEqual(file.lines, [lines[1], lines[2], lines[4], lines[5]]);
    await file.append(line("next", "begun"));
  }
  await using file = await open(there.path, { seconds: 60, atMost: 1 });
  assert.deepEqual(
    file.lines.map((one) => JSON.parse(one).task_id),
    ["died", "ran", "latest", "next"],
  );
});

Deno.test("journal file: a long one is written anew while it is used", async () => {
  await using there = await directory();
  await using file = await open(there.path, { seconds: 0, atMost: 100 });
  const long = "x".repeat(20_000);
  for (let i = 0; i < 150; i++) {
    await file.append(JSON.stringify({
      at: "2026-05-04T12:00:00.000Z",
      event: "told",
      task_id: `t-${i}`,
      long,
    }));
  }
  await file.append(line("next", "begun"));
  assert.ok((await Deno.stat(there.path)).size < 2_000_000);
  assert.equal(JSON.parse((await written(there.path)).at(-1)!).task_id, "next");
});

Deno.test("journal file: it is one process's alone", async () => {
  await using there = await directory();
  {
    await using _ = await open(there.path);
    await assert.rejects(open(there.path), (error: Error) => {
      assert.ok(error instanceof JournalError);
      assert.match(error.message, /another process writes it/);
      assert.ok(error.message.includes(there.path));
      return true;
    });
  }
  await using _ = await open(there.path);
});

Deno.test("journal file: one that cannot be written is refused, and says why", async () => {
  await using there = await directory();
  await assert.rejects(
    open(`${there.path}/in/none`),
    /cannot write the journal ".*": No such file or directory/,
  );
  await Deno.mkdir(there.path);
  await assert.rejects(open(there.path), /Is a directory/);
});

Deno.test("journal file: what cannot be written rejects, and what can be later does not", async () => {
  await using there = await directory();
  const path = `${there.path}/here/journal`;
  await Deno.mkdir(`${there.path}/here`, { recursive: true });
  await using file = await open(path);
  await file.append(line("a", "begun"));
  await Deno.remove(`${there.path}/here`, { recursive: true });
  await assert.rejects(
    file.append(line("b", "begun")),
    /No such file or directory/,
  );
  await Deno.mkdir(`${there.path}/here`);
  await file.append(line("c", "begun"));
  assert.deepEqual(
    (await written(path)).map((one) => JSON.parse(one).task_id),
    [
      "c",
    ],
  );
});

Deno.test({
  name: "journal file: should what writes it be killed, another one does",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using there = await directory();
    await using file = await open(there.path);
    await file.append(line("a", "begun"));
    const [pid] = await writers(there.path);
    Deno.kill(pid!, "SIGKILL");
    const late = file.append(line("b", "begun"));
    // The one that was under way may have been lost with it.
    await late.catch((error) => assert.ok(error instanceof JournalError));
    await file.append(line("c", "begun"));
    const ids = (await written(there.path)).map((one) =>
      JSON.parse(one).task_id
    );
    assert.equal(ids[0], "a");
    assert.equal(ids.at(-1), "c");
    assert.equal((await writers(there.path)).length, 1);
  },
});

/** The processes that have a file open. */
async function writers(path: string): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      for await (const fd of Deno.readDir(`/proc/${name}/fd`)) {
        if (await Deno.readLink(`/proc/${name}/fd/${fd.name}`) === path) {
          found.push(Number(name));
        }
      }
    } catch {
      // It is another user's, or gone.
    }
  }
  return found;
}
