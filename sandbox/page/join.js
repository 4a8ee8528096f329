// Joins as a participant, through the official device SDK.

import { byId, bytes, h, nameOf, setText } from "./dom.js";
import { createTest, loudnessOf, openDevices, stop } from "./sources.js";

const SIGNALING_URL = location.origin.replace(/^http/, "ws");

/** The peer connections of the SDK, for their statistics: the SDK does not return them. */
const connections = [];
window.RTCPeerConnection = class extends window.RTCPeerConnection {
  constructor(...parameters) {
    super(...parameters);
    connections.push(this);
  }
};

/** How long the sandbox may take to accept the connection, in milliseconds. */
const CONNECT_TIMEOUT = 10_000;

const form = byId("form");
const tiles = new Map();
let participant = { id: "" };
let token = null;
let device = null;
let own = null;
let ownLoudness = null;

/** Reads the participant or the token from the fragment, which a browser does not send. */
async function start() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  token = fragment.get("token");
  participant.id = token ? participantOf(token) : fragment.get("participant") ?? "";
  if (token) {
    // The token must not remain in the address bar and in the history.
    history.replaceState(null, "", `#participant=${participant.id}`);
  }
  const { sdk } = document.body.dataset;
  if (sdk !== "available") {
    byId("unavailable").hidden = false;
    byId("state").hidden = true;
    byId(sdk).hidden = false;
    setText(byId("websocket-url"), SIGNALING_URL);
    return;
  }
  if (!await findParticipant()) return;
  for (const id of ["sending", "receiving", "events", "licence"]) byId(id).hidden = false;
  const name = nameOf(participant);
  document.title = `${name} · bw-sandbox`;
  setText(byId("who"), `Join as ${name}`);
  setText(byId("where"), `Participant ${participant.id}`);
  for (const kind of ["audio", "video"]) {
    const isAllowed = participant.publishPermissions.includes(kind.toUpperCase());
    form[kind].checked = isAllowed;
    form[kind].disabled = !isAllowed;
    if (!isAllowed) form[kind].nextElementSibling.append(h("small", {}, " not permitted"));
  }
}

/** The id in a token's claims; empty if it is not a token. */
function participantOf(text) {
  try {
    return JSON.parse(atob(text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).p ?? "";
  } catch {
    return "";
  }
}

/** The state of a participant; undefined if there is none. */
async function fetchParticipant(wanted) {
  const response = await fetch("/_sandbox/state");
  const { accounts } = await response.json();
  return accounts[0].participants.find(({ id }) => id === wanted);
}

async function findParticipant() {
  const found = await fetchParticipant(participant.id);
  if (found) participant = found;
  else {
    byId("unavailable").hidden = false;
    setText(byId("unavailable-title"), participant.id
      ? `There is no participant ${participant.id}` : "No participant was selected");
    byId("unavailable").append(h("p", {}, h("a", { href: "/" }, "Select a participant on the live page")));
  }
  return found;
}

async function join() {
  showState("Joining", "warning");
  form.querySelector("#join").disabled = true;
  setText(byId("problem"), "");
  try {
    own = await openSource();
    showOwn();
    const { default: BandwidthRtc } = await import("/page/device-sdk.js");
    device = new BandwidthRtc();
    device.onStreamAvailable(addTile);
    device.onStreamUnavailable((endpointId) => removeTile(endpointId));
    await connect(token ?? await fetchToken());
    record("Connected");
    if (own.getTracks().length) {
      await device.publish(own);
      record(`Sending ${own.getTracks().map(({ kind }) => kind).join(" and ")}`);
    }
    showJoined(true);
  } catch (error) {
    leave();
    setText(byId("problem"), `Cannot join: ${error.message ?? error}`);
  }
}

/** Connects. The SDK tries again without end, so the page must be loaded again after a failure. */
async function connect(deviceToken) {
  const late = new Promise((resolve) => setTimeout(resolve, CONNECT_TIMEOUT, "late"));
  const connected = device.connect({ deviceToken }, { websocketUrl: SIGNALING_URL });
  if (await Promise.race([connected, late]) === "late") {
    setText(byId("join"), "Load again");
    throw new Error("the sandbox does not accept the connection; its log states the reason");
  }
}

function openSource() {
  const [audio, video] = [form.audio.checked, form.video.checked];
  if (!audio && !video) return new MediaStream();
  return form.source.value === "real"
    ? openDevices(audio, video) : createTest(nameOf(participant), audio, video);
}

async function fetchToken() {
  const response = await fetch(`/_sandbox/participants/${participant.id}/token`, { method: "POST" });
  const document = await response.json();
  if (!response.ok) throw new Error(document.error);
  return document.token;
}

function leave() {
  try {
    device?.disconnect();
  } catch {
    // The SDK is between two attempts to connect.
  }
  device = null;
  // A token can be used again, but it may have expired.
  token = null;
  connections.splice(0).forEach((connection) => connection.close());
  if (own) stop(own);
  own = null;
  for (const id of [...tiles.keys()]) removeTile(id);
  showJoined(false);
}

function showJoined(isJoined) {
  showState(isJoined ? "Joined" : "Not joined", isJoined ? "good" : "");
  for (const control of form.querySelectorAll("fieldset")) control.disabled = isJoined;
  byId("join").disabled = false;
  byId("join").hidden = isJoined;
  byId("leave").hidden = !isJoined;
  byId("mute").hidden = !isJoined || !own.getAudioTracks().length;
  showMuted(false);
  byId("own").hidden = !own?.getTracks().length;
  setText(byId("silence"), isJoined ? "Nothing yet: no other participant that you hear sends anything."
    : "Nothing yet: you have not joined.");
}

function showOwn() {
  byId("own").hidden = !own.getTracks().length;
  const video = byId("own").querySelector("video");
  video.hidden = !own.getVideoTracks().length;
  video.srcObject = own;
  byId("own").querySelector("meter").hidden = !own.getAudioTracks().length;
  ownLoudness = loudnessOf(own);
}

function showState(text, color) {
  byId("state").className = `chip ${color}`;
  setText(byId("state"), text);
}

function showMuted(isMuted) {
  byId("mute").setAttribute("aria-pressed", isMuted);
}

function record(text) {
  byId("journal").prepend(h("li", {}, h("time", {}, new Date().toTimeString().slice(0, 8)), text));
}

/** Shows a stream of another participant. */
async function addTile({ endpointId, mediaStream, mediaTypes, participantId, alias }) {
  removeTile(endpointId, true);
  const tile = { mediaStream };
  tiles.set(endpointId, tile);
  const publisher = await fetchParticipant(participantId);
  // It may have ended in the meantime.
  if (tiles.get(endpointId) !== tile) return;
  const name = publisher ? nameOf(publisher) : alias || endpointId;
  const video = h("video", { autoplay: true, playsinline: true, "aria-label": `Video of ${name}` });
  video.srcObject = mediaStream;
  video.play().catch(() => record(`Click on the page to hear ${name}`));
  const element = h("figure", { class: "card tile", "data-participant": participantId },
    video,
    h("figcaption", {}, h("strong", {}, name), " ", h("span", { class: "muted" },
      (mediaTypes ?? []).join(", ").toLowerCase())),
    h("meter", { min: 0, max: 1, value: 0, hidden: !mediaStream.getAudioTracks().length,
      "aria-label": `Audio level of ${name}` }),
    h("p", { class: "muted figures" }));
  Object.assign(tile, { element, loudness: loudnessOf(mediaStream), name });
  byId("tiles").append(element);
  byId("silence").hidden = true;
  record(`Receiving ${name}`);
}

function removeTile(endpointId, isReplaced = false) {
  const tile = tiles.get(endpointId);
  if (!tile) return;
  tiles.delete(endpointId);
  tile.element?.remove();
  byId("silence").hidden = tiles.size > 0;
  if (tile.element && !isReplaced) record(`No longer receiving ${tile.name}`);
}

/** The statistics of all tracks, by the id of the track. */
async function statistics() {
  const found = { sent: { audio: 0, video: 0 }, received: new Map() };
  for (const connection of connections) {
    for (const report of (await connection.getStats()).values()) {
      if (report.type === "outbound-rtp") found.sent[report.kind] += report.bytesSent;
      if (report.type === "inbound-rtp") found.received.set(report.trackIdentifier, report);
    }
  }
  return found;
}

async function showFigures() {
  const { sent, received } = await statistics();
  setText(byId("own").querySelector("p"), `audio ${bytes(sent.audio)}, video ${bytes(sent.video)} sent`);
  for (const { element, mediaStream } of tiles.values()) {
    if (!element) continue;
    let [heard, seen] = [0, 0];
    for (const track of mediaStream.getTracks()) {
      const report = received.get(track.id);
      if (track.kind === "audio") heard += report?.bytesReceived ?? 0;
      else seen += report?.framesDecoded ?? 0;
    }
    // For tests and scripts.
    Object.assign(element.dataset, { bytesHeard: heard, framesSeen: seen });
    setText(element.querySelector(".figures"), `audio ${bytes(heard)}, ${seen} frames received`);
  }
}

function showLoudness() {
  if (own && ownLoudness) byId("own").querySelector("meter").value = ownLoudness();
  for (const { element, loudness } of tiles.values()) {
    if (loudness) element.querySelector("meter").value = loudness();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (byId("join").textContent === "Load again") location.reload();
  else join();
});
byId("leave").addEventListener("click", () => {
  leave();
  record("Left");
});
byId("mute").addEventListener("click", () => {
  const isMuted = byId("mute").getAttribute("aria-pressed") !== "true";
  for (const track of own.getAudioTracks()) track.enabled = !isMuted;
  showMuted(isMuted);
});
// A click allows the browser to play sound.
document.addEventListener("click", () => {
  for (const video of document.querySelectorAll("#tiles video")) video.play().catch(() => {});
});
addEventListener("pagehide", () => device?.disconnect());
setInterval(showLoudness, 100);
setInterval(showFigures, 1000);
start();
