// The picture of a session: its participants in a circle, and an arrow from each participant to those
// who hear it.

import { nameOf, s } from "./dom.js";

const SIZE = 360;
const CENTER = SIZE / 2;
/** The space for a node and its label, above and below the circle. */
const MARGIN = 54;
let count = 0;

/** Draws the participants of a session. */
export function draw(participants) {
  const arrow = `arrow-${++count}`;
  const crowded = participants.length > 8;
  const node = crowded ? 8 : 20;
  const places = new Map(participants.map(({ id }, index) => [id, place(index, participants.length)]));
  const heights = [...places.values()].map(({ y }) => y);
  const top = Math.min(...heights) - MARGIN;
  const picture = s("svg", {
    viewBox: `0 ${top} ${SIZE} ${Math.max(...heights) + MARGIN - top}`,
    class: `picture ${crowded ? "crowded" : ""}`, role: "img",
  },
    s("title", {}, describe(participants)),
    s("defs", {}, s("marker", {
      id: arrow, viewBox: "0 0 10 10", refX: 9, refY: 5, orient: "auto-start-reverse",
      markerWidth: crowded ? 5 : 7, markerHeight: crowded ? 5 : 7,
    }, s("path", { d: "M0 1 L9 5 L0 9 z" }))));
  for (const [speaker, listener, mutual] of edges(participants)) {
    const [from, to] = [places.get(speaker), places.get(listener)];
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    const gap = (node + 6) / Math.hypot(dx, dy);
    picture.append(s("line", {
      class: "edge", "data-from": speaker, "data-to": listener, "data-mutual": mutual,
      x1: from.x + dx * gap, y1: from.y + dy * gap, x2: to.x - dx * gap, y2: to.y - dy * gap,
      "marker-end": `url(#${arrow})`, "marker-start": mutual ? `url(#${arrow})` : null,
    }));
  }
  for (const participant of participants) {
    const { x, y, angle } = places.get(participant.id);
    const name = nameOf(participant);
    const [outX, outY] = [Math.cos(angle), Math.sin(angle)];
    const label = crowded
      ? { x: x + outX * (node + 7), y: y + outY * (node + 7) + 4 }
      : { x, y: y + (outY < -0.3 ? -node - 16 : node + 27) };
    const anchor = crowded && Math.abs(outX) > 0.3 ? (outX > 0 ? "start" : "end") : "middle";
    picture.append(s("g", {
      class: `node ${participant.connected ? "connected" : ""}`, "data-id": participant.id,
    },
      s("circle", { class: "loudness", cx: x, cy: y, r: node }),
      s("circle", { class: "disc", cx: x, cy: y, r: node }),
      crowded ? null : s("text", {
        class: "initial", x, y: y + node * 0.32, "font-size": node * 0.9, "text-anchor": "middle",
      }, [...name][0].toUpperCase()),
      s("text", { class: "label", ...label, "text-anchor": anchor, "font-size": crowded ? 11 : 14 },
        shorten(name, crowded ? 9 : 16))));
  }
  return picture;
}

/** Shows how loud each participant is, from 0 to 1. */
export function showLevels(picture, levelOf) {
  for (const node of picture.querySelectorAll(".node")) {
    const level = levelOf(node.dataset.id) ?? 0;
    const radius = Number(node.querySelector(".disc").getAttribute("r"));
    node.querySelector(".loudness").setAttribute("r", radius + Math.min(level, 1) * 14);
  }
  for (const edge of picture.querySelectorAll(".edge")) {
    const { from, to, mutual } = edge.dataset;
    const level = Math.max(levelOf(from) ?? 0, mutual === undefined ? 0 : levelOf(to) ?? 0);
    edge.classList.toggle("sounding", level > 0.05);
  }
}

/** Emphasizes what one participant hears and who hears it; null for all. */
export function emphasize(picture, id) {
  picture.classList.toggle("emphasized", id !== null);
  for (const edge of picture.querySelectorAll(".edge")) {
    edge.classList.toggle("emphasis", edge.dataset.from === id || edge.dataset.to === id);
  }
  for (const node of picture.querySelectorAll(".node")) {
    node.classList.toggle("emphasis", node.dataset.id === id);
  }
}

/** Who hears whom, in words. */
function describe(participants) {
  const names = new Map(participants.map((participant) => [participant.id, nameOf(participant)]));
  return "Who hears whom. " + participants.map((participant) => {
    const heard = participant.hears.map((id) => names.get(id) ?? id);
    return `${nameOf(participant)} hears ${heard.join(", ") || "nobody"}.`;
  }).join(" ");
}

/** The pairs of speaker and listener; both directions as one that is mutual. */
function edges(participants) {
  const hears = new Map(participants.map(({ id, hears }) => [id, new Set(hears)]));
  const pairs = [];
  for (const [listener, speakers] of hears) {
    for (const speaker of speakers) {
      if (!hears.has(speaker)) continue;
      const mutual = hears.get(speaker).has(listener);
      if (!mutual || speaker < listener) pairs.push([speaker, listener, mutual]);
    }
  }
  return pairs;
}

function place(index, total) {
  if (total === 1) return { x: CENTER, y: CENTER, angle: Math.PI / 2 };
  // Two participants are side by side.
  const angle = (index / total) * 2 * Math.PI + (total === 2 ? Math.PI : -Math.PI / 2);
  const radius = total > 8 ? 110 : 122;
  return { x: CENTER + radius * Math.cos(angle), y: CENTER + radius * Math.sin(angle), angle };
}

function shorten(text, length) {
  const characters = [...text];
  return characters.length > length ? characters.slice(0, length - 1).join("") + "…" : text;
}
