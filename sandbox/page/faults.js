// The configured faults, and the form that adds one.

import { byId, chip, h, pretty, reconcile } from "./dom.js";

const form = byId("fault-form");
const error = byId("fault-error");
/** How the parameters of a fault are shown. */
const UNITS = {
  status: (value) => `status ${value}`,
  ms: (value) => `${value} ms`,
  bytesPerSecond: (value) => `${value} bytes per second`,
};

/** Shows the faults that affect later requests. */
export function showFaults(faults) {
  const rows = faults.map((fault, index) => ({ fault, key: `${index} ${JSON.stringify(fault)}` }));
  reconcile(byId("fault-list"), rows, ({ key }) => key, ({ fault }) => createRow(fault));
  byId("no-faults").hidden = faults.length > 0;
  byId("clear-faults").disabled = faults.length === 0;
}

/** Offers the operations, in groups. */
export function showOperations(groups) {
  form.operation.replaceChildren(...Object.entries(groups).map(([label, names]) =>
    h("optgroup", { label }, ...names.map((name) =>
      h("option", { value: name }, name === "*" ? "all operations" : name)))));
}

function createRow({ operation, kind, count, after, ...parameters }) {
  const [, effect] = [...form.kind.options].map((option) => [option.value, option.text])
    .find(([value]) => value === kind);
  const { headers, body, ...values } = parameters;
  return h("li", {},
    h("div", { class: "name" },
      h("strong", {}, operation === "*" ? "all operations" : operation), " ", effect.toLowerCase()),
    h("div", { class: "chips" },
      ...Object.entries(values).map(([name, value]) => chip(UNITS[name](value), "warning")),
      ...Object.entries(headers ?? {}).map(([name, value]) => chip(`${name}: ${value}`)),
      chip(count === null ? "all requests" : count === 1 ? "1 request" : `${count} requests`),
      after ? chip(after === 1 ? "after 1 request" : `after ${after} requests`) : null),
    body === undefined ? null : h("pre", {}, pretty(body)));
}

function showFields() {
  for (const field of form.querySelectorAll("[data-kind]")) {
    field.hidden = field.dataset.kind !== form.kind.value;
    // A disabled field is neither checked nor sent.
    field.querySelector("input, textarea").disabled = field.hidden;
  }
}

/** The document of the form's fields. */
function fault() {
  const fields = Object.fromEntries(new FormData(form));
  const document = {
    operation: fields.operation,
    kind: fields.kind,
    count: fields.count === "" ? null : Number(fields.count),
    after: Number(fields.after),
  };
  for (const name of ["status", "ms", "bytesPerSecond"]) {
    if (fields[name] !== undefined) document[name] = Number(fields[name]);
  }
  if (fields.retryAfter) document.headers = { "Retry-After": fields.retryAfter };
  if (fields.body) document.body = parse(fields.body);
  return document;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function send(method, body) {
  error.textContent = "";
  try {
    const response = await fetch("/_sandbox/faults", { method, body });
    if (!response.ok) error.textContent = (await response.json()).error;
  } catch {
    error.textContent = "The sandbox does not respond.";
  }
}

form.kind.addEventListener("change", showFields);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  send("POST", JSON.stringify(fault()));
});
byId("clear-faults").addEventListener("click", () => send("DELETE"));
showFields();
