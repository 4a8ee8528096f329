// A running bw-sandbox, a browser, and a client of the service.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const OUT = process.env.BW_PAGE_OUT;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** How long a test waits for anything, in milliseconds. */
export const TIMEOUT = 60_000;

export class Sandbox {
  /** Starts a sandbox; waits for its URL. */
  static async start(...options) {
    const child = spawn(process.env.BW_SANDBOX, ["--listen", "127.0.0.1:0", "--quiet", ...options],
      { stdio: ["ignore", "pipe", "inherit"] });
    const line = await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`bw-sandbox exited with status ${code}`)));
      child.stdout.once("data", (data) => resolve(String(data)));
    });
    return new Sandbox(child, new URL(line.trim()).origin);
  }

  constructor(child, origin) {
    this.child = child;
    this.origin = origin;
    this.account = "/v1/accounts/9900000";
  }

  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill();
    await exit;
  }

  /** Sends a request of the API user; returns the document. */
  async call(method, path, document) {
    const response = await fetch(this.origin + path, {
      method,
      headers: {
        Authorization: `Basic ${Buffer.from("user:secret").toString("base64")}`,
        "Content-Type": "application/json",
      },
      body: document === undefined ? undefined : JSON.stringify(document),
    });
    const text = await response.text();
    return text ? JSON.parse(text) : null;
  }

  async control(method, path, document) {
    const response = await fetch(`${this.origin}/_sandbox${path}`,
      { method, body: document && JSON.stringify(document) });
    assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    const text = await response.text();
    return text ? JSON.parse(text) : null;
  }

  /** Creates a participant; returns its id and token. */
  async participant(fields) {
    const document = { publishPermissions: ["AUDIO", "VIDEO"], ...fields };
    const { participant, token } = await this.call("POST", `${this.account}/participants`, document);
    return { id: participant.id, token };
  }

  async session(tag) {
    return (await this.call("POST", `${this.account}/sessions`, { tag })).id;
  }

  /** Adds a participant, which hears everyone, nobody (`[]`) or some. */
  async add(session, { id }, hears) {
    const subscriptions = hears
      ? { participants: hears.map((other) => ({ participantId: other.id })) } : { sessionId: session };
    await this.call("PUT", `${this.account}/sessions/${session}/participants/${id}`, subscriptions);
  }

  async subscribe(session, { id }, hears) {
    await this.call("PUT", `${this.account}/sessions/${session}/participants/${id}/subscriptions`,
      { participants: hears.map((other) => ({ participantId: other.id })) });
  }
}

/** Starts a browser with a fake microphone and camera. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    // A container often runs as root.
    chromiumSandbox: process.getuid() !== 0,
    args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream"],
  });
}

/** Opens a page that fails the test on an error, and on a request to another host. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT);
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") page.problems.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const { host, protocol } = new URL(request.url());
    if (host !== new URL(url).host && protocol !== "data:" && protocol !== "blob:") {
      page.problems.push(`request to ${request.url()}`);
    }
  });
  await options.prepare?.(page);
  await page.goto(url);
  return page;
}

/** Fails if the page has reported an error. */
export function assertNoProblems(page) {
  assert.deepEqual(page.problems, []);
}

/** Polls until a condition in the page holds. */
export async function until(what, condition) {
  const end = Date.now() + TIMEOUT;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < end, `timeout while waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Checks a page with axe-core. */
export async function assertAccessible(page, what) {
  // Evaluated by the debugger, which the content security policy of the page does not affect.
  await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(() => window.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
  assert.deepEqual(found, [], what);
  assert.ok(passes.length > 15, `${what}: axe ran only ${passes.length} rules`);
}

/** Fails if something is wider than the window. */
export async function assertFits(page, what) {
  const wide = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const scrolls = (element) => element && element !== document.body &&
      (getComputedStyle(element).overflowX !== "visible" || scrolls(element.parentElement));
    return [...document.body.querySelectorAll("*")]
      .filter((element) => element.getBoundingClientRect().right > width + 1 && !scrolls(element.parentElement))
      .map((element) => element.outerHTML.slice(0, 100));
  });
  assert.deepEqual(wide, [], what);
}

export async function screenshot(page, name) {
  mkdirSync(OUT, { recursive: true });
  await page.screenshot({ path: `${OUT}/${name}.png`, fullPage: true });
}

/** A receiver of webhooks that accepts everything. */
export async function receiver() {
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.writeHead(204).end());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/events`, close: () => server.close() };
}
