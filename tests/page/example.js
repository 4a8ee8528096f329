// An example state of the sandbox, for screenshots and for the accessibility check.

/** Creates two sessions, participants, endpoints, faults, requests and webhooks. */
export async function fill(sandbox, hooks) {
  const support = await sandbox.session("support call 4711");
  const [alice, bob, carol, dave] = await Promise.all(["Alice", "Bob", "Carol", "Dave (supervisor)"]
    .map((tag) => sandbox.participant({ tag, callbackUrl: hooks.url })));
  await sandbox.add(support, alice);
  await sandbox.add(support, bob);
  await sandbox.add(support, carol, [alice]);
  await sandbox.add(support, dave, [alice, bob]);
  const town = await sandbox.session("town hall");
  for (let number = 1; number <= 12; number += 1) {
    const guest = await sandbox.participant({ tag: `guest ${number}`, publishPermissions: ["AUDIO"] });
    await sandbox.add(town, guest, number % 3 === 0 ? [guest] : undefined);
  }
  const unanswered = await sandbox.participant({ callbackUrl: "http://127.0.0.1:1/closed" });
  const endpoint = await sandbox.call("POST", "/v2/accounts/9900000/endpoints",
    { type: "WEBRTC", direction: "BIDIRECTIONAL", tag: "reception desk", eventCallbackUrl: hooks.url });
  await sandbox.call("POST", "/v2/accounts/9900000/endpoints", { type: "WEBRTC", direction: "INBOUND" });
  await sandbox.control("POST", `/endpoints/${endpoint.data.endpointId}/connect`);
  await sandbox.control("POST", `/endpoints/${endpoint.data.endpointId}/eligible`);
  for (const { id } of [alice, bob, dave, unanswered]) {
    await sandbox.control("POST", `/participants/${id}/connect`);
  }
  await sandbox.control("POST", "/faults", {
    operation: "deleteSession", kind: "status", status: 503, headers: { "Retry-After": "2" },
    body: { error: "maintenance" }, count: 3,
  });
  await sandbox.control("POST", "/faults", { operation: "token", kind: "delay", ms: 1500, count: null, after: 2 });
  await sandbox.call("DELETE", `${sandbox.account}/sessions/${town}`).catch(() => {});
  await sandbox.call("GET", `${sandbox.account}/participants/00000000-0000-4000-8000-000000000000`);
  await sandbox.call("POST", `${sandbox.account}/participants`, { tag: "bad", publishPermissions: ["AUDOI"] });
  return { support, alice, bob, carol, dave };
}

/** The devices of the example, as a build with media reports them. */
export function levels({ alice, bob, dave }) {
  const tracks = (kilobytes, level) => [
    { streamId: "s", alias: null, mediaType: "AUDIO", bytes: kilobytes * 1000, frames: 300, level },
    { streamId: "s", alias: null, mediaType: "VIDEO", bytes: kilobytes * 14_000, frames: 90, level: null },
  ];
  const device = ({ id }, level, received) => ({
    participantId: id, deviceId: `device of ${id}`, connected: true, published: tracks(64, level),
    received: received.flatMap((other) =>
      tracks(60).map((track) => ({ ...track, participantId: other.id }))),
  });
  return [device(alice, -18, [bob]), device(bob, -52, [alice]), device(dave, -127, [alice, bob])];
}

/** Adds devices to the first event that a page receives, as a build with media does. */
export async function withDevices(page, devices) {
  await page.addInitScript((found) => {
    const add = (change) => ({
      ...change, devices: found, ...(change.about && { about: { ...change.about, media: true } }),
    });
    const parse = JSON.parse;
    JSON.parse = (text) => {
      const document = parse(text);
      return document?.reset ? add(document) : document;
    };
  }, devices);
}
