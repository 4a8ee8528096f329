// The official SDK in Chromium as a device of bw-sandbox. A test waits for a state and has a limit;
// no test depends on how long something takes, except where the limit is the requirement.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";

import { Browser, Proxy, Sandbox, eventually, sleep } from "./harness.mjs";

/** The time within which media must follow a change of the API, in milliseconds. */
const FOLLOWS = 2000;

let browser;
let sandbox;
before(async () => {
  [browser, sandbox] = await Promise.all([Browser.start(), Sandbox.start()]);
});
after(async () => {
  sandbox?.stop();
  await browser?.stop();
});

afterEach(() => browser?.closePages());

/** A session with participants that publish audio and video, and hear and see each other. */
async function conference(count, subscriptions) {
  const session = await sandbox.session();
  const members = [];
  for (let number = 0; number < count; number++) {
    const participant = await sandbox.participant();
    await sandbox.add(session, participant, subscriptions);
    const page = await browser.join(sandbox, participant);
    members.push({ ...participant, page });
  }
  await Promise.all(members.map(({ page }) => page.publish()));
  return { session, members };
}

const both = (...members) => members.map(({ id }) => `${id} audio+video`);

describe("two participants", () => {
  test("hear and see each other, and the API reports it", async () => {
    const { members } = await conference(2);
    const [alice, bob] = members;
    await Promise.all([alice.page.receives(both(bob)), bob.page.receives(both(alice))]);
    for (const [page, other] of [[alice.page, bob], [bob.page, alice]]) {
      const [event, ...others] = await page.events();
      assert.deepEqual(others, []);
      assert.equal(event.participantId, other.id);
      assert.deepEqual([...event.mediaTypes].sort(), ["AUDIO", "VIDEO"]);
      // Chromium's fake microphone beeps.
      const heard = async () => (await page.received())[0].energy > 0;
      await eventually("the sound is not silence", heard);
    }
    await eventually("both answer heartbeats", async () => {
      const devices = await sandbox.devices();
      const own = devices.filter(({ participantId }) => [alice.id, bob.id].includes(participantId));
      return own.length === 2 && own.every(({ heartbeats }) => heartbeats > 0);
    });
    const [device] = (await sandbox.devices()).filter((d) => d.participantId === alice.id);
    assert.equal(device.connected, true);
    assert.deepEqual(device.published.map((p) => p.mediaType).sort(), ["AUDIO", "VIDEO"]);
    assert.deepEqual(device.received.map((r) => r.participantId), [bob.id, bob.id]);
    for (const track of [...device.published, ...device.received]) {
      assert.ok(track.bytes > 0 && track.frames > 0, JSON.stringify(track));
    }
    assert.deepEqual(await sandbox.webhooks(alice.id), ["onConnect"]);
  });

  test("a third one joins and leaves", async () => {
    const { session, members } = await conference(2);
    const [alice, bob] = members;
    await alice.page.receives(both(bob));
    const carol = await sandbox.participant();
    await sandbox.add(session, carol);
    const page = await browser.join(sandbox, carol);
    await page.publish({ audio: true });
    await Promise.all([
      page.receives(both(alice, bob)),
      alice.page.receives([...both(bob), `${carol.id} audio`]),
      bob.page.receives([...both(alice), `${carol.id} audio`]),
    ]);
    await page.disconnect();
    await Promise.all([alice.page.receives(both(bob)), bob.page.receives(both(alice))]);
    for (const { page } of members) {
      const events = await eventually("the SDK reports the end", async () => {
        const events = await page.events();
        return events.at(-1).event === "unavailable" && events;
      });
      assert.deepEqual(events.map(({ event }) => event), ["available", "available", "unavailable"]);
    }
    const left = async () => (await sandbox.webhooks(carol.id)).length === 2;
    await eventually("the webhook", left);
    assert.deepEqual(await sandbox.webhooks(carol.id), ["onConnect", "onLeave"]);
    const { sessions } = await sandbox.call("GET", `/participants/${carol.id}`);
    assert.deepEqual(sessions, []);
  });
});

test("media follows subscriptions to a session, to participants and to streams", async () => {
  const session = await sandbox.session();
  const [alice, bob, carol] = await Promise.all([1, 2, 3].map(() => sandbox.participant()));
  for (const participant of [alice, bob, carol]) await sandbox.add(session, participant, {});
  const [a, b, c] = await Promise.all([alice, bob, carol].map((p) => browser.join(sandbox, p)));
  await a.publish({ audio: true }, "voice");
  await a.publish({ audio: true }, "music");
  await b.publish({ audio: true });
  const [voice, music] = [`${alice.id}/voice audio`, `${alice.id}/music audio`];
  const other = `${bob.id} audio`;
  const steps = [
    [{ sessionId: session }, [voice, music, other]],
    [{ participants: [{ participantId: alice.id }] }, [voice, music]],
    [{ participants: [{ participantId: alice.id, streamAliases: ["voice"] }] }, [voice]],
    [{ participants: [{ participantId: alice.id, streamAliases: ["music"] }] }, [music]],
    [{ participants: [{ participantId: bob.id }] }, [other]],
    [{ sessionId: session, participants: [{ participantId: bob.id }] }, [other]],
    [{ participants: [{ participantId: alice.id, streamAliases: [] }] }, [voice, music]],
    [{}, []],
    [{ sessionId: session }, [voice, music, other]],
    [undefined, []],
  ];
  for (const [subscriptions, expected] of steps) {
    await sandbox.subscribe(session, carol, subscriptions);
    await c.receives(expected, FOLLOWS);
  }
  assert.deepEqual(await a.receiving(), []);
});

test("permissions limit what is published", async () => {
  const session = await sandbox.session();
  const listener = await sandbox.participant();
  await sandbox.add(session, listener);
  const page = await browser.join(sandbox, listener);
  for (const [permissions, expected, mediaTypes] of [
    [["AUDIO"], "audio", ["AUDIO"]],
    [["VIDEO"], "video", ["VIDEO"]],
    [[], "", ["APPLICATION"]],
  ]) {
    const speaker = await sandbox.participant(permissions);
    await sandbox.add(session, speaker);
    const other = await browser.join(sandbox, speaker);
    assert.deepEqual((await other.publish()).mediaTypes, mediaTypes);
    if (expected) await page.receives([`${speaker.id} ${expected}`]);
    // The sandbox reports its devices with a delay.
    const device = await eventually("the device", async () =>
      (await sandbox.devices()).find((d) => d.participantId === speaker.id));
    assert.deepEqual(device.published.map((p) => p.mediaType), expected ? permissions : []);
    await other.disconnect();
    await page.receives([]);
  }
});

describe("a participant", () => {
  test("that is removed from its session is not heard, and hears nothing, until it is added", async () => {
    const { session, members } = await conference(2);
    const [alice, bob] = members;
    const connected = () =>
      Promise.all([alice.page.receives(both(bob), 10_000), bob.page.receives(both(alice), 10_000)]);
    const separated = () =>
      Promise.all([alice.page.receives([], FOLLOWS), bob.page.receives([], FOLLOWS)]);
    await connected();
    await sandbox.remove(session, bob);
    await separated();
    await sandbox.add(session, bob);
    await connected();
    await sandbox.call("DELETE", `/sessions/${session}`);
    await separated();
    assert.deepEqual(await sandbox.webhooks(bob.id), ["onConnect"]);
  });

  test("that is deleted is disconnected, and the SDK does not come back", async () => {
    const { members } = await conference(2);
    const [alice, bob] = members;
    await alice.page.receives(both(bob));
    await sandbox.call("DELETE", `/participants/${bob.id}`);
    await alice.page.receives([], FOLLOWS);
    const events = async () => (await sandbox.webhooks(bob.id)).at(-1) === "onLeave";
    await eventually("the webhook", events);
    // The SDK connects again after one second, if it does.
    await sleep(1500);
    assert.deepEqual(await sandbox.webhooks(bob.id), ["onConnect", "onLeave"]);
    assert.ok(!(await sandbox.devices()).some((device) => device.participantId === bob.id));
  });
});

describe("a lost websocket", () => {
  test("is replaced when the SDK connects again, and media continues", async (t) => {
    const session = await sandbox.session();
    const [alice, bob] = await Promise.all([1, 2].map(() => sandbox.participant()));
    for (const participant of [alice, bob]) await sandbox.add(session, participant);
    const proxy = await Proxy.start(sandbox);
    t.after(() => proxy.stop());
    const a = await browser.join(sandbox, alice, proxy.url);
    const b = await browser.join(sandbox, bob);
    await Promise.all([a.publish(), b.publish()]);
    await Promise.all([a.receives(both(bob)), b.receives(both(alice))]);
    const device = async () =>
      (await sandbox.devices()).find(({ participantId }) => participantId === alice.id);
    const { deviceId } = await device();
    proxy.interrupt();
    await eventually("the sandbox notices", async () => !(await device()).connected);
    await b.receives(both(alice), FOLLOWS);
    await eventually("the SDK connects again", async () => (await device()).connected);
    assert.equal((await device()).deviceId, deviceId);
    // Offers reach the device on the new websocket.
    await sandbox.subscribe(session, alice, {});
    await a.receives([], FOLLOWS);
    await sandbox.subscribe(session, alice, { sessionId: session });
    await a.receives(both(bob), FOLLOWS);
    assert.deepEqual(await sandbox.webhooks(alice.id), ["onConnect"]);

    proxy.stop();
    const ended = async () => (await sandbox.webhooks(alice.id)).length > 1;
    await eventually("the device is lost", ended, 15_000);
    assert.deepEqual(await sandbox.webhooks(alice.id), ["onConnect", "onDisconnect"]);
    assert.equal(await sandbox.statusOf("GET", `/participants/${alice.id}`), 404);
    await b.receives([], FOLLOWS);
  });
});

test("media ends when the session expires", async (t) => {
  const seconds = 8;
  const brief = await Sandbox.start("--session-ttl", String(seconds));
  t.after(() => brief.stop());
  const [alice, bob] = await Promise.all([1, 2].map(() => brief.participant()));
  const [a, b] = await Promise.all([alice, bob].map((p) => browser.join(brief, p)));
  await a.publish({ audio: true });
  // As late as possible: the time of the session starts here.
  const session = await brief.session();
  for (const participant of [alice, bob]) await brief.add(session, participant);
  await b.receives([`${alice.id} audio`]);
  await b.receives([], seconds * 1000 + FOLLOWS);
  assert.equal(await brief.statusOf("GET", `/sessions/${session}`), 404);
});

test("forged and expired tokens, and those of deleted participants, are rejected", async (t) => {
  const brief = await Sandbox.start("--participant-token-ttl", "2");
  t.after(() => brief.stop());
  const page = await browser.page();
  const opens = (root, token) =>
    page.page.evaluate(
      ([root, token]) =>
        new Promise((resolve) => {
          const socket = new WebSocket(`${root}/v3/?token=${token}&uniqueId=1`);
          socket.onopen = () => resolve(true) ?? socket.close(1000);
          socket.onerror = () => resolve(false);
        }),
      [root, token],
    );
  const valid = await sandbox.participant();
  const [head, claims, signature] = valid.token.split(".");
  const other = await sandbox.participant();
  const forged = `${head}.${other.token.split(".")[1]}.${signature}`;
  const unsigned = `${btoa('{"alg":"none"}')}.${claims}.`;
  for (const token of [forged, unsigned, "", "x", `${head}.${claims}.`]) {
    assert.equal(await opens(sandbox.websocketUrl, token), false, token);
  }
  assert.equal(await opens(sandbox.websocketUrl, valid.token), true);
  await sandbox.call("DELETE", `/participants/${other.id}`);
  assert.equal(await opens(sandbox.websocketUrl, other.token), false);
  const expiring = await brief.participant();
  assert.equal(await opens(brief.websocketUrl, expiring.token), true);
  await sleep(2500);
  assert.equal(await opens(brief.websocketUrl, expiring.token), false);
});

test("two devices with one token are separate devices of one participant", async () => {
  const { session, members } = await conference(1);
  const [alice] = members;
  const bob = await sandbox.participant();
  await sandbox.add(session, bob);
  const [first, second] = await Promise.all([1, 2].map(() => browser.join(sandbox, bob)));
  await Promise.all([first.receives(both(alice)), second.receives(both(alice))]);
  await Promise.all([first.publish({ audio: true }), second.publish({ audio: true })]);
  const audio = `${bob.id} audio`;
  await alice.page.receives([audio, audio]);
  assert.deepEqual(await first.receiving(), both(alice));
  await first.disconnect();
  await alice.page.receives([audio]);
  await second.receives(both(alice), FOLLOWS);
  assert.deepEqual((await sandbox.call("GET", `/participants/${bob.id}`)).sessions, [session]);
  await second.disconnect();
  await alice.page.receives([]);
  const sessions = async () => (await sandbox.call("GET", `/participants/${bob.id}`)).sessions;
  await eventually("the participant leaves", async () => (await sessions()).length === 0);
  const all = async () => (await sandbox.webhooks(bob.id)).length === 4;
  await eventually("the webhooks", all);
  const events = ["onConnect", "onConnect", "onLeave", "onLeave"];
  assert.deepEqual(await sandbox.webhooks(bob.id), events);
});
