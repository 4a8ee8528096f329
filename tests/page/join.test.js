// The page that joins a session, with the official SDK and with a stand-in for the sandbox's websocket.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, beforeEach, test } from "node:test";
import {
  assertAccessible, assertFits, assertNoProblems, launch, open, Sandbox, screenshot, until,
} from "./support.js";

const SDK = readFileSync(`${process.env.BW_DEVICE_SDK}/device-sdk.js`, "utf8");

let browser;
let sandbox;

before(async () => {
  browser = await launch();
});
after(() => browser.close());
beforeEach(async () => {
  sandbox = await Sandbox.start();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await sandbox.stop();
});

/** Opens the page as a build with media and the SDK serves it; returns the page and its sockets. */
async function openJoin(fragment, options = {}) {
  const sockets = [];
  const prepare = async (page) => {
    await page.route("**/join", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: (await response.text()).replace("no-media", "available") });
    });
    await page.route("**/device-sdk.js", (route) =>
      route.fulfill({ body: SDK, contentType: "text/javascript" }));
    await page.routeWebSocket(/\/v3\//, (socket) => {
      const record = { url: socket.url(), methods: [], closed: false };
      sockets.push(record);
      socket.onMessage((text) => {
        const { id, method } = JSON.parse(text);
        record.methods.push(method);
        // An offer remains without a response: the SDK ends the connection after one without an answer.
        if (id !== undefined && method !== "offerSdp") {
          socket.send(JSON.stringify({ jsonrpc: "2.0", id, result: {} }));
        }
      });
      socket.onClose(() => {
        record.closed = true;
      });
    });
  };
  const page = await open(browser, `${sandbox.origin}/join#${fragment}`, { ...options, prepare });
  return { page, sockets };
}

test("a build without media explains how to get one", async () => {
  const { id } = await sandbox.participant({ tag: "Alice" });
  const page = await open(browser, `${sandbox.origin}/join#participant=${id}`);
  await until("the explanation", () => page.getByText("It was built without media.").isVisible());
  assert.equal(await page.locator("#form").isVisible(), false);
  await assertAccessible(page, "without media");
  assertNoProblems(page);
});

test("a build without the SDK explains how to get it", async () => {
  const page = await open(browser, `${sandbox.origin}/join`, {
    prepare: (prepared) => prepared.route("**/join", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: (await response.text()).replace("no-media", "no-sdk") });
    }),
  });
  await until("the explanation", () => page.getByText("make device-sdk").isVisible());
  assert.equal(await page.locator("#websocket-url").textContent(), sandbox.origin.replace("http", "ws"));
  await assertAccessible(page, "without the SDK");
});

test("an unknown participant is reported", async () => {
  const { page } = await openJoin("participant=00000000-0000-4000-8000-000000000000");
  await until("the message", () => page.getByText("There is no participant 00000000").isVisible());
});

test("the SDK joins with a new token, and leaves", async () => {
  const { id } = await sandbox.participant({ tag: "Listener", publishPermissions: [] });
  const { page, sockets } = await openJoin(`participant=${id}`);
  await until("the name", () => page.getByText("Join as Listener").isVisible());
  assert.ok(await page.getByLabel("Audio not permitted").isDisabled());
  // With the keyboard: the first button of the form.
  await page.locator("#join").focus();
  await page.keyboard.press("Enter");
  await until("Joined", () => page.getByText("Joined", { exact: true }).isVisible());
  const { searchParams, pathname } = new URL(sockets[0].url);
  assert.equal(pathname, "/v3/");
  const claims = JSON.parse(Buffer.from(searchParams.get("token").split(".")[1], "base64url"));
  assert.deepEqual([claims.p, claims.v], [id, "V3"]);
  assert.deepEqual(sockets[0].methods, ["setMediaPreferences"]);
  await page.getByRole("button", { name: "Leave" }).click();
  await until("the end", () => sockets[0].closed);
  assert.ok(sockets[0].methods.includes("leave"));
  await until("Not joined", () => page.getByText("Not joined", { exact: true }).isVisible());
  assertNoProblems(page);
});

test("a token of the link is used, and removed from the address", async () => {
  const { id, token } = await sandbox.participant({ tag: "Linked", publishPermissions: [] });
  const { page, sockets } = await openJoin(`token=${token}`);
  await until("the name", () => page.getByText("Join as Linked").isVisible());
  assert.equal(page.url(), `${sandbox.origin}/join#participant=${id}`);
  await page.locator("#join").click();
  await until("Joined", () => page.getByText("Joined", { exact: true }).isVisible());
  assert.equal(new URL(sockets[0].url).searchParams.get("token"), token);
});

test("the test tone and pattern are shown and measured", async () => {
  const { id } = await sandbox.participant({ tag: "Tester" });
  const { page } = await openJoin(`participant=${id}`);
  await page.locator("#join").click();
  const own = page.locator("#own");
  await until("the tone", async () => await own.locator("meter").evaluate((meter) => meter.value) > 0.4);
  await until("the pattern", () => own.locator("video").evaluate((video) =>
    video.videoWidth === 640 && video.getVideoPlaybackQuality().totalVideoFrames > 5));
});

test("a refused microphone is reported, and the form can be used again", async () => {
  const { id } = await sandbox.participant({ tag: "Refused" });
  const { page } = await openJoin(`participant=${id}`);
  await page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error("Permission denied"));
  });
  await page.getByLabel(/Microphone and camera/).check();
  await page.locator("#join").click();
  await until("the error", () => page.getByText("Cannot join: Permission denied").isVisible());
  assert.ok(await page.locator("#join").isEnabled());
});

test("a sandbox that refuses the connection is reported", async () => {
  const { id } = await sandbox.participant({ tag: "Expired", publishPermissions: [] });
  const { page } = await openJoin(`participant=${id}`);
  // Instead of the stand-in: the sandbox without media, which refuses the handshake.
  await page.routeWebSocket(/\/v3\//, (socket) => socket.connectToServer());
  await page.locator("#join").click();
  await until("the error", () => page.getByText("Cannot join: the sandbox does not accept").isVisible());
  await page.getByRole("button", { name: "Load again" }).click();
  await until("the form", () => page.getByRole("button", { name: "Join", exact: true }).isVisible());
});

for (const [name, options] of Object.entries({
  "join-light": { colorScheme: "light" },
  "join-dark": { colorScheme: "dark" },
  "join-phone": { colorScheme: "light", viewport: { width: 360, height: 740 } },
})) {
  test(`the page that joins is accessible and fits: ${name}`, async () => {
    const { id } = await sandbox.participant({ tag: "Listener", publishPermissions: [] });
    const { page } = await openJoin(`participant=${id}`, options);
    await until("the name", () => page.getByText("Join as Listener").isVisible());
    await assertAccessible(page, name);
    await page.locator("#join").click();
    await until("Joined", () => page.getByText("Joined", { exact: true }).isVisible());
    await assertAccessible(page, `${name}, joined`);
    await assertFits(page, name);
    await screenshot(page, name);
  });
}
