// node --test tests/widgets/js/square.test.mjs
import assert from "node:assert/strict";
import { test } from "node:test";

import { clamp, edge, centerAt, moved } from "../../../explorer/widgets/js/square.js";

test("edge and centre are each other's inverse", () => {
  for (const side of [0.2, 0.5, 0.9]) {
    for (const center of [0, 0.3, 0.5, 1]) assert.ok(Math.abs(centerAt(edge(center, side), side, 9) - center) < 1e-12);
  }
  assert.equal(edge(1, 0.25), 0.75);
});

test("the square stays on the picture, and keeps its place where it cannot move", () => {
  assert.equal(centerAt(-0.4, 0.5, 0.5), 0);
  assert.equal(centerAt(0.9, 0.5, 0.5), 1);
  assert.equal(centerAt(0.3, 1, 0.5), 0.5);
  assert.equal(clamp(7), 1);
});

test("arrow keys move by steps that add up, Shift by larger ones", () => {
  let center = { x: 0.5, y: 0.5 };
  for (let step = 0; step < 5; step += 1) center = moved("ArrowRight", false, center);
  assert.deepEqual(center, { x: 0.75, y: 0.5 });
  assert.deepEqual(moved("ArrowUp", true, center), { x: 0.75, y: 0.3 });
  for (let step = 0; step < 30; step += 1) center = moved("ArrowRight", false, center);
  assert.deepEqual(center, { x: 1, y: 0.5 });
  assert.deepEqual(moved("Home", false, center), { x: 0, y: 0 });
  assert.deepEqual(moved("End", false, center), { x: 1, y: 1 });
  assert.equal(moved("a", false, center), null);
});
