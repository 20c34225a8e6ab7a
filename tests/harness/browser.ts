/**
 * A real browser, which nothing that a page complains of escapes.
 *
 * @module
 */
import assert from "node:assert/strict";
import axe from "axe-core/axe.min.js" with { type: "text" };
import {
  type Browser as Chromium,
  type BrowserContextOptions,
  chromium as driver,
  type Page,
} from "playwright-core";
import { chromium } from "../../dev/programs.ts";
import { PATIENCE } from "./waiting.ts";

/** What `axe` objects to, as far as it matters here. */
interface Objection {
  id: string;
  impact: string;
  nodes: { html: string; failureSummary: string }[];
}

/** A running browser. */
export class Browser implements AsyncDisposable {
  readonly #chromium: Chromium;
  readonly #address: string;
  /** What pages have written into their consoles, and errors of their scripts. */
  readonly complaints: string[] = [];
  /** Addresses elsewhere that pages have asked for. */
  readonly elsewhere: string[] = [];
  /** What was answered with a status of 400 and more, as `404 /path`. */
  readonly refused: string[] = [];

  private constructor(chromium: Chromium, address: string) {
    this.#chromium = chromium;
    this.#address = address;
  }

  /**
   * Starts it.
   *
   * @param address what pages' paths are below, such as `http://127.0.0.1:8480`
   */
  static async start(address: string): Promise<Browser> {
    const executablePath = await chromium();
    if (!executablePath) {
      throw new Error("chromium is missing: deno task set-up");
    }
    return new Browser(
      // Its own sandbox does not run as root, nor in most containers.
      await driver.launch({
        executablePath,
        args: ["--no-sandbox"],
        timeout: PATIENCE * 1000,
      }),
      address,
    );
  }

  /** Opens a page in a window of its own, with nothing of another's. */
  async open(
    path: string,
    options: BrowserContextOptions = {},
  ): Promise<Page> {
    const context = await this.#chromium.newContext({
      viewport: { width: 1280, height: 900 },
      timezoneId: "Asia/Kathmandu",
      locale: "en-GB",
      ...options,
      baseURL: this.#address,
    });
    context.setDefaultTimeout(PATIENCE * 1000);
    const page = await context.newPage();
    page.on(
      "console",
      (message) => this.complaints.push(`${page.url()}: ${message.text()}`),
    );
    page.on(
      "pageerror",
      (error) => this.complaints.push(`${page.url()}: ${error.stack}`),
    );
    page.on("request", (request) => {
      if (!request.url().startsWith(`${this.#address}/`)) {
        this.elsewhere.push(request.url());
      }
    });
    page.on("response", (response) => {
      if (response.status() < 400) return;
      const { pathname, search } = new URL(response.url());
      this.refused.push(`${response.status()} ${pathname}${search}`);
    });
    await page.goto(path);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chromium.close();
  }
}

/** What makes a page hard to use for some, as `axe` sees it; one line each. */
export async function objections(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const found = await page.evaluate(
    "axe.run().then(({ violations }) => violations)",
  ) as Objection[];
  return found.map(({ id, impact, nodes }) =>
    `${impact} ${id}: ${nodes[0]!.html}\n${nodes[0]!.failureSummary}`
  );
}

/** That a page is no wider than its window. */
export async function assertNoWider(page: Page): Promise<void> {
  const more = await page.evaluate(
    "document.documentElement.scrollWidth - document.documentElement.clientWidth",
  );
  assert.equal(more, 0, `${page.url()} is wider than its window`);
}
