/**
 * The package: built, looked into, and installed by dpkg in a view of this
 * machine of which nothing stays.
 */
import assert from "node:assert/strict";
import { makeDeb } from "../../dev/distribution/deb.ts";
import { TARGETS, VERSION } from "../../dev/distribution/release.ts";
import { run } from "../../dev/distribution/run.ts";
import { freePort, ROOT } from "../../dev/programs.ts";
import { AlternateRoot } from "../harness/alternate_root.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { ListeningProgram } from "../harness/listening.ts";
import { Project } from "../harness/project.ts";
import { StandIn } from "../harness/stand_in.ts";
import { until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

const TARGET = TARGETS.find(({ triple }) =>
  triple.startsWith(Deno.build.arch) && triple.includes("linux")
)!;
const TIME = 1767225600;
const CONFIGURATION = "/etc/ansible-worker/config.yaml";
const WEB_CONFIGURATION = "/etc/ansible-worker-web/config.yaml";

/** Where it is there, man-db makes its index anew after each installation. */
const MANUAL_INDEX = "/var/lib/man-db/auto-update";

const hasDpkg = await exists("dpkg-deb");
const canInstall = hasDpkg && await AlternateRoot.isPossible();

async function exists(program: string): Promise<boolean> {
  return await run(["sh", "-c", `command -v ${program}`])
    .then(() => true, () => false);
}

/** The package, in a directory of its own. */
async function built() {
  const stack = new AsyncDisposableStack();
  const { programs } = stack.use(await StandIn.create());
  const directory = await Deno.makeTempDir({ prefix: "package-" });
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  return {
    deb: await makeDeb(TARGET, {
      programs,
      directory,
      time: TIME,
      compression: "gzip",
    }),
    programs,
    directory,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test("what is in it, and that the same files give the same bytes", async () => {
  await using package_ = await built();
  const { deb, directory, programs } = package_;
  const { stdout } = await run(["dpkg-deb", "--contents", deb]);
  const found = stdout.trim().split("\n").map((line) => {
    const [mode, owner, , , , path, , link] = line.split(/\s+/);
    return { mode, owner, path: path!, link };
  });
  const named = async (directory: string, name: string) =>
    (await run(["find", ".", "-name", name, "-printf", "%P\n"], {
      cwd: `${ROOT}${directory}`,
    })).stdout.trim().split("\n");
  const python = (await named("src/ansible/python", "*.*"))
    .filter((path) => path !== "" && !path.includes("__pycache__"));
  const docs = await named("docs", "*.md");
  const files: Record<string, string> = Object.fromEntries([
    ["./usr/lib/ansible-worker/ansible-worker", "-rwxr-xr-x"],
    ["./usr/lib/ansible-worker/ansible-worker-web", "-rwxr-xr-x"],
    ["./etc/ansible-worker/config.yaml", "-rw-r-----"],
    ["./etc/ansible-worker-web/config.yaml", "-rw-r-----"],
    ...[
      "./usr/lib/systemd/system/ansible-worker.service",
      "./usr/lib/systemd/system/ansible-worker@.service",
      "./usr/lib/systemd/system/ansible-worker-web.service",
      "./usr/share/doc/ansible-worker/README.md.gz",
      "./usr/share/doc/ansible-worker/changelog.gz",
      "./usr/share/doc/ansible-worker/copyright",
      "./usr/share/doc/ansible-worker/examples/config.example.yaml",
      ...docs.map((name) => `./usr/share/doc/ansible-worker/docs/${name}.gz`),
      "./usr/share/man/man1/ansible-worker.1.gz",
      ...python.map((path) => `./usr/lib/ansible-worker/python/${path}`),
    ].map((path) => [path, "-rw-r--r--"]),
  ]);
  assert.deepEqual(
    Object.fromEntries(
      found.filter(({ mode }) => mode!.startsWith("-"))
        .map(({ path, mode }) => [path, mode]),
    ),
    files,
  );
  assert.deepEqual(
    found.filter(({ mode }) => mode!.startsWith("l"))
      .map(({ path, link }) => [path, link]),
    [
      ["./usr/bin/ansible-worker", "../lib/ansible-worker/ansible-worker"],
      [
        "./usr/bin/ansible-worker-web",
        "../lib/ansible-worker/ansible-worker-web",
      ],
      ["./usr/share/man/man1/ansible-worker-web.1.gz", "ansible-worker.1.gz"],
    ],
  );
  for (const { mode, owner, path } of found) {
    assert.equal(owner, "root/root", path);
    if (!mode!.startsWith("d")) continue;
    const closed = path === "./etc/ansible-worker/playbooks/";
    assert.equal(mode, closed ? "drwxr-x---" : "drwxr-xr-x", path);
  }
  const second = await Deno.makeTempDir({ dir: directory });
  const again = await makeDeb(TARGET, {
    programs,
    directory: second,
    time: TIME,
    compression: "gzip",
  });
  await run(["cmp", deb, again]);
});

test("what dpkg is told of it", async () => {
  await using package_ = await built();
  const { stdout } = await run(["dpkg-deb", "--field", package_.deb]);
  const field = (name: string) =>
    new RegExp(`^${name}: (.*)$`, "m").exec(stdout)?.[1];
  assert.equal(field("Package"), "ansible-worker");
  assert.equal(field("Version"), VERSION);
  assert.equal(field("Architecture"), TARGET.architecture);
  assert.match(field("Depends")!, /\bansible-core \(>= 2\.14\) \| ansible\b/);
  assert.match(field("Depends")!, /\badduser\b/);
  assert.ok(Number(field("Installed-Size")) > 0);
  for (const script of ["postinst", "prerm", "postrm"]) {
    await run(["sh", "-n", `${ROOT}packaging/debian/${script}`]);
  }
});

Deno.test({
  name: `package, with ${StandIn.what}: lintian finds no error in it`,
  ignore: !await exists("lintian"),
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using package_ = await built();
    await run([
      "lintian",
      "--fail-on=error",
      // Who answers for it is for whoever builds it to say; and Deno brings its
      // libraries along.
      "--suppress-tags=bogus-mail-host,bogus-mail-host-in-debian-changelog,root-in-contact,embedded-library",
      package_.deb,
    ]);
  },
});

Deno.test({
  name:
    `package, with ${StandIn.what}: installed, used, upgraded, removed and purged`,
  // Only root may see the machine otherwise than it is.
  ignore: !canInstall,
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using package_ = await built();
    await using root = await AlternateRoot.create();
    const dpkg = async (...args: string[]) =>
      (await root.run(["dpkg", ...args])).stdout;
    const text = async (...command: string[]) =>
      (await root.run(command)).stdout.trim();
    // Where Ansible has not come as a package, only its name is missing.
    const force = await root.run(["dpkg", "--status", "ansible-core"])
      .then(() => [], () => ["--force-depends"]);
    // The index of all manual pages is not ours, and takes longer than all else.
    await root.run(["rm", "-f", MANUAL_INDEX]);
    const install = () =>
      dpkg(...force, "--force-unsafe-io", "--install", package_.deb);

    await t.step(
      "dpkg installs it, and it says what is to be done",
      async () => {
        assert.match(
          await install(),
          /edit \/etc\/ansible-worker\/config\.yaml, then: systemctl enable --now ansible-worker/,
        );
        assert.equal(await dpkg("--verify", "ansible-worker"), "");
        assert.equal(
          await text("dpkg-query", "-W", "-f=${Status}", "ansible-worker"),
          "install ok installed",
        );
      },
    );

    await t.step("nothing else on the machine has changed", async () => {
      const own =
        /^(usr\/(lib|share\/doc)\/ansible-worker\/|etc\/ansible-worker(-web)?\/|usr\/bin\/ansible-worker(-web)?$|usr\/lib\/systemd\/system\/ansible-worker(-web|@)?\.service$|usr\/share\/man\/man1\/ansible-worker(-web)?\.1\.gz$)/;
      const accounts = /^etc\/(passwd|group|shadow|gshadow|subuid|subgid)-?$/;
      const notes =
        /^var\/(lib\/dpkg|log|cache\/man|cache\/ldconfig)\/|\.lock$|^run\/adduser$/;
      for (const path of await root.changed()) {
        assert.ok(
          MANUAL_INDEX === `/${path}` ||
            [own, accounts, notes].some((known) => known.test(path)),
          path,
        );
      }
    });

    await t.step(
      "its users own only their homes, and read what they have to",
      async () => {
        assert.match(
          await text("getent", "passwd", "ansible-worker"),
          /^ansible-worker:x:\d+:\d+:.*:\/var\/lib\/ansible-worker:\/usr\/sbin\/nologin$/,
        );
        for (
          const [path, rights] of [
            [WEB_CONFIGURATION, "640 root:ansible-worker-web"],
            [
              "/var/lib/ansible-worker-web",
              "700 ansible-worker-web:ansible-worker-web",
            ],
            [CONFIGURATION, "640 root:ansible-worker"],
            ["/etc/ansible-worker/playbooks", "750 root:ansible-worker"],
            ["/var/lib/ansible-worker", "750 ansible-worker:ansible-worker"],
          ] as const
        ) {
          assert.equal(
            await text("stat", "-c", "%a %U:%G", path),
            rights,
            path,
          );
        }
      },
    );

    const as = (user: string) => [
      "setpriv",
      `--reuid=${user}`,
      `--regid=${user === "nobody" ? "nogroup" : user}`,
      "--init-groups",
      "--no-new-privs",
    ];

    await t.step(
      "its configuration is valid, and not everybody's",
      async () => {
        const check = ["ansible-worker", "--validate", "-c", CONFIGURATION];
        assert.equal(
          await text(...as("ansible-worker"), ...check),
          `${CONFIGURATION}: the configuration is valid`,
        );
        await assert.rejects(text(...as("nobody"), ...check), /[Cc]annot read/);
      },
    );

    await t.step("its unit runs what is installed", async () => {
      const unit = await text(
        "cat",
        "/usr/lib/systemd/system/ansible-worker.service",
      );
      const [, command] = /^ExecStart=(.*)$/m.exec(unit)!;
      assert.equal(command, `/usr/bin/ansible-worker -c ${CONFIGURATION}`);
      const { User, Group, StateDirectory } = Object.fromEntries(
        unit.split("\n")
          .map((line) => line.split("=") as [string, string]),
      );
      assert.deepEqual(
        [User, Group, StateDirectory],
        ["ansible-worker", "ansible-worker", "ansible-worker"],
        "and that is in /var/lib, where the home of its user is",
      );
    });

    await t.step({
      name: "systemd finds nothing wrong with its unit",
      ignore: !await exists("systemd-analyze"),
      async fn() {
        for (
          const name of [
            "ansible-worker",
            "ansible-worker@second",
            "ansible-worker-web",
          ]
        ) {
          const { stdout, stderr } = await root.run([
            "systemd-analyze",
            "verify",
            `${name}.service`,
          ]);
          assert.equal(stdout + stderr, "", name);
        }
      },
    });

    await t.step("it runs a task as its user", async () => {
      const owner = await text("id", "-u", "ansible-worker");
      await using broker = await Broker.start();
      await using project = await Project.create();
      await run(["chown", "-R", owner, project.path("")]);
      await using client = await Client.connect(broker.port);
      await using worker = await Worker.start({
        project,
        port: broker.port,
        program: root.words([...as("ansible-worker"), "ansible-worker"]),
      });
      const final = await client.run(project.work("t"));
      assert.equal(final.state, "success", final.error_message ?? "");
      assert.equal(await worker.stop(), 0);
    });

    await t.step(
      "the page is served as its user, with the configuration as it comes",
      async () => {
        const unit = await text(
          "cat",
          "/usr/lib/systemd/system/ansible-worker-web.service",
        );
        const [, command] = /^ExecStart=(.*)$/m.exec(unit)!;
        assert.equal(
          command,
          `/usr/bin/ansible-worker-web -c ${WEB_CONFIGURATION}`,
        );
        assert.match(unit, /^User=ansible-worker-web$/m);
        assert.match(unit, /^StateDirectory=ansible-worker-web$/m);
        await assert.rejects(
          text(...as("ansible-worker"), ...command!.split(" ")),
          /[Cc]annot read/,
          "the worker's user may not read it",
        );
        const port = freePort();
        await text(
          ...["sed", "-i", `s/# listen: .*/listen: "127.0.0.1:${port}"/`],
          WEB_CONFIGURATION,
        );
        const [program = "", ...args] = root.words([
          ...as("ansible-worker-web"),
          ...command!.split(" "),
        ]);
        await using page = await ListeningProgram.start({
          program,
          args,
          ports: [port],
          seconds: 60,
        });
        const response = await fetch(`http://127.0.0.1:${port}/`);
        assert.match(await response.text(), /No worker is online/);
        await until(
          "the address",
          () => page.said.includes("the page is at http:"),
        );
        assert.equal(
          await text("stat", "-c", "%U", "/var/lib/ansible-worker-web/web.db"),
          "ansible-worker-web",
        );
      },
    );

    await t.step(
      "installed again, the configuration stays as it was left",
      async () => {
        await text("sh", "-c", `echo '# ours' >> ${CONFIGURATION}`);
        await text("chmod", "0600", CONFIGURATION);
        await text("chown", "ansible-worker", CONFIGURATION);
        await install();
        assert.match(await text("tail", "-1", CONFIGURATION), /^# ours$/);
        assert.equal(
          await text("stat", "-c", "%a %U:%G", CONFIGURATION),
          "600 ansible-worker:ansible-worker",
        );
      },
    );

    await t.step(
      "removed and installed again, it says again what is to be done",
      async () => {
        await dpkg("--remove", "ansible-worker");
        assert.match(await install(), /then: systemctl enable --now/);
      },
    );

    await t.step(
      "removed, it leaves the configuration; purged, only its users",
      async () => {
        await text(
          "mkdir",
          "-p",
          "/usr/lib/ansible-worker/python/__pycache__",
        );
        await dpkg("--remove", "ansible-worker");
        await text("test", "-e", CONFIGURATION);
        await text("test", "!", "-e", "/usr/lib/ansible-worker");
        await text("test", "!", "-L", "/usr/bin/ansible-worker");
        await dpkg("--purge", "ansible-worker");
        for (const path of ["/etc", "/usr/lib", "/var/lib"]) {
          await text("test", "!", "-e", `${path}/ansible-worker`);
          await text("test", "!", "-e", `${path}/ansible-worker-web`);
        }
        assert.equal(
          await text(
            "find",
            "/etc",
            "/usr",
            "/var/lib/systemd",
            "-name",
            "ansible-worker*",
          ),
          "",
        );
      },
    );
  },
});

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name: `package, with ${StandIn.what}: ${name}`,
    ignore: !hasDpkg,
    sanitizeOps: true,
    sanitizeResources: true,
    fn,
  });
}
