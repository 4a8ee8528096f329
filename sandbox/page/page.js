// The live page. The sandbox sends what has changed as server-sent events.

import { clearActivity, showRequests, showWebhooks } from "./activity.js";
import { byId, setText } from "./dom.js";
import { showFaults, showOperations } from "./faults.js";
import { showAccount, showDevices } from "./sessions.js";

let about;
let account;
let devices = null;

function receive(change) {
  if (change.reset) {
    clearActivity();
    ({ about } = change);
    showAbout();
  }
  if (change.account) {
    account = change.account;
    showAccount(account, about);
    setCount("sessions", account.sessions.length);
    setCount("endpoints", account.endpoints.length);
    announce();
  }
  if (change.devices !== undefined) ({ devices } = change);
  if (change.account || change.devices !== undefined) showDevices(devices);
  if (change.faults) {
    showFaults(change.faults);
    setCount("faults", change.faults.length);
  }
  if (change.requests) setCount("requests", showRequests(change.requests));
  if (change.webhooks) setCount("webhooks", showWebhooks(change.webhooks, account));
}

function showAbout() {
  setText(byId("account"), about.account);
  setText(byId("version"), ` · version ${about.version}`);
  showOperations(about.operations);
  byId("configuration").textContent = JSON.stringify({
    accountId: about.account,
    baseUrl: `${location.origin}/v1`,
    endpointsUrl: `${location.origin}/v2`,
    tokenUrl: `${location.origin}/api/v1/oauth2/token`,
  }, null, 2);
}

function setCount(section, number) {
  setText(byId(`count-${section}`), String(number));
}

let announced = null;
let timer = null;

/** Reports changes to screen readers, at most once in two seconds. */
function announce() {
  timer ??= setTimeout(() => {
    timer = null;
    const connected = account.participants.filter((participant) => participant.connected).length;
    const text = `${account.sessions.length} sessions, ${account.participants.length} participants, ` +
      `${connected} connected`;
    // The first text is what the user has just opened.
    if (announced !== null) setText(byId("announcement"), text);
    announced = text;
  }, 2000);
}

function showConnection(text, color) {
  const connection = byId("connection");
  connection.className = `chip ${color}`;
  setText(connection, text);
}

const source = new EventSource("/_sandbox/events");
source.onopen = () => showConnection("Live", "good");
source.onmessage = (event) => receive(JSON.parse(event.data));
source.onerror = () => showConnection(
  source.readyState === EventSource.CLOSED ? "Disconnected: reload the page" : "Reconnecting", "bad");
