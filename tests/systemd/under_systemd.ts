/**
 * The package under a real systemd, as an operator has it: installed, started,
 * reloaded, broken in every way that was reported, mended, removed.
 *
 * Run by `deno task test:systemd`, which says what it lacks.
 */
import assert from "node:assert/strict";
import { makeDeb } from "../../dev/distribution/deb.ts";
import { TARGETS } from "../../dev/distribution/release.ts";
import { ROOT } from "../../dev/programs.ts";
import { ServiceHost, SHARE } from "../harness/service_host.ts";
import { StandIn } from "../harness/stand_in.ts";
import { until } from "../harness/waiting.ts";

const TARGET = TARGETS.find(({ triple }) =>
  triple.startsWith(Deno.build.arch) && triple.includes("linux")
)!;
const TIME = 1767225600;
const UNIT = "ansible-worker.service";
const CONFIG = "/etc/ansible-worker/config.yaml";
const DROP_IN = `/etc/systemd/system/${UNIT}.d`;

/** Names a package with sudo, where this machine has none itself. */
const SUDO = Deno.env.get("ANSIBLE_WORKER_TEST_SUDO");

/** The configuration of the service; its broker is named by a variable. */
const CONFIGURATION = `mqtt:
  host: "\${MQTT_HOST}"
  username: worker
  password_file: "\${CREDENTIALS_DIRECTORY}/mqtt"
  reconnect_min: 0.2
  reconnect_max: 0.5
worker:
  group_name: test
  worker_id: one
  playbook_directory: playbooks
  journal: /var/lib/ansible-worker/journal
  shutdown_grace: 1
  kill_grace: 1
`;

const PAGE = "ansible-worker-web";

/** The configuration of the page; its database is where the package has it. */
const PAGE_CONFIGURATION = `mqtt:
  host: 127.0.0.1
  username: worker
  password: secret
worker:
  group_name: test
web:
  database: /var/lib/ansible-worker-web/web.db
`;

/** A broker on the same host, which is not started before the test says so. */
const BROKER = `[Service]
ExecStart=mosquitto -c /etc/test-broker/mosquitto.conf
`;

const MOSQUITTO = `listener 1883 127.0.0.1
allow_anonymous false
password_file /etc/test-broker/passwords
max_queued_messages 0
max_inflight_messages 0
`;

const LOCAL = "[all]\nhere ansible_connection=local\n";

const MADE = `
- hosts: all
  gather_facts: false
  tasks:
    - shell: "touch ~/made && umask && stat -c '%a %U' ~/made && echo $HOME && grep NoNewPrivs /proc/self/status"
      register: result
    - copy:
        content: "{{ result.stdout }}"
        dest: "{{ lookup('env', 'HOME') }}/told"
`;

const BECOME = `
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - copy: { content: by root, dest: /etc/made-by-root }
    - user: { name: somebody-new, create_home: true }
`;

const SLEEP_AS_ROOT = `
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - command: sleep 600
`;

const OUTLIVES = `
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - command: systemd-run --collect --unit=outlives sleep 600
`;

const SLEEP = `
- hosts: all
  gather_facts: false
  tasks:
    - shell: "touch ~/sleeping; sleep 600"
`;

/** Ends when it is told to. */
const WAITS = `
- hosts: all
  gather_facts: false
  tasks:
    - shell: "touch ~/waiting; until test -e ~/go-on; do sleep 0.1; done"
`;

const TASKS =
  "MQTT_PASSWORD=secret ansible-worker tasks --host 127.0.0.1 --username worker --password-env MQTT_PASSWORD --group test";

Deno.test({
  name: `the package under systemd, with ${StandIn.what}`,
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using host = await ServiceHost.boot();
    await using standIn = await StandIn.create({
      below: host.share,
      seenAt: SHARE,
    });
    await makeDeb(TARGET, {
      programs: standIn.programs,
      directory: host.share,
      time: TIME,
      compression: "gzip",
    });
    // Each begins where the one before has left it.
    let failed = false;
    const step = async (name: string, fn: () => Promise<void>) => {
      const passed = await t.step({
        name,
        ignore: failed,
        fn: async () => {
          try {
            // Starts count for each step alone.
            await host.tried(`systemctl reset-failed ${UNIT}`);
            await fn();
          } catch (error) {
            const { said } = await host.tried(
              `systemctl status --no-pager ${UNIT}; journalctl --no-pager -n 60 -u ${UNIT}`,
            );
            throw new Error(`${(error as Error).message}\n${said}`);
          }
        },
      });
      failed ||= !passed;
    };
    const submit = (playbook: string, options = "") =>
      host.tried(
        `MQTT_PASSWORD=secret ansible-worker submit ${playbook} -i local --host 127.0.0.1 --username worker --password-env MQTT_PASSWORD --group test ${options}`,
      );
    const isNow = (property: string, wanted: RegExp) =>
      until(
        `${property} to match ${wanted}`,
        async () => wanted.test(await host.show(UNIT, property)),
      );
    const journal = (options = "") =>
      host.sh(`journalctl --no-pager -o cat -u ${UNIT} ${options}`);

    await step("it is installed, and not started", async () => {
      await host.sh(
        `dpkg --force-depends --force-unsafe-io -i ${SHARE}/*.deb`,
      );
      await host.write("/etc/test-broker/mosquitto.conf", MOSQUITTO);
      await host.sh(
        "touch /etc/test-broker/passwords && mosquitto_passwd -b /etc/test-broker/passwords worker secret && chown mosquitto /etc/test-broker/passwords",
      );
      await host.write("/etc/systemd/system/mosquitto.service", BROKER);
      await host.write(CONFIG, CONFIGURATION);
      await host.write(
        "/etc/ansible-worker/environment",
        "MQTT_HOST=127.0.0.1\n",
      );
      await host.write("/etc/ansible-worker/mqtt-password", "secret\n");
      await host.sh(
        "chmod 600 /etc/ansible-worker/mqtt-password /etc/ansible-worker/environment",
      );
      await host.write(
        `${DROP_IN}/password.conf`,
        "[Service]\nLoadCredential=mqtt:/etc/ansible-worker/mqtt-password\n",
      );
      for (
        const [name, text] of [
          ["local", LOCAL],
          ["made.yml", MADE],
          ["become.yml", BECOME],
          ["sleep.yml", SLEEP],
          ["sleep-as-root.yml", SLEEP_AS_ROOT],
          ["outlives.yml", OUTLIVES],
          ["waits.yml", WAITS],
        ] as const
      ) await host.write(`/etc/ansible-worker/playbooks/${name}`, text);
      await host.sh("systemctl daemon-reload");
      assert.equal(await host.show(UNIT, "ActiveState"), "inactive");
    });

    const asTheService = async () =>
      (await documented()).map((command) =>
        command.replaceAll(
          "-p User=",
          "-p LoadCredential=mqtt:/etc/ansible-worker/mqtt-password -p User=",
        )
      );

    await step(
      "the documented commands look at it as the service",
      async () => {
        for (const command of await asTheService()) {
          const { code, said } = await host.tried(command);
          assert.doesNotMatch(said, /the variable \S+ is not set|Not needed/);
          if (command.includes("--validate")) {
            assert.deepEqual({ code, said }, {
              code: 0,
              said: `${CONFIG}: the configuration is valid`,
            });
          } else {
            assert.equal(code, 1, "there is no broker yet");
            assert.match(said, /^ok +home: "\/var\/lib\/ansible-worker"/m);
            assert.match(said, /^ok +launcher: /m);
          }
        }
      },
    );

    await step("a home that the unit closes is told everywhere", async () => {
      // As "useradd --create-home" makes it by itself.
      await host.sh(
        "usermod --home /home/ansible-worker ansible-worker && install -d -o ansible-worker /home/ansible-worker",
      );
      const [validate, doctor] = await asTheService();
      const problem =
        /the home of the user ansible-worker, "\/home\/ansible-worker", is not there, or may not be entered/;
      const validated = await host.tried(validate!);
      assert.equal(validated.code, 0, validated.said);
      assert.match(validated.said, /^warning: /);
      assert.match(validated.said, problem);
      const { said } = await host.tried(doctor!);
      assert.match(said, /^FAILED +home: /m);
      assert.match(said.replace(/\s+/g, " "), problem);
      assert.match(
        (await host.tried(
          `mkdir /opt/credentials && cp /etc/ansible-worker/mqtt-password /opt/credentials/mqtt
           MQTT_HOST=x CREDENTIALS_DIRECTORY=/opt/credentials ansible-worker permissions --format systemd -c ${CONFIG} > /dev/null`,
        )).said,
        /usermod --home \/var\/lib\/ansible-worker --move-home ansible-worker/,
      );
      await host.sh("usermod --home /var/lib/ansible-worker ansible-worker");
    });

    await step("a broker that is down does not hold up the boot", async () => {
      const before = performance.now();
      await host.sh(`systemctl start ${UNIT}`);
      assert.ok(performance.now() - before < 60_000);
      assert.equal(await host.show(UNIT, "ActiveState"), "active");
      assert.match(
        await host.show(UNIT, "StatusText"),
        /^cannot connect to the broker at 127\.0\.0\.1:1883: /,
      );
      await host.sh("systemctl start mosquitto");
      await isNow("StatusText", /^ready for tasks on /);
    });

    await step("a run has the home, the umask and no more rights", async () => {
      const { code, said } = await submit("made.yml");
      assert.equal(code, 0, said);
      assert.equal(
        await host.sh("cat /var/lib/ansible-worker/told"),
        [
          "0022",
          "644 ansible-worker",
          "/var/lib/ansible-worker",
          "NoNewPrivs:\t1",
        ].join("\n"),
      );
      assert.equal(
        await host.sh("stat -c '%a %U' /var/lib/ansible-worker"),
        "750 ansible-worker",
      );
    });

    await step("the journal has priorities, and each time once", async () => {
      const warnings = await journal("-p warning");
      assert.match(warnings, /^WARN {2}cannot connect to the broker at /m);
      assert.doesNotMatch(warnings, /^INFO/m);
      const all = await journal();
      assert.match(all, /^INFO {2}ready for tasks on /m);
      assert.doesNotMatch(all, /^<|^\d{4}-\d\d-\d\dT/m);
      assert.doesNotMatch(all, /the sandbox allows more/);
    });

    await step(
      "what modules are called with is not in the journal, unless it is to be",
      async () => {
        const { code, said } = await submit("made.yml");
        assert.equal(code, 0, said);
        assert.doesNotMatch(await journal(), /Invoked with/);
        const settings = "/etc/ansible-worker/playbooks/ansible.cfg";
        await host.write(settings, "[defaults]\nno_target_syslog = false\n");
        const told = await submit("made.yml");
        assert.equal(told.code, 0, told.said);
        await until(
          "what a module was called with",
          async () => (await journal()).includes("Invoked with"),
        );
        await host.sh(`rm ${settings}`);
      },
    );

    await step(
      "a run that ends while the broker is away, and is told after a restart",
      async () => {
        const asked = await submit("waits.yml", "--detach --id unheard");
        assert.equal(asked.code, 0, asked.said);
        const home = "/var/lib/ansible-worker";
        await until(
          "the run",
          async () => (await host.tried(`test -e ${home}/waiting`)).code === 0,
        );
        await host.sh(`systemctl stop mosquitto && touch ${home}/go-on`);
        await until(
          "its end in the log",
          async () => (await journal()).includes("the task ended: success"),
        );
        await host.sh(
          `systemctl stop ${UNIT} && systemctl start mosquitto ${UNIT}`,
        );
        await isNow("StatusText", /^ready for tasks on /);
        await until(
          "its end at the broker",
          async () => /unheard +success/.test((await host.tried(TASKS)).said),
        );
      },
    );

    await step(
      "a reload that is not valid fails, and harms nobody",
      async () => {
        const pid = await host.show(UNIT, "MainPID");
        await host.sh(`echo 'log_level: LOUD' >> ${CONFIG}`);
        assert.notEqual((await host.tried(`systemctl reload ${UNIT}`)).code, 0);
        assert.match(await journal("-n 20"), /log_level: must be one of/);
        await host.sh(`sed -i 's/LOUD/DEBUG/' ${CONFIG}`);
        assert.equal((await host.tried(`systemctl reload ${UNIT}`)).code, 0);
        await until(
          "the configuration to be read",
          async () =>
            (await journal()).includes("the configuration was read again"),
        );
        assert.equal(await host.show(UNIT, "MainPID"), pid);
        await isNow("ActiveState", /^active$/);
      },
    );

    await step("a reload right after a restart leaves it running", async () => {
      await host.sh(`systemctl restart --no-block ${UNIT}`);
      await host.tried(`systemctl reload ${UNIT}`);
      await isNow("StatusText", /^ready for tasks on /);
      const pid = await host.show(UNIT, "MainPID");
      // Before its handler is there, as a hand might do it.
      await host.sh(`systemctl restart --no-block ${UNIT}`);
      await until("a new process", async () => {
        const now = await host.show(UNIT, "MainPID");
        return now !== pid && now !== "0";
      });
      await host.sh(`kill -HUP "$(systemctl show --value -p MainPID ${UNIT})"`);
      await isNow("StatusText", /^ready for tasks on /);
      await isNow("ActiveState", /^active$/);
    });

    await step("a worker that stands still is started again", async () => {
      await host.write(
        `${DROP_IN}/watchdog.conf`,
        "[Service]\nWatchdogSec=3\nRestartSec=0.5\n",
      );
      await host.sh(`systemctl daemon-reload && systemctl restart ${UNIT}`);
      const pid = await host.show(UNIT, "MainPID");
      await host.sh(`kill -STOP ${pid}`);
      await until("another process", async () => {
        const now = await host.show(UNIT, "MainPID");
        return now !== pid && now !== "0";
      });
      await isNow("StatusText", /^ready for tasks on /);
      assert.match(
        await host.sh(`journalctl --no-pager -o cat _PID=1 -u ${UNIT}`),
        /Watchdog timeout/,
      );
      await host.sh(`rm ${DROP_IN}/watchdog.conf && systemctl daemon-reload`);
    });

    await step("a second worker of the template unit", async () => {
      await host.write(
        "/etc/ansible-worker/blue.yaml",
        CONFIGURATION.replace("worker_id: one", "worker_id: blue")
          .replace("/journal", "/blue.journal"),
      );
      await host.write(
        "/etc/systemd/system/ansible-worker@.service.d/password.conf",
        "[Service]\nLoadCredential=mqtt:/etc/ansible-worker/mqtt-password\n",
      );
      await host.sh(
        "systemctl daemon-reload && systemctl start ansible-worker@blue",
      );
      assert.equal(
        await host.show("ansible-worker@blue", "ActiveState"),
        "active",
      );
      await host.sh("systemctl stop ansible-worker@blue");
    });

    await step(
      "the page, which writes nowhere but to its directory",
      async () => {
        await host.write(`/etc/${PAGE}/config.yaml`, PAGE_CONFIGURATION);
        assert.equal(await host.show(PAGE, "ActiveState"), "inactive");
        await host.sh(`systemctl start ${PAGE}`);
        await until(
          "the worker on the page",
          async () =>
            (await host.tried(
              `python3 -c 'import urllib.request as r; print(r.urlopen("http://127.0.0.1:8480/api/workers").read())'`,
            )).said.includes('"worker_id":"one"'),
        );
        const seen = `/proc/${await host.show(PAGE, "MainPID")}/root`;
        await host.sh(`touch ${seen}/var/lib/${PAGE}/here`);
        const { code, said } = await host.tried(
          `touch ${seen}/etc/${PAGE}/there`,
        );
        assert.notEqual(code, 0);
        assert.match(said, /Read-only file system/);
        assert.equal(
          (await host.sh(`stat -c '%a %U' /var/lib/${PAGE}/web.db`)).trim(),
          "600 ansible-worker-web",
        );
        await host.sh(`systemctl stop ${PAGE}`);
        assert.equal(await host.show(PAGE, "Result"), "success");
      },
    );

    await step("a worker whose id is in use is given up", async () => {
      const pid = await host.show(UNIT, "MainPID");
      const twin = "ansible-worker@twin";
      await host.write(
        "/etc/ansible-worker/twin.yaml",
        CONFIGURATION.replace("/journal", "/twin.journal"),
      );
      const quick = `/etc/systemd/system/${twin}.service.d/quick.conf`;
      await host.write(quick, "[Service]\nRestartSec=0.5\n");
      await host.sh("systemctl daemon-reload");
      assert.notEqual((await host.tried(`systemctl start ${twin}`)).code, 0);
      await until(
        "its end",
        async () => await host.show(twin, "ActiveState") === "failed",
      );
      assert.equal(await host.show(twin, "NRestarts"), "5");
      assert.match(
        await host.sh(`journalctl --no-pager -o cat -p err -u ${twin}`),
        /the worker id "one" is in use/,
      );
      assert.equal(await host.show(UNIT, "MainPID"), pid);
      assert.equal(await host.show(UNIT, "ActiveState"), "active");
    });

    await step("a broker on the host stops after the worker", async () => {
      assert.match(await host.show(UNIT, "After"), /\bmosquitto\.service\b/);
    });

    await step("become, with what permissions prints", async () => {
      if (SUDO !== undefined) {
        await Deno.copyFile(SUDO, `${host.share}/sudo.package`);
        await host.sh(
          `dpkg --force-depends --force-unsafe-io -i ${SHARE}/sudo.package`,
        );
      }
      await host.sh(
        "echo 'ansible-worker ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/worker && chmod 440 /etc/sudoers.d/worker",
      );
      const before = await submit("become.yml");
      assert.notEqual(before.code, 0, "the unit as it is does not let it");
      await host.sh(
        `ansible-worker permissions --format systemd --become > ${DROP_IN}/become.conf && systemctl daemon-reload && systemctl restart ${UNIT}`,
      );
      const { code, said } = await submit("become.yml");
      assert.equal(code, 0, said);
      assert.equal(
        await host.sh("stat -c '%a %U' /etc/made-by-root /home/somebody-new"),
        "644 root\n700 somebody-new".replace(
          "700",
          await host.sh("stat -c %a /home/somebody-new"),
        ),
      );
      const ended = await submit("sleep-as-root.yml", "--timeout 10");
      assert.match(
        ended.said,
        /processes of root are left: .*sleep \(\d+\)\ntimeout in /,
      );
      const started = await submit("outlives.yml");
      assert.equal(started.code, 0, started.said);
      await host.sh(`rm ${DROP_IN}/become.conf && systemctl daemon-reload`);
      await host.sh(`systemctl restart ${UNIT}`);
      assert.equal(await host.show("outlives", "ActiveState"), "active");
      assert.equal(await host.sh("pgrep -cx sleep"), "1", "root's of the run");
      await host.sh("systemctl stop outlives");
    });

    await step(
      "killed, it comes back; nothing of its run is left",
      async () => {
        assert.equal(
          (await submit("sleep.yml", "--detach --id killed")).code,
          0,
        );
        await until(
          "the run",
          async () =>
            (await host.tried("test -e /var/lib/ansible-worker/sleeping"))
              .code === 0,
        );
        await host.sh(
          `kill -KILL "$(systemctl show --value -p MainPID ${UNIT})"`,
        );
        const left =
          "ls -d /var/lib/ansible-worker/.ansible/tmp/ansible-tmp-* 2>/dev/null | wc -l";
        assert.equal(await host.sh(left), "1", "a module and its arguments");
        await isNow("NRestarts", /^[1-9]/);
        await isNow("StatusText", /^ready for tasks on /);
        assert.match(
          (await host.tried(TASKS)).said,
          /killed +failed/,
        );
        assert.equal((await host.tried("pgrep -x sleep")).code, 1);
        assert.equal(await host.sh(left), "0");
      },
    );

    await step("a wrong configuration is not tried again", async () => {
      await host.sh(
        `systemctl stop ${UNIT}; systemctl reset-failed ${UNIT} || true`,
      );
      await host.sh(`echo 'nonsense: 1' >> ${CONFIG}`);
      assert.notEqual((await host.tried(`systemctl start ${UNIT}`)).code, 0);
      assert.equal(await host.show(UNIT, "ActiveState"), "failed");
      assert.equal(await host.show(UNIT, "NRestarts"), "0");
      assert.equal(await host.show(UNIT, "ExecMainStatus"), "78");
      assert.match(await journal("-p err -n 5"), /nonsense: is not a key/);
      await host.sh(`sed -i /nonsense/d ${CONFIG}`);
    });

    await step("a fault that stays is given up after five starts", async () => {
      await host.write(
        `${DROP_IN}/no-ansible.conf`,
        "[Service]\nEnvironment=PATH=/opt/bare\nRestartSec=1\n",
      );
      // What a stand-in needs itself.
      await host.sh(
        'mkdir /opt/bare && ln -s "$(command -v readlink)" /opt/bare && systemctl daemon-reload',
      );
      await host.tried(`systemctl start ${UNIT}`);
      await isNow("ActiveState", /^failed$/);
      assert.equal(await host.show(UNIT, "NRestarts"), "5");
      await host.sh(`rm ${DROP_IN}/no-ansible.conf && systemctl daemon-reload`);
      await host.sh(`systemctl reset-failed ${UNIT}`);
    });

    await step(
      "removed, it stops, and says nothing is left running",
      async () => {
        await host.sh(`systemctl enable --now ${UNIT}`);
        await host.sh("dpkg --force-unsafe-io -r ansible-worker");
        assert.equal((await host.tried("pgrep -u ansible-worker")).code, 1);
      },
    );
  },
});

/** The commands that docs/operations.md gives for looking as the service does. */
async function documented(): Promise<string[]> {
  const text = await Deno.readTextFile(`${ROOT}docs/operations.md`);
  const [, block] = /<!-- run: as the service -->\s*```sh\n([\s\S]*?)```/.exec(
    text,
  )!;
  return block!.replaceAll("\\\n", "").trim().split("\n");
}
