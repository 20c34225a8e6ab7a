/** The unit file, as systemd itself judges it. */
import assert from "node:assert/strict";
import { ROOT, startArguments } from "../../dev/programs.ts";

/** The most exposure that the unit may have, of 10; it is 1.4 with systemd 252. */
const MAX_EXPOSURE = 2;

/** What is the same in every unit, whatever systemd there is to judge it. */
const LINES = [
  "User=ansible-worker",
  "NoNewPrivileges=yes",
  "ProtectSystem=strict",
  "ProtectHome=yes",
  "PrivateDevices=yes",
  "CapabilityBoundingSet=",
  "SystemCallFilter=~@privileged",
  "KillMode=mixed",
  "Type=notify",
  "NotifyAccess=all",
  "StateDirectoryMode=0750",
  "StartLimitIntervalSec=60",
  "RestartPreventExitStatus=78",
  "RestartForceExitStatus=SIGHUP",
];

/** Makes the unit of a configuration in a directory of this name. */
async function unit(name: string, more: {
  worker?: object;
  config?: object;
} = {}): Promise<{
  text: string;
  file: string;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const root = await Deno.makeTempDir();
  const directory = `${root}/${name}`;
  await Deno.mkdir(directory);
  await Deno.writeTextFile(
    `${directory}/config.yaml`,
    JSON.stringify({
      mqtt: { host: "broker", username: "w", password: "${MQTT_PASSWORD}" },
      worker: {
        group_name: "g",
        worker_id: "w",
        playbook_directory: ".",
        ...more.worker,
      },
      ...more.config,
    }),
  );
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      `${ROOT}src/main.ts`,
      "permissions",
      "--format",
      "systemd",
      "-c",
      `${directory}/config.yaml`,
    ],
    env: { MQTT_PASSWORD: "secret" },
  }).output();
  const text = new TextDecoder();
  assert.ok(success, text.decode(stderr));
  const file = `${root}/ansible-worker.service`;
  await Deno.writeFile(file, stdout);
  return {
    text: text.decode(stdout),
    file,
    [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }),
  };
}

/** What `systemd-analyze` says; null where there is none. */
async function analyze(
  ...args: string[]
): Promise<{ success: boolean; said: string } | null> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(
      "systemd-analyze",
      { args, stdin: "null", env: { LC_ALL: "C.UTF-8", SYSTEMD_COLORS: "0" } },
    ).output();
    const text = new TextDecoder();
    return { success, said: text.decode(stdout) + text.decode(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

for (const name of ["plain", "a b", "100% $HOME;\\'\""]) {
  Deno.test(`the unit file is one that systemd takes: ${name}`, async () => {
    await using made = await unit(name);
    for (const line of LINES) {
      assert.ok(made.text.includes(`\n${line}\n`), line);
    }
    assert.ok(!made.text.includes("secret"));
    // One home, which is that of /etc/passwd; and the umask as by hand.
    assert.doesNotMatch(made.text, /HOME=|UMask/);
    const [, start] = /^ExecStart=(.*)$/m.exec(made.text)!;
    assert.deepEqual(
      [...made.text.matchAll(/^ExecReload=(.*)$/gm)].map(([, line]) => line),
      [
        `/usr/bin/env CREDENTIALS_DIRECTORY=%d ${start} --validate`,
        "/bin/kill -HUP $MAINPID",
      ],
    );
    const verdict = await analyze("verify", made.file);
    if (verdict) assert.deepEqual(verdict, { success: true, said: "" });
  });
}

Deno.test("the unit file gives V8 what the start task gives it", async () => {
  await using made = await unit("plain");
  const own = startArguments().filter((word) => word.startsWith("--v8-flags="));
  assert.equal(own.length, 1);
  assert.ok(made.text.includes(` ${own[0]} `), made.text);
});

Deno.test("what systemd takes is not just anything", async () => {
  await using made = await unit("plain");
  await Deno.writeTextFile(
    made.file,
    made.text.replace("ProtectSystem=strict", "ProtectSystem=nonsense"),
  );
  const verdict = await analyze("verify", made.file);
  if (verdict) assert.match(verdict.said, /nonsense/);
});

Deno.test("with the drop-in for become the unit file is one that systemd takes", async () => {
  await using made = await unit("plain");
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      `${ROOT}src/main.ts`,
      "permissions",
      "--format",
      "systemd",
      "--become",
    ],
  }).output();
  assert.ok(success);
  await Deno.mkdir(`${made.file}.d`);
  await Deno.writeFile(`${made.file}.d/become.conf`, stdout);
  const verdict = await analyze("verify", made.file);
  if (verdict) assert.deepEqual(verdict, { success: true, said: "" });
});

Deno.test("the unit file exposes little", async () => {
  await using made = await unit("plain");
  const verdict = await analyze("security", "--offline=true", made.file);
  // Older ones cannot judge a file, only what is loaded.
  if (!verdict || /unrecognized option/.test(verdict.said)) return;
  const [, exposure] = /Overall exposure level .*: ([\d.]+)/.exec(
    verdict.said,
  ) ?? [];
  assert.ok(exposure, verdict.said);
  assert.ok(Number(exposure) <= MAX_EXPOSURE, verdict.said);
});

Deno.test("the unit lets through where the worker writes beyond its home", async () => {
  const content = { repository: "https://git.example/x", directory: "x" };
  const home = "/var/lib/ansible-worker";
  {
    await using inside = await unit("within", {
      worker: { journal: `${home}/journal` },
      config: { content: { ...content, directory: `${home}/content` } },
    });
    assert.ok(!inside.text.includes("ReadWritePaths"), inside.text);
  }
  await using elsewhere = await unit("elsewhere", {
    worker: { journal: "/srv/a b/journal" },
    config: { content: { ...content, directory: "/srv/content" } },
  });
  assert.match(
    elsewhere.text,
    /^ReadWritePaths=\/srv\/content "\/srv\/a b"$/m,
  );
});
