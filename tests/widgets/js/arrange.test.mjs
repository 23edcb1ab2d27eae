// Drawings beside and below each other on one sheet.

import assert from "node:assert/strict";
import { test } from "node:test";

import { arranged, onSheet, placed } from "../../../explorer/drawing/arrange.js";

const measure = (text, size = 16) => text.length * size * 0.5;
const scene = (width, height, items = []) => ({ width, height, items });
const part = (width, height, { title = "", notes = [], room = width, items = [] } = {}) => ({
  kind: "part",
  drawn: { scene: scene(width, height, items), title, notes, width: room },
});
const rect = { kind: "rect", x: 0, y: 0, width: 10, height: 10, stroke: "#000" };

test("titles side by side stand on one line, also where one has two", () => {
  const row = { kind: "row", gap: 10, children: [
    part(100, 50, { title: "one two three four five", items: [rect] }),
    part(100, 50, { title: "short", items: [rect] }),
  ] };
  const { items, width, height } = arranged(row, measure);
  const [first, second] = items.filter((item) => item.kind === "rect");
  assert.equal(first.y, second.y);
  const lines = items.filter((item) => item.kind === "text");
  assert.ok(lines.length >= 3);
  // The short title stands beside the last line of the long one, just above the drawings.
  assert.equal(lines.at(-1).text, "short");
  assert.equal(lines.at(-1).y, lines.at(-2).y);
  assert.equal(width, 210);
  assert.equal(height, first.y + 50);
});

test("a sign of an equation stands at the middle of what it joins", () => {
  const row = { kind: "row", gap: 10, middle: true, children: [part(100, 80), { kind: "sign", text: "×" }, part(100, 40, { items: [rect] })] };
  const { items, height } = arranged(row, measure);
  assert.equal(height, 80);
  assert.equal(items.find((item) => item.kind === "text").y, 40);
  // The lower drawing is centred, too.
  assert.equal(items.find((item) => item.kind === "rect").y, 20);
});

test("a sheet holds all of it, within its margins, and its caption below", () => {
  const body = { kind: "column", gap: 20, children: [
    part(900, 700, { title: "A title", notes: ["A note that is said of it."], items: [{ ...rect, width: 900, height: 700 }] }),
    { kind: "words", text: "some words", width: 400, size: 20, weight: 400 },
  ] };
  const sheet = { width: 1280, height: 720, margin: 28, caption: "what it is" };
  const { items, scale, width, height } = onSheet(body, sheet, measure);
  assert.deepEqual([width, height], [1280, 720]);
  assert.ok(scale < 1);
  const caption = items.at(-1);
  assert.equal(caption.text, "what it is");
  for (const item of items) {
    const right = item.x + (item.kind === "text" ? measure(item.text, item.size) : item.width);
    assert.ok(item.x >= 28 - 1e-6 && right <= 1252 + 1e-6, JSON.stringify(item));
    if (item !== caption) assert.ok(item.y + (item.height ?? 0) < caption.y - caption.size / 2);
  }
  assert.ok(caption.y + caption.size / 2 <= 720 - 20);
});

test("small drawings are enlarged, but not without end", () => {
  const sheet = { width: 1280, height: 720, margin: 28, caption: "" };
  assert.equal(onSheet(part(40, 40), sheet, measure).scale, 1.7);
});

test("what is scaled has its letters, lines and corners scaled, too", () => {
  assert.deepEqual(placed({ kind: "text", x: 2, y: 4, text: "a" }, 10, 20, 2), { kind: "text", x: 14, y: 28, text: "a", size: 32 });
  assert.deepEqual(placed({ kind: "line", x1: 0, y1: 1, x2: 2, y2: 3, stroke: "#000" }, 1, 1, 3), {
    kind: "line", x1: 1, y1: 4, x2: 7, y2: 10, stroke: "#000", lineWidth: 3,
  });
  const box = placed({ ...rect, radius: 4, lineWidth: 2 }, 0, 0, 0.5);
  assert.deepEqual([box.width, box.radius, box.lineWidth], [5, 2, 1]);
});

test("what an item works out only when it is painted stays that way", () => {
  let asked = 0;
  const item = { kind: "image", x: 0, y: 0, width: 1, height: 1, get source() { asked += 1; return "picture"; } };
  const copy = placed(item, 5, 5, 2);
  assert.equal(asked, 0);
  assert.equal(copy.source, "picture");
});
