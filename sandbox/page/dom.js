// Elements: creation, update of lists, and texts that several modules show.

const SVG = "http://www.w3.org/2000/svg";

/** Creates an HTML element with attributes, listeners (`onclick`) and children. */
export function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** Creates an SVG element, likewise. */
export function s(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** The element of the document with this id. */
export const byId = (id) => document.getElementById(id);

/**
 * Makes the children of an element correspond to `items`. The element of a known key is kept and
 * updated, so that it keeps the focus and stays open.
 */
export function reconcile(parent, items, key, create, update = () => {}) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const current = items.map((item) => {
    const name = String(key(item));
    let child = old.get(name);
    if (!child) {
      child = create(item);
      child.dataset.key = name;
    }
    old.delete(name);
    update(child, item);
    return child;
  });
  for (const child of old.values()) child.remove();
  let position = parent.firstElementChild;
  for (const child of current) {
    if (child === position) position = position.nextElementSibling;
    else parent.insertBefore(child, position);
  }
}

/** Changes a text only if it differs, because screen readers may announce a change. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A short form of an id; the whole id is its title. */
export function shortId(id) {
  return h("code", { class: "id", title: id }, shorten(id));
}

/** What people call a participant, session or endpoint. */
export function nameOf(item) {
  return item.tag || shorten(item.id ?? item.endpointId);
}

/** The first digits of an id, without the prefix that all endpoints and devices have. */
function shorten(id) {
  return id.replace(/^[a-z]-/, "").slice(0, 8);
}

/** The name of an item in bold, and a short form of its id. */
export function heading(item) {
  const id = shortId(item.id ?? item.endpointId);
  return item.tag ? [h("strong", {}, item.tag), id] : [h("strong", {}, id)];
}

/** A label with a color: `good`, `warning`, `bad` or none. */
export function chip(text, color = "", title = null) {
  return h("span", { class: `chip ${color}`, title }, text);
}

/** A time of day with milliseconds. */
export function clock(milliseconds) {
  const time = new Date(Number(milliseconds));
  return time.toTimeString().slice(0, 8) + "." + String(time.getMilliseconds()).padStart(3, "0");
}

/** A number of bytes for people. */
export function bytes(count) {
  if (count < 1000) return `${count} B`;
  return count < 1e6 ? `${Math.round(count / 1000)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

/** An audio level in dBov as a loudness from 0 to 1, as people hear it: -60 dB is silent. */
export function loudness(level) {
  return Math.min(1, Math.max(0, (level + 60) / 50));
}

/** A document as indented text. */
export function pretty(document) {
  return typeof document === "string" ? document : JSON.stringify(document, null, 2);
}
