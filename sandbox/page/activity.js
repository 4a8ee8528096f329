// Requests and webhooks, newest first.

import { byId, chip, clock, h, nameOf, pretty, reconcile } from "./dom.js";

/** The number of requests and webhooks that stay on the page. */
const LIMIT = 300;

const requests = new Map();
const webhooks = [];
let names = new Map();

byId("filter").addEventListener("input", renderRequests);

/** Removes everything. */
export function clearActivity() {
  requests.clear();
  webhooks.length = 0;
  byId("request-list").replaceChildren();
  byId("webhook-list").replaceChildren();
}

/** Adds requests, or changes those that have been shown; returns the number of requests. */
export function showRequests(changed) {
  for (const request of changed) requests.set(request.id, request);
  for (const id of [...requests.keys()].slice(0, -LIMIT)) requests.delete(id);
  renderRequests();
  return requests.size;
}

/** Adds webhooks; returns their number. */
export function showWebhooks(added, account) {
  const known = [...(account?.participants ?? []), ...(account?.endpoints ?? [])];
  names = new Map(known.map((item) => [item.id ?? item.endpointId, nameOf(item)]));
  const first = (webhooks.at(-1)?.id ?? 0) + 1;
  webhooks.push(...added.map((webhook, index) => ({ id: first + index, ...webhook })));
  webhooks.splice(0, webhooks.length - LIMIT);
  byId("no-webhooks").hidden = webhooks.length > 0;
  reconcile(byId("webhook-list"), [...webhooks].reverse(), ({ id }) => id, createWebhook);
  return webhooks.length;
}

function renderRequests() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const all = [...requests.values()].reverse();
  const shown = all.filter(({ method, operation, path, status, body }) => {
    const text = [method, operation, path, status, JSON.stringify(body)].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const note = byId("no-requests");
  note.hidden = shown.length > 0;
  note.textContent = all.length ? "No request matches the filter." : "No requests.";
  reconcile(byId("request-list"), shown, ({ id }) => id, () => entry(), (item, request) => {
    if (item.shown === request) return;
    item.shown = request;
    update(item, summarizeRequest(request), [
      ["Request", `${request.method} ${request.path}${request.query ? `?${request.query}` : ""}`],
      ["Connection", String(request.connection)],
      ["Headers", pretty(request.headers)],
      ["Body", request.body === null ? "none" : pretty(request.body)],
    ]);
  });
}

function summarizeRequest(request) {
  return [
    h("time", {}, clock(request.time)),
    h("span", { class: "what" }, h("b", {}, request.method), " ", request.operation ?? request.path),
    result(request),
    h("span", { class: "duration" }, duration(request)),
  ];
}

function duration({ finished, durationMs }) {
  return finished ? `${durationMs || "< 1"} ms` : "";
}

function result({ finished, status }) {
  if (!finished) return chip("waiting");
  if (status === null) return chip("closed", "bad", "the connection was closed without a response");
  return chip(String(status), status < 300 ? "good" : status < 500 ? "warning" : "bad");
}

function createWebhook(webhook) {
  const { body, url, status, error, fallback } = webhook;
  const time = body.timestamp ?? Date.parse(body.eventTime);
  const subject = body.participantId ?? body.endpointId;
  const item = entry();
  update(item, [
    h("time", {}, clock(time)),
    h("span", { class: "what" }, h("b", {}, body.event ?? body.eventType), " ",
      names.get(subject) ?? body.tag ?? body.tags ?? subject?.slice(0, 8) ?? ""),
    outcome(webhook),
  ], [
    ["Receiver", url ?? "no callback URL"],
    ["Result", error ?? `HTTP ${status}`],
    ...(fallback ? [["Fallback", `${fallback.url}: ${fallback.error ?? `HTTP ${fallback.status}`}`]] : []),
    ["Body", pretty(body)],
  ]);
  return item;
}

function outcome({ url, status, error, fallback }) {
  if (url === null) return chip("no receiver", "", error);
  const accepted = [status, fallback?.status].find((code) => code >= 200 && code < 300);
  if (accepted) return chip(`${accepted}${accepted === status ? "" : " fallback"}`, "good");
  return status ? chip(String(status), "bad") : chip("failed", "bad", error);
}

function entry() {
  return h("li", {}, h("details", {}, h("summary"), h("dl")));
}

function update(item, summary, details) {
  const [head, list] = item.firstElementChild.children;
  head.replaceChildren(...summary);
  list.replaceChildren(...details.flatMap(([name, text]) =>
    [h("dt", {}, name), h("dd", {}, h("pre", {}, text))]));
}
