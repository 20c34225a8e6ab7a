/** The page, looked at in a real browser, beside real workers. */
import assert from "node:assert/strict";
import type { Locator, Page } from "playwright-core";
import { chromium, ROOT } from "../../../dev/programs.ts";
import { Broker } from "../../harness/broker.ts";
import { assertNoWider, Browser, objections } from "../../harness/browser.ts";
import { Client } from "../../harness/client.ts";
import { localHosts, Project } from "../../harness/project.ts";
import { Web } from "../../harness/web.ts";
import { Worker } from "../../harness/worker.ts";
import { pause, until } from "../../harness/waiting.ts";

/** What somebody would like to be run by a page. */
const SCRIPT = `<img src=x onerror="document.title='run'">`;

/** Goes on when a file is there, which a test writes. */
const WAIT =
  `"{{ lookup('pipe', 'while [ ! -e ' ~ gate ~ ' ]; do sleep 0.05; done') }}"`;

const SITE = `
- name: Prepare all hosts
  hosts: all
  gather_facts: false
  tasks:
    - name: Set the time zone
      debug: msg=Europe/Berlin
    - name: Install base packages
      debug: msg=curl
      changed_when: inventory_hostname is match('web')
    - name: Write the motd
      debug: msg=hello
      when: inventory_hostname is match('web')
- name: Web servers
  hosts: all
  gather_facts: false
  tasks:
    - name: Wait for the load balancer
      debug: { msg: ${WAIT} }
      run_once: true
    - name: Install nginx
      debug: msg=nginx
      changed_when: true
    - name: Ask the mirror
      fail: msg=unreachable
      ignore_errors: true
      when: inventory_hostname == 'db-1'
    - name: Check the answer
      debug: msg=200
`;

const BROKEN = `
- name: Databases
  hosts: all
  gather_facts: false
  tasks:
    - name: Look around
      debug: msg=fine
    - name: Restore the dump
      fail:
        msg: 'the disk is full ${SCRIPT.replaceAll("'", "''")}'
      when: inventory_hostname == 'db-1'
`;

const LONG = `
- hosts: all
  gather_facts: false
  tasks:
    - name: Wait
      debug: { msg: ${WAIT} }
`;

const LOUD = `
- hosts: web-1
  gather_facts: false
  tasks:
    - name: Count
      debug:
        msg: "{{ range(3000) | map('string') | map('regex_replace', '^', 'line ') }}"
`;

const TEMPLATES = {
  "deploy-web": {
    description: "Brings a release to the web servers",
    playbook: "deploy.yml",
    inventory: "hosts.ini",
    variables: {
      properties: {
        app_version: {
          type: "string",
          pattern: "^\\d+\\.\\d+\\.\\d+$",
          description: "The release to bring out",
        },
        restart: { type: "boolean", default: true },
        count: { type: "integer", minimum: 1, maximum: 10 },
        colour: { enum: ["blue", "green"], default: "blue" },
      },
      required: ["app_version"],
    },
    may_set: ["limit", "check_mode"],
  },
};

/** For the picture of a task. */
const RELEASE = `
- name: Prepare all hosts
  hosts: all
  gather_facts: false
  tasks:
    - { name: Set the time zone, debug: { msg: Europe/Berlin } }
    - { name: Install base packages, debug: { msg: curl }, changed_when: "inventory_hostname is match('web')" }
    - { name: Write the motd, debug: { msg: hello }, when: "inventory_hostname is match('web')" }
    - { name: Set the limits, debug: { msg: 4096 } }
    - { name: Mount the share, debug: { msg: "{{ lookup('pipe', 'sleep 2.5') }}" }, run_once: true }
- name: Databases
  hosts: db
  gather_facts: false
  tasks:
    - { name: Stop the replication, debug: { msg: stopped }, changed_when: true }
    - { name: Migrate the schema, debug: { msg: "{{ lookup('pipe', 'sleep 0.3') }}" } }
    - name: Check the free space
      fail: { msg: "the disk is full: 180 MB free on /var/lib/postgresql, 2048 MB are needed" }
      when: inventory_hostname == 'db-3'
    - { name: Start the replication, debug: { msg: started }, changed_when: true }
- name: Web servers
  hosts: web
  gather_facts: false
  tasks:
    - { name: Take it out of the balancer, debug: { msg: out }, changed_when: true }
    - { name: Unpack the release, debug: { msg: 2.5.0 }, changed_when: true }
    - { name: Ask the mirror, fail: { msg: "504 from the mirror" }, when: "inventory_hostname == 'web-5'", ignore_errors: true }
    - { name: Restart the service, debug: { msg: restarted }, changed_when: true }
    - { name: Check the answer, debug: { msg: 200 } }
    - { name: Put it back, debug: { msg: in }, changed_when: true }
`;

const DEPLOY = `
- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Bring it out
      debug: msg="{{ app_version }} {{ restart }} {{ colour }}"
`;

/** A line of the board that is about a task. */
function lineOf(page: Page, list: string, id: string): Locator {
  return page.locator(`#${list} .line`, { hasText: id });
}

/** The rows of a task's map, in the order in which their first results came. */
function hostsOf(page: Page): Promise<string[]> {
  return page.locator("#map .names > div").allInnerTexts();
}

Deno.test({
  name: "the page, live in a browser",
  ignore: !await chromium(),
  async fn(t) {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "hosts.ini": localHosts("web-1", "web-2", "web-3", "db-1"),
      "production.ini": "[web]\nweb-[1:8]\n[db]\ndb-[1:4]\n" + localHosts(),
      "release.yml": RELEASE,
      "site.yml": SITE,
      "broken.yml": BROKEN,
      "long.yml": LONG,
      "loud.yml": LOUD,
      "deploy.yml": DEPLOY,
    });
    await Deno.writeTextFile(
      project.path("ansible.cfg"),
      "[defaults]\nforce_color = true\n",
    );
    await using web = await Web.start({
      project,
      port: broker.port,
      web: { allow: ["cancel", "submit"] },
    });
    await using browser = await Browser.start(web.address);
    await using client = await Client.connect(broker.port);
    const gate = (name: string) => project.path(`gate-${name}`);
    const open = (name: string) => Deno.writeTextFile(gate(name), "");
    const ask = (task_id: string, playbook: string, more = {}) =>
      client.submit({
        task_id,
        playbook,
        inventory: "hosts.ini",
        extra_vars: { gate: gate(task_id) },
        ...more,
      });

    const board = await browser.open("/");

    await t.step("without a worker, the board says what to do", async () => {
      await board.getByText("No worker is online.").waitFor();
      await board.getByText("No task has ended yet.").waitFor();
      assert.deepEqual(await objections(board), []);
    });

    await using worker = await Worker.start({
      project,
      port: broker.port,
      id: "worker-1",
      worker: {
        max_concurrent_tasks: 2,
        publish_events: true,
        publish_output: true,
      },
      config: { templates: TEMPLATES },
      // Without a terminal, Ansible prints colours only if it is told to.
      env: { ANSIBLE_CONFIG: project.path("ansible.cfg") },
    });

    await t.step(
      "the board fills live: workers, what runs, what waits, what ended",
      async () => {
        await board.locator(".workers .card", { hasText: "worker-1" })
          .getByText("online").waitFor();
        await board.getByText("No worker is online.").waitFor({
          state: "hidden",
        });
        await ask("site-1", "site.yml");
        const line = lineOf(board, "running", "site-1");
        await line.getByText("Wait for the load balancer").waitFor();
        await board.getByText("1 of 2 busy").waitFor();
        await until(
          "the title to say that one runs",
          async () => (await board.title()).startsWith("(1) Board"),
        );
        await ask("long-1", "long.yml");
        await lineOf(board, "running", "long-1").waitFor();
        await ask("waits-1", "deploy.yml", {
          extra_vars: { app_version: 1, restart: 1, colour: 1 },
        });
        await lineOf(board, "queued", "waits-1").getByText(
          "waits: all 2 slots of worker-1 are busy",
        ).waitFor();
      },
    );

    await t.step(
      "a task's map fills while it runs, and its output follows",
      async () => {
        const page = await browser.open("/tasks/site-1");
        const squares = page.locator("#map .area path");
        await until(
          "the squares of the first play",
          async () => await squares.count() >= 12,
        );
        await page.getByText("Wait for the load balancer").first().waitFor();
        assert.match(await page.title(), /^\d+\/\d+ site\.yml/);
        const lines = page.locator(".terminal .l");
        await lines.getByText("TASK [Write the motd]").waitFor();
        await open("site-1");
        await page.locator("#head").getByText("success").waitFor();
        await until("all squares", async () => await squares.count() === 25);
        await lines.getByText("PLAY RECAP").waitFor();
        await page.locator(".terminal .fg-green", { hasText: "ok: [web-1]" })
          .first().waitFor();
        await page.getByRole("link", { name: "Run again …" }).waitFor();
        assert.equal(
          await page.getByRole("button", { name: "Cancel …" }).isVisible(),
          false,
        );
        await page.locator("#map .legend").getByText("ignored").waitFor();
        await page.locator("#plays .plays li").nth(1).waitFor();
        await page.locator("#map .area").hover({ position: { x: 24, y: 8 } });
        const [first] = await hostsOf(page);
        await page.locator(".readout", {
          hasText: `${first} · Install base packages`,
        }).waitFor();
        await page.locator("#map .area").click({ position: { x: 24, y: 8 } });
        await page.locator(".cell-result pre", { hasText: "curl" }).waitFor();
        assert.deepEqual(await objections(page), []);
        await page.context().close();
      },
    );

    await t.step("a failure shows its message, as text", async () => {
      await ask("broken-1", "broken.yml");
      // A slot is free by now: long-1 holds the other.
      const line = lineOf(board, "ended", "broken-1");
      await line.getByText("the disk is full").waitFor();
      await until(
        "the icon to tell of it",
        async () =>
          (await board.locator("#favicon").getAttribute("href"))!
            .endsWith("favicon-failed.svg"),
      );
      await line.getByRole("link", { name: "broken.yml" }).click();
      await board.waitForURL(/\/tasks\/broken-1/);
      const failure = board.locator("#failures li");
      await failure.getByText("Restore the dump").waitFor();
      assert.match(await failure.innerText(), /db-1/);
      assert.match(await failure.innerText(), /the disk is full <img/);
      assert.equal(await board.locator("#main img").count(), 0);
      await board.locator("#map .area path.c-failed").click({
        position: { x: 1, y: 1 },
      });
      await board.locator(".cell-result .failed pre", {
        hasText: "the disk is full",
      })
        .waitFor();
      assert.deepEqual(await objections(board), []);
    });

    await t.step(
      "cancel asks first, and what it was asked for is told",
      async () => {
        await board.goto("/tasks/long-1");
        await board.getByRole("button", { name: "Cancel …" }).click();
        const dialog = board.getByRole("dialog");
        await dialog.getByRole("button", { name: "Let it go on" }).click();
        assert.equal(await dialog.isVisible(), false);
        await board.getByRole("button", { name: "Cancel …" }).click();
        await dialog.getByLabel("Reason").fill("wrong inventory");
        await dialog.getByRole("button", { name: "Cancel the task" }).click();
        await board.locator("#head").getByText("cancelled").waitFor();
        assert.equal((await client.final("long-1")).state, "cancelled");
      },
    );

    await t.step(
      "a form tells its mistakes at the fields, and runs without them",
      async () => {
        await board.getByRole("link", { name: "Templates" }).click();
        await board.getByRole("link", { name: "deploy-web" }).click();
        await board.getByLabel("app_version").fill("2.5");
        await board.getByLabel("count").fill("11");
        await board.getByRole("button", { name: "Run deploy-web" }).click();
        await board.getByText("Nothing was run.").waitFor();
        const field = board.getByLabel("app_version");
        assert.equal(await field.getAttribute("aria-invalid"), "true");
        assert.equal(await field.inputValue(), "2.5");
        assert.equal(
          await board.getByLabel("count").getAttribute("aria-invalid"),
          "true",
        );
        assert.deepEqual(await objections(board), []);
        await field.fill("2.5.0");
        await board.getByLabel("count").fill("");
        await board.getByRole("radio", { name: "no", exact: true }).first()
          .check();
        await board.getByLabel("colour").selectOption("green");
        await board.getByRole("button", { name: "Run deploy-web" }).click();
        await board.waitForURL(/\/tasks\/[^/]+$/);
        await board.locator("#head").getByText("success").waitFor();
        await board.locator(".terminal .l", { hasText: "2.5.0 False green" })
          .first().waitFor();
      },
    );

    await t.step(
      "a long output opens at once, is found in, and its lines have addresses",
      async () => {
        await ask("loud-1", "loud.yml");
        const final = await client.final("loud-1");
        assert.equal(final.state, "success", final.error_message ?? "");
        // While it runs, its end would be followed.
        await board.goto("/");
        await lineOf(board, "ended", "loud-1").waitFor();
        await board.goto("/tasks/loud-1");
        await board.locator("#L1").waitFor();
        assert.ok(await board.locator(".terminal .l").count() < 1000);
        await board.getByRole("searchbox", { name: "Find in the output" }).fill(
          "line 2718",
        );
        await board.keyboard.press("Enter");
        const hit = board.locator(".terminal .l.hit");
        await hit.getByText("line 2718").waitFor();
        const id = await hit.getAttribute("id");
        const other = await browser.open(`/tasks/loud-1#${id}`);
        await other.locator(`#${id}.hit`).waitFor();
        await other.context().close();
        const [download] = await Promise.all([
          board.waitForEvent("download"),
          board.getByRole("link", { name: "Download" }).click(),
        ]);
        assert.match(
          await Deno.readTextFile(await download.path()),
          /line 2999/,
        );
      },
    );

    await t.step("run again fills in what is known, and runs it", async () => {
      await board.getByRole("link", { name: "Run again …" }).click();
      await board.waitForURL(/\/submit\?again=loud-1/);
      assert.equal(await board.getByLabel("Playbook").inputValue(), "loud.yml");
      await board.getByRole("button", { name: "Run", exact: true }).click();
      await board.waitForURL(/\/tasks\/[^/]+$/);
      await board.locator("#head").getByText("success").waitFor();
      assert.doesNotMatch(board.url(), /loud-1/);
    });

    await t.step(
      "filters and the search narrow the board, and stay in its address",
      async () => {
        await board.goto("/");
        await board.locator(".chip.failed").click();
        await board.waitForURL(/\?state=failed$/);
        await lineOf(board, "ended", "broken-1").waitFor();
        assert.equal(await board.locator("#ended .line").count(), 1);
        await board.getByRole("link", { name: "Show all" }).click();
        await board.waitForURL(({ search }) => search === "");
        await board.getByRole("searchbox").fill("disk is full");
        await board.keyboard.press("Enter");
        await board.waitForURL(/search=disk/);
        assert.equal(await board.locator("#ended .line").count(), 1);
      },
    );

    await t.step(
      "the history shows a bar for each run, live, which leads to it",
      async () => {
        await client.run({
          task_id: "site-2",
          playbook: "site.yml",
          inventory: "hosts.ini",
          extra_vars: { gate: gate("site-1") },
        });
        await board.goto("/history");
        await board.locator("select[name=playbook]").selectOption("site.yml");
        await board.waitForURL(/playbook=site.yml/);
        await board.locator(".bars a").nth(1).waitFor();
        assert.equal(await board.locator(".bars a").count(), 2);
        assert.deepEqual(await objections(board), []);
        const other = await browser.open("/history?playbook=site.yml");
        for (const page of [board, other]) {
          await page.locator("#live", { hasText: "live" }).waitFor();
        }
        await client.run({
          task_id: "site-3",
          playbook: "site.yml",
          inventory: "hosts.ini",
          extra_vars: { gate: gate("site-1") },
        });
        for (const page of [board, other]) {
          await page.locator(".bars a").nth(2).waitFor();
        }
        await other.context().close();
        await board.locator(".bars a").last().click();
        await board.waitForURL(/\/tasks\/site-3/);
      },
    );

    await t.step("a script that comes late misses nothing", async () => {
      for (const script of ["map", "output"]) {
        await board.route(`**/${script}.js*`, async (route) => {
          await pause(0.5);
          await route.continue();
        });
      }
      await board.goto("/tasks/broken-1");
      await board.locator("#map .area path.c-failed").waitFor();
      await board.unrouteAll({ behavior: "wait" });
    });

    await t.step("all of it by keyboard alone", async () => {
      await ask("long-2", "long.yml");
      await board.goto("/");
      await lineOf(board, "running", "long-2").waitFor();
      await board.keyboard.press("Tab");
      assert.ok(await hasFocus(board, ".skip"));
      await board.keyboard.press("Enter");
      await tabTo(board, "#running .what a");
      await board.keyboard.press("Enter");
      await board.waitForURL(/\/tasks\/long-2/);
      await tabTo(board, ".actions .danger");
      await board.keyboard.press("Enter");
      await board.keyboard.type("by keyboard");
      await board.keyboard.press("Enter");
      await board.locator("#head").getByText("cancelled").waitFor();
      await board.goto("/tasks/broken-1");
      await board.locator("#map .area path.c-failed").waitFor();
      await tabTo(board, "#map .area");
      await board.keyboard.press("End");
      const hosts = await hostsOf(board);
      for (let i = 0; i < hosts.indexOf("db-1"); i++) {
        await board.keyboard.press("ArrowDown");
      }
      await board.keyboard.press("Enter");
      await board.locator(".cell-result .result", {
        hasText: "the disk is full",
      })
        .waitFor();
      await tabTo(board, "#map .close");
      await board.keyboard.press("Enter");
      assert.ok(await hasFocus(board, "#map .area"));
    });

    await t.step("at 360 pixels and in the dark nothing is lost", async () => {
      for (
        const path of [
          "/",
          "/tasks/broken-1",
          "/history",
          "/templates",
          "/templates/deploy-web",
          "/submit",
          "/nowhere",
        ]
      ) {
        const page = await browser.open(path, {
          viewport: { width: 360, height: 740 },
          colorScheme: "dark",
          reducedMotion: "reduce",
          hasTouch: true,
        });
        await page.getByRole("heading", { level: 1 }).waitFor({
          state: "attached",
        });
        if (path === "/tasks/broken-1") {
          // They come when the page is there.
          await page.locator("#map .area path.c-failed").waitFor();
          await page.locator(".terminal .l").first().waitFor();
        }
        await assertNoWider(page);
        // The others are the same by their parts, and it takes a second a page.
        if (["/", "/tasks/broken-1", "/submit"].includes(path)) {
          assert.deepEqual(await objections(page), [], path);
        }
        await page.context().close();
      }
    });

    await t.step(
      "whoever comes back after a cut has missed nothing",
      async () => {
        await board.goto("/");
        await board.locator("#live", { hasText: "live" }).waitFor();
        await web.kill();
        await board.locator("#live", { hasText: "reconnecting" }).waitFor();
        await client.run({
          task_id: "meanwhile",
          playbook: "deploy.yml",
          inventory: "hosts.ini",
          extra_vars: { app_version: 1, restart: 1, colour: 1 },
        });
        await web.start();
        await lineOf(board, "ended", "meanwhile").waitFor();
      },
    );

    await t.step(
      "that the broker is away is said, as long as it is",
      async () => {
        await board.goto("/");
        await board.locator("#live", { hasText: "live" }).waitFor();
        await broker.stop();
        await board.locator("#away").waitFor();
        await broker.start();
        await board.locator("#away").waitFor({ state: "hidden" });
        await worker.logged("connected", 2);
      },
    );

    await t.step({
      name: "pictures for the README",
      ignore: !Deno.env.get("PICTURES"),
      async fn() {
        const save = async (name: string) => {
          await Deno.writeFile(
            `${ROOT}docs/images/${name}.png`,
            await board.screenshot({ animations: "disabled" }),
          );
        };
        await board.setViewportSize({ width: 1180, height: 1000 });
        await ask("release-2.5.0", "release.yml", {
          inventory: "production.ini",
        });
        await client.final("release-2.5.0");
        await ask("site-43", "site.yml");
        await ask("backup-43", "long.yml");
        await ask("restart-43", "deploy.yml");
        await board.goto("/");
        await lineOf(board, "running", "site-43").getByText("Wait for")
          .waitFor();
        await lineOf(board, "running", "backup-43").waitFor();
        await lineOf(board, "queued", "restart-43").waitFor();
        await save("board");
        await board.goto("/tasks/release-2.5.0");
        await board.locator("#map .area path.c-failed").first().waitFor();
        await save("task");
        await Promise.all([open("site-43"), open("backup-43")]);
        await client.final("restart-43");
      },
    });

    await t.step(
      "no page has complained, or asked anybody else for anything",
      () => {
        // The browser itself tells of what could not be reached, and of answers
        // such as 404 and 422, which were asked for here.
        const own = browser.complaints.filter((text) =>
          !/Failed to load resource|net::ERR_(CONNECTION|INCOMPLETE)/.test(text)
        );
        assert.deepEqual(own, []);
        assert.deepEqual(browser.elsewhere, []);
        const refused = browser.refused.map((one) => one.replace(/\?.*/, ""));
        assert.deepEqual([...new Set(refused)].sort(), [
          "404 /nowhere",
          "422 /templates/deploy-web",
        ]);
      },
    );

    assert.equal(await worker.stop(), 0);
  },
});

/** Whether an element has the focus. */
async function hasFocus(page: Page, selector: string): Promise<boolean> {
  return await page.evaluate(
    `document.activeElement.matches(${JSON.stringify(selector)})`,
  ) as boolean;
}

/** Presses Tab until an element has the focus. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let i = 0; i < 60; i++) {
    if (await hasFocus(page, selector)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not reach ${selector}`);
}
