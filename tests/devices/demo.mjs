// The second half of scripts/demo-devices: two participants in headless Chromium, or two links.
// Usage: demo.mjs ROOT SESSION ALICE TOKEN BOB TOKEN UNSUBSCRIBE .. (a command, which is called with
// the session and Bob's id).
import { execFileSync } from "node:child_process";

import { Browser, eventually, sleep } from "./harness.mjs";

const [root, session, alice, aliceToken, bob, bobToken, ...unsubscribe] = process.argv.slice(2);
const websocketUrl = root.replace(/^http/, "ws");
const participants = [["Alice", alice, aliceToken], ["Bob", bob, bobToken]];
const nameOf = new Map(participants.map(([name, id]) => [id, name]));

/** What arrives at a page within a second, in words. */
async function listen(page) {
  const before = await page.received();
  await sleep(1000);
  const after = await page.received();
  const lines = after.map((now) => {
    const past = before.find(({ streamId }) => streamId === now.streamId) ?? { bytes: 0, frames: 0 };
    const [heard, seen] = [now.bytes - past.bytes, now.frames - past.frames];
    return { from: nameOf.get(now.participantId), heard, seen };
  });
  return lines.filter(({ heard, seen }) => heard + seen > 0);
}

async function report(pages) {
  for (const [name, page] of pages) {
    const streams = await listen(page);
    const words = streams.map((s) => `${s.heard} bytes heard and ${s.seen} frames seen of ${s.from}`);
    console.log(`${name}, in one second: ${words.join(", ") || "hears and sees nothing"}`);
  }
}

if (process.env.BW_HEADLESS === "1") {
  console.log("-- two pages with the browser SDK, with fake microphones and cameras");
  const browser = await Browser.start();
  const pages = [];
  for (const [name, id, token] of participants) {
    pages.push([name, await browser.join({ websocketUrl }, { id, token })]);
  }
  for (const [, page] of pages) await page.publish({ audio: true, video: true });
  for (const [, page] of pages) {
    const isComplete = ([stream]) => stream && stream.heard > 0 && stream.seen > 0;
    await eventually("both hear and see", async () => isComplete(await listen(page)), 60_000);
  }
  await report(pages);
  console.log("-- Python removes Bob's subscription");
  execFileSync(unsubscribe[0], [...unsubscribe.slice(1), session, bob], { stdio: "inherit" });
  const [, [, page]] = pages;
  await eventually("Bob hears nothing", async () => (await listen(page)).length === 0);
  await report(pages);
  if ((await listen(pages[0][1])).length === 0) throw new Error("Alice must still hear Bob");
  await browser.stop();
} else {
  for (const [name, , token] of participants) console.log(`${name}: ${root}/join#token=${token}`);
  console.log("Open both links. Ctrl-C stops the sandbox.");
  await new Promise((resolve) => process.once("SIGINT", resolve));
}
process.exit();
