// What the tests and the demo need: bw-sandbox, Chromium, and pages with the official SDK.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import readline from "node:readline";
import { createRequire } from "node:module";

// The npm packages are installed in the build folder.
const { chromium } = createRequire(`${process.env.BW_NPM}/`)("playwright-core");

const HERE = new URL(".", import.meta.url).pathname;
const ACCOUNT = "/accounts/9900000";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
];

/** Small pictures, because several pages encode and decode on one machine. */
const SMALL_VIDEO = { width: 160, height: 120, frameRate: 10 };

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Polls until `condition` returns a true value, and returns it. Fails after `limit` milliseconds. */
export async function eventually(what, condition, limit = 20_000) {
  const end = performance.now() + limit;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new Error(`not within ${limit} ms: ${what}`);
    await sleep(50);
  }
}

/** A running bw-sandbox. */
export class Sandbox {
  static async start(...options) {
    const program = process.env.BW_SANDBOX;
    const child = spawn(program, ["--listen", "127.0.0.1:0", "--quiet", ...options], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [url] = await once(readline.createInterface(child.stdout), "line");
    return new Sandbox(child, url);
  }

  constructor(child, url) {
    Object.assign(this, { child, url, root: url.replace("/v1", "") });
    this.websocketUrl = this.root.replace("http", "ws");
  }

  stop() {
    this.child.kill();
  }

  async #fetch(url, method, body) {
    const headers = { Authorization: `Basic ${btoa("user:secret")}` };
    const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    return { status: response.status, body: text && JSON.parse(text) };
  }

  /** A request of the API, with a path below the account. */
  async call(method, path, body) {
    const response = await this.#fetch(`${this.url}${ACCOUNT}${path}`, method, body);
    if (response.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(response)}`);
    return response.body;
  }

  async statusOf(method, path) {
    return (await this.#fetch(`${this.url}${ACCOUNT}${path}`, method)).status;
  }

  async control(path) {
    return (await this.#fetch(`${this.root}/_sandbox${path}`, "GET")).body;
  }

  async devices() {
    return (await this.control("/devices")).devices;
  }

  /** The events of a participant's webhooks. */
  async webhooks(participant) {
    const bodies = (await this.control("/webhooks")).map(({ body }) => body);
    return bodies.filter((body) => body.participantId === participant).map(({ event }) => event);
  }

  async session() {
    return (await this.call("POST", "/sessions", {})).id;
  }

  /** Creates a participant. */
  async participant(publishPermissions = ["AUDIO", "VIDEO"]) {
    const created = await this.call("POST", "/participants", { publishPermissions });
    return { id: created.participant.id, token: created.token };
  }

  add(session, { id }, subscriptions = { sessionId: session }) {
    return this.call("PUT", `/sessions/${session}/participants/${id}`, subscriptions);
  }

  remove(session, { id }) {
    return this.call("DELETE", `/sessions/${session}/participants/${id}`);
  }

  subscribe(session, { id }, subscriptions) {
    return this.call("PUT", `/sessions/${session}/participants/${id}/subscriptions`, subscriptions);
  }
}

/** Serves page.html and the SDK, which `make device-sdk` has bundled. Returns the URL. */
export async function servePage() {
  const files = {
    "/": ["text/html", readFileSync(`${HERE}page.html`)],
    "/page.js": ["text/javascript", readFileSync(`${HERE}page.js`)],
    "/device-sdk.js": ["text/javascript", readFileSync(`${process.env.BW_DEVICE_SDK}/device-sdk.js`)],
  };
  const server = http.createServer((request, response) => {
    const [type, content] = files[request.url] ?? [];
    if (!type) return response.writeHead(404).end();
    response.writeHead(200, { "Content-Type": type }).end(content);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

/** Headless Chromium with fake microphones and cameras. */
export class Browser {
  static async start() {
    const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
    const [server, chrome] = await Promise.all([
      servePage(),
      chromium.launch({ executablePath, args: FLAGS }),
    ]);
    return Object.assign(new Browser(), { server, chrome });
  }

  async stop() {
    this.server.close();
    await this.chrome.close();
  }

  /** Closes all pages. */
  async closePages() {
    await Promise.all(this.chrome.contexts().map((context) => context.close()));
  }

  /** Opens a page. */
  async page() {
    const page = await this.chrome.newPage();
    page.on("pageerror", (error) => console.error(`page: ${error.message}`));
    await page.goto(this.server.url);
    return new Page(page);
  }

  /** Opens a page and connects it as a participant. */
  async join(sandbox, participant, url = sandbox.websocketUrl) {
    const page = await this.page();
    await page.connect(url, participant.token);
    return page;
  }
}

/** A page with the SDK. */
export class Page {
  constructor(page) {
    this.page = page;
  }

  connect(url, token) {
    return this.page.evaluate(([url, token]) => device.connect(url, token), [url, token]);
  }

  publish(constraints = { audio: true, video: SMALL_VIDEO }, alias) {
    return this.page.evaluate((of) => device.publish(...of), [constraints, alias]);
  }

  disconnect() {
    return this.page.evaluate(() => device.rtc.disconnect());
  }

  received() {
    return this.page.evaluate(() => device.received());
  }

  events() {
    return this.page.evaluate(() => device.events);
  }

  /** What arrives within a quarter of a second: `participantId` or `participantId/alias` of each
   * stream with "audio", "video" or "audio+video", in alphabetical order. */
  async receiving() {
    const before = await this.received();
    await sleep(250);
    const after = await this.received();
    const names = after.map((now) => {
      const past = before.find(({ streamId }) => streamId === now.streamId);
      const kinds = [];
      if (past && now.bytes > past.bytes) kinds.push("audio");
      if (past && now.frames > past.frames) kinds.push("video");
      const name = now.alias ? `${now.participantId}/${now.alias}` : now.participantId;
      return kinds.length ? `${name} ${kinds.join("+")}` : "";
    });
    return names.filter(Boolean).sort();
  }

  /** Waits until exactly this arrives. Returns the time in milliseconds. */
  async receives(expected, limit) {
    const start = performance.now();
    const wanted = JSON.stringify([...expected].sort());
    let last;
    await eventually(
      () => `${wanted}, but ${last}`,
      async () => (last = JSON.stringify(await this.receiving())) === wanted,
      limit,
    ).catch(() => {
      throw new Error(`the page receives ${last} instead of ${wanted} after ${limit ?? 20_000} ms`);
    });
    return performance.now() - start;
  }
}

/** A connection to the sandbox that a test can interrupt. */
export class Proxy {
  static async start(sandbox) {
    const proxy = new Proxy();
    proxy.connections = new Set();
    const port = new URL(sandbox.root).port;
    proxy.server = net.createServer((client) => {
      const upstream = net.connect(port, "127.0.0.1");
      for (const socket of [client, upstream]) {
        socket.on("error", () => {});
        proxy.connections.add(socket);
      }
      client.pipe(upstream).pipe(client);
    });
    proxy.server.listen(0, "127.0.0.1");
    await once(proxy.server, "listening");
    proxy.url = `ws://127.0.0.1:${proxy.server.address().port}`;
    return proxy;
  }

  /** Cuts all connections. */
  interrupt() {
    for (const socket of this.connections) socket.resetAndDestroy();
    this.connections.clear();
  }

  /** Cuts all connections, and accepts no more. */
  stop() {
    this.server.close();
    this.interrupt();
  }
}
