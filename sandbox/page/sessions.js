// Sessions with their participants, participants without a session, and endpoints.

import { byId, bytes, chip, h, heading, loudness, nameOf, reconcile, setText, shortId } from "./dom.js";
import { draw, emphasize, showLevels } from "./picture.js";

const NO_SESSION = "no session";
const sessionList = byId("session-list");

/** Shows all sessions, participants and endpoints. */
export function showAccount(account, about) {
  const all = new Map(account.participants.map((item) => [item.id, item]));
  // Nobody hears a participant that may not publish, even if others have subscribed to it.
  const isSilent = (id) => all.get(id)?.publishPermissions.length === 0;
  const participants = new Map(account.participants.map((item) =>
    [item.id, { ...item, hears: item.hears.filter((id) => !isSilent(id)) }]));
  const cards = account.sessions.map((session) => ({
    ...session,
    participants: session.participants.map((id) => participants.get(id)).filter(Boolean),
  }));
  const alone = [...participants.values()].filter(({ sessions }) => sessions.length === 0);
  if (alone.length) cards.push({ id: NO_SESSION, participants: alone });
  reconcile(sessionList, cards, ({ id }) => id, createCard, (card, session) => {
    // Each event contains all sessions: draw only those that have changed.
    const text = JSON.stringify(session);
    if (card.shown === text) return;
    card.shown = text;
    updateCard(card, session, about, participants);
  });
  byId("start").hidden = cards.length > 0;
  byId("truncated").hidden = !account.truncated;
  reconcile(byId("endpoint-list"), account.endpoints, (endpoint) => endpoint.endpointId,
    () => h("li"), updateEndpoint);
  byId("no-endpoints").hidden = account.endpoints.length > 0;
}

/** Shows the devices of the participants and how loud they are. */
export function showDevices(devices) {
  const devicesOf = (id) => (devices ?? []).filter(({ participantId }) => participantId === id);
  const levelOf = (id) => loudest(devicesOf(id));
  for (const picture of sessionList.querySelectorAll(".picture")) showLevels(picture, levelOf);
  for (const row of sessionList.querySelectorAll(".participant")) {
    const figures = devicesOf(row.dataset.key);
    const level = loudest(figures);
    const meter = row.querySelector("meter");
    meter.hidden = level === null;
    if (level !== null) meter.value = level;
    setText(row.querySelector(".media"), figures.map(describeDevice).join("; "));
  }
}

function createCard(session) {
  const id = `session-${session.id.replace(/\W/g, "")}`;
  const card = h("article", { class: "card session", "aria-labelledby": id },
    h("h3", { id }), h("figure", { class: "figure" }), h("ul", { class: "rows" }));
  const [, figure, list] = card.children;
  const show = (event) => {
    const of = event?.target.closest?.(".participant, .node");
    const picture = figure.firstElementChild;
    if (picture) emphasize(picture, of ? of.dataset.key ?? of.dataset.id : null);
  };
  for (const part of [figure, list]) {
    part.addEventListener("pointerover", show);
    part.addEventListener("pointerleave", () => show());
    part.addEventListener("focusin", show);
    part.addEventListener("focusout", () => show());
  }
  return card;
}

function updateCard(card, session, about, all) {
  const [title, figure, list] = card.children;
  const isSession = session.id !== NO_SESSION;
  const number = session.participants.length;
  title.replaceChildren(
    isSession ? session.tag || "Session" : "Participants without a session",
    ...(isSession ? [" ", shortId(session.id)] : []),
    h("small", {}, number === 1 ? "1 participant" : `${number} participants`));
  figure.hidden = !isSession || number === 0;
  figure.replaceChildren(...(figure.hidden ? [] : [
    draw(session.participants),
    h("figcaption", { class: "muted" }, "Arrows point to those who hear"),
  ]));
  reconcile(list, session.participants, ({ id }) => id, createParticipant,
    (row, participant) => updateParticipant(row, participant, session, about, all));
}

function createParticipant(participant) {
  return h("li", { class: "participant" },
    h("div", { class: "name" }),
    h("p", { class: "hears" }),
    h("p", { class: "media muted" }),
    h("meter", { min: 0, max: 1, value: 0, hidden: true,
      "aria-label": `Audio level of ${nameOf(participant)}` }),
    h("div", { class: "actions" }));
}

function updateParticipant(row, participant, session, about, all) {
  const [name, hears, , , actions] = row.children;
  const permissions = participant.publishPermissions.map((text) => text.toLowerCase()).sort();
  name.replaceChildren(
    ...heading(participant),
    participant.connected ? chip("connected", "good") : chip("no device"),
    ...permissions.map((permission) => chip(permission, "", `may publish ${permission}`)));
  hears.hidden = session.id === NO_SESSION;
  setText(hears, `hears ${describeHeard(participant.hears, session, all)}`);
  if (about.media && !actions.firstChild) {
    // The id is not secret, and a browser does not send the fragment.
    actions.append(h("a", {
      class: "button", href: `/join#participant=${participant.id}`, target: "_blank", rel: "noopener",
    }, "Join", h("span", { class: "hidden" }, ` as ${nameOf(participant)} (opens a new tab)`)));
  }
}

function describeHeard(ids, session, all) {
  if (ids.length > 2 && ids.length === session.participants.length - 1) return `all ${ids.length} others`;
  const names = ids.map((id) => (all.has(id) ? nameOf(all.get(id)) : id));
  return names.join(", ") || "nobody";
}

function updateEndpoint(row, endpoint) {
  const text = JSON.stringify(endpoint);
  if (row.shown === text) return;
  row.shown = text;
  const isConnected = endpoint.status === "CONNECTED";
  row.replaceChildren(
    h("div", { class: "name" },
      ...heading(endpoint),
      chip(endpoint.status.toLowerCase(), isConnected ? "good" : ""),
      chip(endpoint.direction.toLowerCase()),
      endpoint.eligible ? chip("eligible for calls", "good") : null),
    h("p", { class: "muted" }, `expires ${new Date(endpoint.expirationTimestamp).toLocaleString()}`),
    h("ul", { class: "devices" }, ...endpoint.devices.map((device) => h("li", {},
      "Device ", shortId(device.deviceId), ` ${device.status.toLowerCase()}, since `,
      new Date(device.creationTimestamp).toLocaleTimeString()))));
}

/** How loud a participant is, from 0 to 1; null if this is not known. */
function loudest(devices) {
  const levels = devices.flatMap(({ published }) => published)
    .map(({ level }) => level ?? null).filter((level) => level !== null);
  return levels.length ? loudness(Math.max(...levels)) : null;
}

function describeDevice({ published, received }) {
  return `sends ${describeTracks(published)}; receives ${describeTracks(received)}`;
}

function describeTracks(tracks) {
  const totals = new Map();
  for (const { mediaType, bytes: count } of tracks) {
    totals.set(mediaType, (totals.get(mediaType) ?? 0) + count);
  }
  return [...totals].sort().map(([kind, count]) => `${bytes(count)} ${kind.toLowerCase()}`)
    .join(", ") || "nothing";
}
