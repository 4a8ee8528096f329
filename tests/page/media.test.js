// The page that joins, with media: a bw-sandbox with the feature media, which contains the SDK.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertAccessible, launch, open, Sandbox, screenshot, until } from "./support.js";

let browser;
let sandbox;

before(async () => {
  browser = await launch();
  sandbox = await Sandbox.start();
});
after(async () => {
  await browser.close();
  await sandbox.stop();
});

/** The figures of the tile that shows a participant: bytes heard, frames seen, loudness. */
function figures(page, { id }) {
  return page.locator(`#tiles [data-participant="${id}"]`).evaluateAll(([tile]) => tile && ({
    heard: Number(tile.dataset.bytesHeard ?? 0),
    seen: Number(tile.dataset.framesSeen ?? 0),
    level: tile.querySelector("meter").value,
  }));
}

async function join(participant, source) {
  const page = await open(browser, `${sandbox.origin}/join#participant=${participant.id}`);
  if (source) await page.getByLabel(source).check();
  await page.locator("#join").click();
  await until("Joined", () => page.getByText("Joined", { exact: true }).isVisible());
  return page;
}

test("two participants hear and see each other, and the live page shows it", async () => {
  const session = await sandbox.session("hear it");
  const [alice, bob] = [await sandbox.participant({ tag: "Alice" }), await sandbox.participant({ tag: "Bob" })];
  await sandbox.add(session, alice);
  await sandbox.add(session, bob);
  const live = await open(browser, sandbox.origin);
  const first = await join(alice);
  const second = await join(bob, /Microphone and camera/);
  for (const [page, other] of [[first, bob], [second, alice]]) {
    await until("sound and picture", async () => {
      const found = await figures(page, other);
      return found && found.heard > 2000 && found.seen > 10 && found.level > 0.2;
    });
  }
  await until("the arrows", async () => await live.locator(".edge.sounding").count() === 1);
  const row = live.locator(`[data-key="${alice.id}"]`);
  await until("the level", async () => await row.locator("meter").evaluate((meter) => meter.value) > 0.1);
  await until("the figures", async () =>
    /sends \d+ kB audio, .* video; receives .* audio, .* video/.test(await row.textContent()));
  await assertAccessible(first, "with media");
  await screenshot(first, "join-media");
  await screenshot(live, "live-media");

  await sandbox.subscribe(session, bob, []);
  const removed = Date.now();
  await until("silence", async () => await figures(second, alice) === undefined);
  assert.ok(Date.now() - removed < 2000, `after ${Date.now() - removed} ms`);
  assert.ok(await figures(first, bob));

  await first.getByRole("button", { name: "Mute" }).click();
  assert.equal(await first.locator("#mute").getAttribute("aria-pressed"), "true");
  await second.getByRole("button", { name: "Leave" }).click();
  await until("the end of Bob", async () => await figures(first, bob) === undefined);
  for (const page of [first, second, live]) assert.deepEqual(page.problems, []);
});
