// node --test tests/widgets/js/attention.test.mjs; the comparison with NumPy is in tests/widgets/test_attention_view.py.
import assert from "node:assert/strict";
import { test } from "node:test";

import * as attention from "../../../explorer/widgets/js/attention.js";
import { chartLayout, placesOf, roundSteps, stripLayout, wallLayout } from "../../../explorer/widgets/js/attention_layout.js";
import { AttentionStore } from "../../../explorer/widgets/js/attention_store.js";

/** A layer whose numbers need no random generator. */
function makeLayer(heads, tokens, dim) {
  const wave = (length, pace) => Float32Array.from({ length }, (_, at) => 1.5 * Math.sin(at * pace + 0.3));
  const layer = { q: wave(heads * tokens * dim, 0.37), k: wave(heads * tokens * dim, 0.71), heads, tokens, dim };
  layer.lse = new Float32Array(heads * tokens);
  for (let head = 0; head < heads; head += 1) {
    for (let query = 0; query < tokens; query += 1) {
      let sum = 0;
      for (let key = 0; key < tokens; key += 1) sum += Math.exp(score(layer, head, query, key));
      layer.lse[head * tokens + query] = Math.log(sum);
    }
  }
  return layer;
}

function score({ q, k, tokens, dim }, head, query, key) {
  let sum = 0;
  for (let at = 0; at < dim; at += 1) sum += q[(head * tokens + query) * dim + at] * k[(head * tokens + key) * dim + at];
  return sum / Math.sqrt(dim);
}

const close = (a, b, slack = 1e-5) => assert.ok(Math.abs(a - b) < slack, `${a} is not ${b}`);

test("rows sum to 1 and are the exponentials of scores; columns are the same numbers the other way", () => {
  const layer = makeLayer(3, 11, 6);
  for (let token = 0; token < layer.tokens; token += 1) {
    const rows = attention.attentionRows(layer, token);
    for (let head = 0; head < layer.heads; head += 1) {
      const row = rows.subarray(head * 11, (head + 1) * 11);
      close(row.reduce((sum, value) => sum + value, 0), 1);
      for (let key = 0; key < 11; key += 1) {
        close(row[key], Math.exp(score(layer, head, token, key) - layer.lse[head * 11 + token]));
        close(row[key], attention.attentionColumns(layer, key)[head * 11 + token]);
        close(row[key], attention.weightOf(layer, head, token, key));
      }
    }
    const mean = attention.meanOverHeads(rows, 3);
    for (let key = 0; key < 11; key += 1) {
      close(mean[key], (rows[key] + rows[11 + key] + rows[22 + key]) / 3);
      close(mean[key], attention.weightOf(layer, attention.MEAN, token, key));
    }
  }
});

test("a matrix is the same however often its work is interrupted, and empty where it is not done", () => {
  const layer = makeLayer(2, 13, 5);
  const whole = new attention.MatrixJob(layer, 1);
  assert.equal(whole.run(), true);
  const pieces = new attention.MatrixJob(layer, 1);
  pieces.run(() => true);
  assert.ok(Number.isNaN(pieces.values.at(-1)));
  assert.ok(!Number.isNaN(pieces.values[0]));
  while (!pieces.done) pieces.run(() => true);
  assert.deepEqual(pieces.values, whole.values);
  const binned = new attention.MatrixJob(layer, 1, 4);
  binned.run();
  assert.equal(binned.side, 4);
  assert.deepEqual(binned.values, attention.binnedMatrix(whole.values, 13, 4));
  close(Math.max(...binned.values), Math.max(...whole.values));
});

test("the strongest come first, of equal ones the first; what is no number is left out", () => {
  assert.deepEqual(attention.strongest(Float32Array.of(0.1, 0.5, NaN, 0.5, 0.2), 3), [1, 3, 4]);
  assert.deepEqual(attention.strongest(Float32Array.of(0.3), 3), [0]);
});

test("heads in the order of their distance; unknown ones last", () => {
  assert.deepEqual(attention.ordered(Float32Array.of(3, 1, NaN, 2, NaN)), [1, 3, 0, 2, 4]);
});

const RUN = { key: 1, layers: 2, heads: 2, tokens: 7, dim: 4, grid: [2, 3], prefix: ["CLS"], rollout: true, uniform: 1 };
const answer = (layer, high) => [
  { kind: "layer", key: 1, layer },
  [...["q", "k", "lse"].map((name) => makeLayer(2, 7, 4)[name]), Float32Array.of(high, 0.2, 0.3, 0.4)].map(
    (part) => new DataView(part.buffer),
  ),
];

test("a layer is asked for once, and kept", () => {
  const asked = [];
  const store = new AttentionStore((question) => asked.push(question));
  assert.equal(store.layer(0), null);
  assert.deepEqual(asked, []);
  store.start(RUN);
  store.setHighs(new Float32Array(8).fill(NaN));
  assert.equal(store.layer(1), null);
  assert.equal(store.layer(1), null);
  assert.deepEqual(asked, [{ kind: "layer", key: 1, layer: 1 }]);
  assert.equal(store.receive({ kind: "layer", key: 9, layer: 1 }, []), false);
  assert.equal(store.weights(1, 3, "looks"), null);
  assert.equal(store.receive(...answer(1, 0.5)), true);
  assert.equal(store.layer(1).tokens, 7);
  assert.equal(asked.length, 1);
  // The layer's scales came along, and a later summary that does not know them does not take them away.
  store.setHighs(new Float32Array(8).fill(NaN));
  close(store.high(1, 0, false), 0.5);
  close(store.high(1, attention.MEAN, true), 0.2);
  close(store.high(1, 1, true), 0.4);
  assert.ok(Number.isNaN(store.high(0, 0, false)));
  // Another run starts anew.
  assert.equal(store.start(RUN), false);
  assert.equal(store.start({ ...RUN, key: 2 }), true);
  assert.equal(store.layer(1), null);
  assert.equal(asked.length, 2);
});

test("a token's weights in a head, the mean, the rollout; and one weight of each", () => {
  const asked = [];
  const store = new AttentionStore((question) => asked.push(question));
  store.start(RUN);
  store.setHighs(new Float32Array(8).fill(NaN));
  store.receive(...answer(0, 0.5));
  for (const direction of ["looks", "seen"]) {
    for (const head of [0, 1, attention.MEAN]) {
      const weights = store.open(0, head, 3, direction);
      for (let other = 0; other < 7; other += 1) {
        close(weights[other], direction === "looks" ? store.weight(0, head, 3, other) : store.weight(0, head, other, 3));
      }
    }
  }
  assert.equal(store.open(0, attention.ROLLOUT, 3, "looks"), null);
  assert.deepEqual(asked.at(-1), { kind: "rollout", key: 1, layer: 0 });
  const matrix = Float32Array.from({ length: 49 }, (_, at) => at);
  store.receive({ kind: "rollout", key: 1, layer: 0, high: 48 }, [new DataView(matrix.buffer)]);
  assert.deepEqual([...store.open(0, attention.ROLLOUT, 1, "looks")], [7, 8, 9, 10, 11, 12, 13]);
  assert.deepEqual([...store.open(0, attention.ROLLOUT, 1, "seen")], [1, 8, 15, 22, 29, 36, 43]);
  assert.equal(store.weight(0, attention.ROLLOUT, 2, 3), 17);
  assert.equal(store.high(0, attention.ROLLOUT, false), 48);
  assert.equal(store.matrix(0, attention.ROLLOUT, 2).side, 4);
  assert.equal(store.matrix(1, 0, 1), null);
});

test("tokens find their places on the photo, and back, where some were dropped", () => {
  const places = placesOf(Int32Array.of(5, 1, 3), 2, 6);
  assert.deepEqual(places.dropped, [0, 2, 4]);
  assert.deepEqual([places.at(0), places.at(1), places.at(2), places.at(4)], [-2, -1, 5, 3]);
  assert.deepEqual([5, 1, 3, 0].map(places.token), [2, 3, 4, -1]);
});

test("the strip fits into its width, in two lines where it must", () => {
  for (const [width, count] of [[1168, 8], [1168, 18], [600, 14], [320, 14], [170, 8]]) {
    const { tiles, width: taken } = stripLayout({ width, count, grid: [14, 14], prefix: 5, ratio: 1, widest: 52 });
    assert.equal(tiles.length, count);
    assert.ok(taken <= width);
    for (const { photo, prefix } of tiles) {
      assert.ok(photo.x + photo.width <= width);
      assert.ok(photo.width >= 48);
      assert.equal(prefix.length, 5);
    }
  }
});

test("the wall finds the tile under a point", () => {
  const layout = wallLayout({ width: 700, tall: 620, layers: 12, heads: 12, aspect: 1, gutter: 50 });
  assert.ok(layout.width <= 700 && layout.height <= 640);
  for (const [row, col] of [[0, 0], [11, 11], [3, 7]]) {
    const box = layout.box(row, col);
    assert.deepEqual(layout.at(box.x + box.width / 2, box.y + box.height / 2), { row, col });
  }
  assert.equal(layout.at(10, 100), null);
});

test("the chart's steps are round and reach the largest distance", () => {
  assert.deepEqual(roundSteps(5.4), [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual(roundSteps(0.9), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  const layout = chartLayout({ width: 500, height: 400, layers: 6, reach: 5.4, gutter: 40 });
  close(layout.y(0), layout.plot.y + layout.plot.height);
  close(layout.y(6), layout.plot.y);
  assert.ok(layout.x(0) > layout.plot.x && layout.x(5) < layout.plot.x + layout.plot.width);
});
