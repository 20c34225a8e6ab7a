/** Logging in, in a real browser, and what each role sees. */
import assert from "node:assert/strict";
import { hashOf } from "../../../src/web/users.ts";
import { chromium } from "../../../dev/programs.ts";
import { Broker } from "../../harness/broker.ts";
import { Browser, objections } from "../../harness/browser.ts";
import { Project } from "../../harness/project.ts";
import { Web } from "../../harness/web.ts";

Deno.test({
  name: "the page: who logs in sees what their role may do, until they log out",
  ignore: !await chromium(),
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    const users = project.path("users");
    const password = "correct horse battery";
    await Deno.writeTextFile(
      users,
      `ada:operator:${await hashOf(password)}\nbob:viewer:${await hashOf(
        password,
      )}\n`,
      { mode: 0o600 },
    );
    await using web = await Web.start({
      project,
      port: broker.port,
      web: { users, allow: ["submit"] },
    });
    await using browser = await Browser.start(web.address);
    const page = await browser.open("/history");
    const logIn = async (name: string, word: string) => {
      await page.getByLabel("Name").fill(name);
      await page.getByLabel("Password").fill(word);
      await page.keyboard.press("Enter");
    };
    const run = page.getByRole("navigation").getByRole("link", { name: "Run" });

    await page.waitForURL(/\/login/);
    assert.deepEqual(await objections(page), []);
    await logIn("ada", "wrong");
    await page.getByRole("alert").waitFor();
    assert.equal(await page.getByLabel("Password").inputValue(), "");
    await logIn("ada", password);
    await page.waitForURL(/\/history$/);
    assert.equal(await run.count(), 1);
    await page.locator("#live", { hasText: "live" }).waitFor();
    const other = await page.context().newPage();
    await other.goto("/");
    await page.getByRole("button", { name: "Log out" }).click();
    await page.waitForURL(/\/login/);
    // What is open elsewhere is shown no more than that.
    await web.kill();
    await web.start();
    await other.waitForURL(/\/login/);
    await other.close();

    await logIn("bob", password);
    await page.waitForURL(({ pathname }) => pathname === "/");
    await page.getByText("bob").waitFor();
    assert.equal(await run.count(), 0);
    await page.goto("/submit");
    assert.equal(await page.getByRole("button", { name: "Run" }).count(), 0);
    await page.goto("/");
    await page.getByRole("button", { name: "Log out" }).click();
    await page.waitForURL(/\/login/);
    await page.goto("/");
    await page.waitForURL(/\/login/);
    assert.deepEqual(
      browser.complaints.filter((text) =>
        !/Failed to load resource/.test(text)
      ),
      [],
    );
    assert.deepEqual(browser.elsewhere, []);
  },
});
