// The live page in a real browser: its events, keyboard, accessibility, phone width and dark mode.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { fill, levels, withDevices } from "./example.js";
import {
  assertAccessible, assertFits, assertNoProblems, launch, open, receiver, Sandbox, screenshot, until,
} from "./support.js";

let browser;
let hooks;
let sandbox;

before(async () => {
  browser = await launch();
  hooks = await receiver();
});
after(async () => {
  await browser.close();
  hooks.close();
});
beforeEach(async () => {
  sandbox = await Sandbox.start();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await sandbox.stop();
});

/** Who hears whom in the picture: pairs of speaker and listener. */
function heard(page) {
  return page.locator(".picture .edge").evaluateAll((edges) => edges.flatMap(({ dataset }) => {
    const pair = `${dataset.from} ${dataset.to}`;
    return dataset.mutual === undefined ? [pair] : [pair, `${dataset.to} ${dataset.from}`];
  }).sort());
}

async function untilHeard(page, ...pairs) {
  const expected = pairs.map(([speaker, listener]) => `${speaker.id} ${listener.id}`).sort();
  await until(`the arrows ${expected}`, async () => String(await heard(page)) === String(expected));
}

test("the picture follows the calls of a client", async () => {
  const page = await open(browser, sandbox.origin);
  await until("the first event", () => page.locator("#start").isVisible());
  assert.match(await page.locator("#configuration").textContent(), /"accountId": "9900000"/);
  const session = await sandbox.session("support");
  const [alice, bob, carol] = [await sandbox.participant({ tag: "Alice" }),
    await sandbox.participant({ tag: "Bob" }), await sandbox.participant({ tag: "Carol" })];
  await sandbox.add(session, alice);
  await sandbox.add(session, bob);
  await untilHeard(page, [alice, bob], [bob, alice]);
  await sandbox.add(session, carol, [alice]);
  await untilHeard(page, [alice, bob], [bob, alice], [alice, carol], [carol, alice], [carol, bob]);
  await sandbox.subscribe(session, bob, []);
  await untilHeard(page, [bob, alice], [alice, carol], [carol, alice]);
  const title = await page.locator(".picture title").textContent();
  assert.equal(title, "Who hears whom. Alice hears Bob, Carol. Bob hears nobody. Carol hears Alice.");
  await sandbox.call("DELETE", `${sandbox.account}/participants/${alice.id}`);
  await untilHeard(page);
  await sandbox.call("DELETE", `${sandbox.account}/sessions/${session}`);
  await until("the end of the session", async () => await page.locator(".picture").count() === 0);
  await until("both", () => page.getByText("Participants without a session").isVisible());
  assertNoProblems(page);
});

test("nobody hears a participant that may not publish", async () => {
  const page = await open(browser, sandbox.origin);
  const session = await sandbox.session();
  const [alice, bob, guest] = [await sandbox.participant({ tag: "Alice" }),
    await sandbox.participant({ tag: "Bob", publishPermissions: ["VIDEO"] }),
    await sandbox.participant({ tag: "Guest", publishPermissions: [] })];
  for (const member of [alice, bob, guest]) await sandbox.add(session, member);
  await untilHeard(page, [alice, bob], [bob, alice], [alice, guest], [bob, guest]);
  const row = (member) => page.locator(`[data-key="${member.id}"] .hears`).textContent();
  assert.deepEqual([await row(alice), await row(guest)], ["hears Bob", "hears Alice, Bob"]);
  assertNoProblems(page);
});

test("a row emphasizes the arrows of its participant", async () => {
  const session = await sandbox.session();
  const [alice, bob, carol] = [await sandbox.participant({ tag: "Alice" }),
    await sandbox.participant({ tag: "Bob" }), await sandbox.participant({ tag: "Carol" })];
  await sandbox.add(session, alice, [bob]);
  await sandbox.add(session, bob, [carol]);
  await sandbox.add(session, carol, [bob]);
  const page = await open(browser, sandbox.origin);
  await page.locator(".participant").filter({ hasText: "Alice" }).hover();
  await until("one arrow", async () => await page.locator(".edge.emphasis").count() === 1);
  assert.equal(await page.locator(".edge.emphasis").getAttribute("data-from"), bob.id);
});

test("requests appear with status, time and body, and without secrets", async () => {
  const page = await open(browser, sandbox.origin);
  const { token } = await sandbox.participant({ tag: "caller", note: "a", deviceToken: "body-secret" });
  const grant = await fetch(`${sandbox.origin}/api/v1/oauth2/token`, {
    method: "POST",
    headers: { Authorization: `Basic ${Buffer.from("client:client-secret").toString("base64")}` },
    body: new URLSearchParams({ grant_type: "client_credentials", scope: "" }),
  });
  const { access_token: accessToken } = await grant.json();
  await fetch(`${sandbox.origin}${sandbox.account}/sessions`, {
    method: "POST", headers: { Authorization: `Bearer ${accessToken}` }, body: "{}",
  });
  const rows = page.locator("#request-list li");
  await until("three requests", async () => await rows.count() === 3);
  assert.match(await rows.nth(0).textContent(), /^\d\d:\d\d:\d\d\.\d{3}POST createSession200(< 1|\d+) ms/);
  const created = rows.filter({ hasText: "createParticipant" });
  await created.locator("summary").click();
  assert.match(await created.locator("dl").textContent(), /"tag": "caller"/);
  await page.locator("#filter").fill("CREATEsession 200");
  await until("the filter", async () => await rows.count() === 1);
  await page.locator("#filter").fill("grant_type=client");
  await until("the filter of bodies", async () => await rows.count() === 1 && /POST token/.test(await rows.textContent()));
  await page.locator("#filter").fill("nothing like this");
  await until("no row", () => page.getByText("No request matches the filter.").isVisible());
  await page.locator("#filter").fill("");
  const html = await page.content();
  for (const secret of ["body-secret", "client-secret", "Basic ", "Bearer ", token, accessToken,
    token.split(".")[2]]) {
    assert.ok(!html.includes(secret), `the page contains ${secret}`);
  }
  assertNoProblems(page);
});

test("a request in progress is shown before its response", async () => {
  const page = await open(browser, sandbox.origin);
  await sandbox.control("POST", "/faults", { operation: "createSession", kind: "delay", ms: 1500 });
  const call = sandbox.session();
  const row = page.locator("#request-list li").filter({ hasText: "createSession" });
  await until("the request", () => row.getByText("waiting").isVisible());
  await call;
  await until("the response", () => row.getByText("200").isVisible());
});

test("a fault is configured and removed with the keyboard only", async () => {
  const page = await open(browser, sandbox.origin);
  await until("the operations", async () => await page.locator("[name=operation] option").count() > 10);
  const focused = () => page.evaluate(() => document.activeElement.name || document.activeElement.id ||
    document.activeElement.textContent.trim());
  const tabTo = async (name) => {
    for (let step = 0; step < 60; step += 1) {
      if (await focused() === name) return;
      await page.keyboard.press("Tab");
    }
    assert.fail(`Tab does not reach ${name}; last was ${await focused()}`);
  };
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the sessions");
  await tabTo("operation");
  await page.keyboard.type("createSession");
  await tabTo("kind");
  assert.equal(await page.locator("[name=ms]").isVisible(), false);
  await page.keyboard.type("Respond with a");
  await tabTo("status");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("429");
  await tabTo("retryAfter");
  await page.keyboard.type("7");
  await tabTo("body");
  await page.keyboard.type('{"message": "slow down"}');
  await tabTo("count");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("1");
  await page.keyboard.press("Enter");
  const faults = page.locator("#fault-list li");
  await until("the fault", async () => await faults.count() === 1);
  assert.match(await faults.textContent(), /createSession.*status 429.*Retry-After: 7.*1 request/);
  const response = await fetch(`${sandbox.origin}${sandbox.account}/sessions`, {
    method: "POST", headers: { Authorization: `Basic ${btoa("user:secret")}` }, body: "{}",
  });
  assert.deepEqual([response.status, response.headers.get("retry-after"), await response.text()],
    [429, "7", '{"message":"slow down"}']);
  await until("the end of the fault", async () => await faults.count() === 0);
  // With an empty number, the fault affects all requests, until it is removed.
  await page.locator("[name=count]").focus();
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Delete");
  await page.keyboard.press("Enter");
  await until("the fault", () => faults.getByText("all requests").isVisible());
  await tabTo("clear-faults");
  await page.keyboard.press("Enter");
  await until("no fault", async () => await faults.count() === 0);
  assertNoProblems(page);
});

test("every kind of fault of the form is accepted", async () => {
  const page = await open(browser, sandbox.origin);
  await until("the operations", async () => await page.locator("[name=operation] option").count() > 10);
  const kinds = await page.locator("[name=kind] option").evaluateAll((all) => all.map((o) => o.value));
  const operations = await page.locator("[name=operation] option").evaluateAll((all) => all.map((o) => o.value));
  assert.ok(operations.includes("token") && operations.includes("createEndpoint"));
  for (const [index, kind] of kinds.entries()) {
    await page.locator("[name=kind]").selectOption(kind);
    await page.locator("[name=operation]").selectOption(operations[index]);
    await page.locator("#fault-form [type=submit]").click();
    await until(kind, async () => await page.locator("#fault-list li").count() === index + 1);
  }
  assert.equal(kinds.length, 7);
  assert.equal(await page.locator("#fault-error").textContent(), "");
  await page.route("**/_sandbox/faults", (route) =>
    route.fulfill({ status: 400, json: { error: "ms: is missing" } }));
  await page.locator("#fault-form [type=submit]").click();
  await until("the error", () => page.getByRole("alert").getByText("ms: is missing").isVisible());
});

test("webhooks and endpoints appear with their results", async () => {
  const page = await open(browser, sandbox.origin);
  const { id } = await sandbox.participant({ tag: "caller", callbackUrl: `${hooks.url}?key=hook-secret` });
  const lost = await sandbox.participant({ tag: "lost", callbackUrl: "http://127.0.0.1:1/" });
  const created = await sandbox.call("POST", "/v2/accounts/9900000/endpoints",
    { type: "WEBRTC", direction: "INBOUND", tag: "desk" });
  await sandbox.control("POST", `/participants/${id}/connect`);
  await sandbox.control("POST", `/participants/${lost.id}/connect`);
  await sandbox.control("POST", `/endpoints/${created.data.endpointId}/connect`);
  const webhook = (name) => page.locator("#webhook-list li").filter({ hasText: name }).first();
  await until("the result", () => webhook("caller").getByText("204", { exact: true }).isVisible());
  await until("the failure", () => webhook("lost").getByText("failed").isVisible());
  await until("no receiver", () => webhook("desk").getByText("no receiver").isVisible());
  await webhook("lost").locator("summary").click();
  await until("the reason", () => webhook("lost").getByText(/cannot connect to 127.0.0.1:1/).isVisible());
  assert.ok(!(await page.content()).includes("hook-secret"));
  const endpoint = page.locator("#endpoint-list li").filter({ hasText: "desk" }).first();
  await until("the device", () => endpoint.getByText(/^Device /).isVisible());
  await until("the status", () => endpoint.getByText("connected", { exact: true }).isVisible());
  assertNoProblems(page);
});

test("texts of clients are shown as texts", async () => {
  const tag = "<img src=x onerror=document.title='broken'>";
  const session = await sandbox.session(tag);
  await sandbox.add(session, await sandbox.participant({ tag }));
  const page = await open(browser, sandbox.origin);
  await until("the participant", async () => await page.getByText(tag).count() > 1);
  assert.equal(await page.title(), "bw-sandbox");
  assert.equal(await page.locator("main img").count(), 0);
  assertNoProblems(page);
});

test("a reset and a restart of the sandbox are shown", async () => {
  await sandbox.session("before");
  const page = await open(browser, sandbox.origin);
  await until("the session", () => page.locator("h3").getByText("before").isVisible());
  await sandbox.control("POST", "/reset");
  await until("the reset", () => page.locator("#start").isVisible());
  await until("no request", async () => await page.locator("#request-list li").count() === 0);
  const { port } = new URL(sandbox.origin);
  await sandbox.stop();
  await until("the lost connection", () => page.getByText("Reconnecting").isVisible());
  sandbox = await Sandbox.start("--listen", `127.0.0.1:${port}`);
  await sandbox.session("after");
  await until("the new session", () => page.locator("h3").getByText("after").isVisible());
  await until("the connection", () => page.getByText("Live", { exact: true }).isVisible());
});

test("an open row and the focus survive new requests", async () => {
  await sandbox.session("first");
  const page = await open(browser, sandbox.origin);
  const row = page.locator("#request-list li").first();
  await row.locator("summary").focus();
  await page.keyboard.press("Enter");
  for (let number = 0; number < 5; number += 1) await sandbox.session();
  await until("six requests", async () => await page.locator("#request-list li").count() === 6);
  const last = page.locator("#request-list li").last();
  assert.equal(await last.locator("details").getAttribute("open"), "");
  assert.ok(await last.locator("summary").evaluate((element) => element === document.activeElement));
});

test("levels of devices are shown, and a participant can be joined", async () => {
  const example = await fill(sandbox, hooks);
  const page = await open(browser, sandbox.origin,
    { prepare: (prepared) => withDevices(prepared, levels(example)) });
  const row = page.locator(`[data-key="${example.alice.id}"]`);
  await until("the level", async () => await row.locator("meter").evaluate((meter) => meter.value) > 0.8);
  assert.match(await row.textContent(), /sends 64 kB audio, 896 kB video; receives 60 kB audio, 840 kB video/);
  const join = row.getByRole("link", { name: "Join as Alice (opens a new tab)" });
  assert.equal(await join.getAttribute("href"), `/join#participant=${example.alice.id}`);
  const sounding = page.locator(".edge.sounding");
  await until("the arrow", async () => await sounding.count() > 0);
});

for (const [name, options] of Object.entries({
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  phone: { colorScheme: "light", viewport: { width: 390, height: 844 } },
  narrow: { colorScheme: "dark", viewport: { width: 320, height: 640 } },
})) {
  test(`the page is accessible and fits: ${name}`, async () => {
    const empty = await open(browser, sandbox.origin, options);
    await until("the first event", () => empty.locator("#start").isVisible());
    await assertAccessible(empty, "empty");
    await assertFits(empty, "empty");
    const example = await fill(sandbox, hooks);
    const page = await open(browser, sandbox.origin,
      { ...options, prepare: (prepared) => withDevices(prepared, levels(example)) });
    await until("the picture", () => page.locator(".picture .edge").first().isVisible());
    for (const list of ["request", "webhook"]) {
      await page.locator(`#${list}-list summary`).nth(1).click();
    }
    await assertAccessible(page, name);
    await assertFits(page, name);
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(ground, options.colorScheme === "dark" ? "rgb(17, 22, 27)" : "rgb(244, 246, 248)");
    await screenshot(page, name);
    assertNoProblems(page);
  });
}
