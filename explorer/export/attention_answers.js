// What a kernel would answer the attention view, from the q and k in the file itself.

import { MEAN, MatrixJob, attentionColumns, attentionRows } from "../widgets/js/attention.js";
import { floats } from "../widgets/js/numbers.js";

/** Longest side of a small picture on the wall, as in Python. */
const THUMBNAIL = 64;
/** How long the page's thread is taken at a time. */
const SLICE = 12;

const pause = () => new Promise((resolve) => setTimeout(resolve, 0));

/** @typedef {import("../widgets/js/attention.js").Layer} Layer */

/**
 * Answer a view's questions: layers, rollouts, and the small pictures of its wall.
 * @param {any} model The view's model.
 * @param {(layer: number) => {q: Float32Array, k: Float32Array, lse: Float32Array, highs: Float32Array}} read
 */
export function answerAttention(model, read) {
  const { key, layers: depth, heads, tokens, dim, grid, prefix } = model.get("run");
  const places = new Int32Array(floats(model.get("places")).slice().buffer);
  const known = new Map();
  const flows = new Map();
  let asked = 0;

  /** @returns {Layer} */
  const layerOf = (layer) => {
    if (!known.has(layer)) known.set(layer, { ...read(layer), heads, tokens, dim });
    return known.get(layer);
  };

  model.answer = (question) => {
    if (question.key !== key) return;
    const { kind, layer } = question;
    if (kind === "layer") {
      const { q, k, lse, highs } = layerOf(layer);
      queueMicrotask(() => model.fire("msg:custom", { kind, key, layer }, [q, k, lse, highs]));
    } else if (kind === "rollout") {
      flowTo(layer).then((flow) => {
        const matrix = Float32Array.from(flow);
        model.fire("msg:custom", { kind, key, layer, high: percentile(matrix, 0.995) }, [matrix]);
      });
    }
  };
  for (const trait of ["token", "direction", "wall_kind"]) model.on(`change:${trait}`, fillWall);
  fillWall();

  /** The rollout up to a layer, in float64; each is worked out from the one before it, once. */
  function flowTo(layer) {
    if (!flows.has(layer)) flows.set(layer, nextFlow(layer));
    return flows.get(layer);
  }

  async function nextFlow(layer) {
    const before = layer > 0 ? await flowTo(layer - 1) : null;
    await pause();
    const step = rolloutStep(meanAttention(layerOf(layer)), tokens);
    return before ? product(step, before, tokens) : step;
  }

  /** The chosen token's pictures are there at once; those of whole matrices a few at a time. */
  function fillWall() {
    asked += 1;
    if (model.get("wall_kind") === "matrix") {
      model.set({ wall: null });
      matrices(asked);
      return;
    }
    const token = Math.min(model.get("token"), tokens - 1);
    const work = model.get("direction") === "seen" ? attentionColumns : attentionRows;
    const all = [];
    for (let layer = 0; layer < depth; layer += 1) {
      const weights = work(layerOf(layer), token);
      for (let head = 0; head < heads; head += 1) {
        all.push(onGrid(weights.subarray(head * tokens, (head + 1) * tokens), places, prefix.length, grid));
      }
    }
    model.set({ wall_shape: all[0].shape, wall: joined(all.map(({ values }) => values)) });
  }

  async function matrices(mine) {
    const side = Math.min(tokens, THUMBNAIL);
    const all = [];
    let begun = performance.now();
    for (let layer = 0; layer < depth; layer += 1) {
      for (let head = 0; head < heads; head += 1) {
        const job = new MatrixJob(layerOf(layer), head);
        job.run();
        all.push(largestOf(job.values, [tokens, tokens], [side, side]));
        if (performance.now() - begun < SLICE) continue;
        await pause();
        if (mine !== asked) return;
        begun = performance.now();
      }
    }
    model.set({ wall_shape: [side, side], wall: joined(all) });
  }
}

/**
 * A layer's attention, the mean over its heads.
 * @param {Layer} layer
 * @returns {Float32Array} (tokens, tokens)
 */
function meanAttention(layer) {
  const job = new MatrixJob(layer, MEAN);
  job.run();
  return job.values;
}

/** Half of the attention, half of the identity for the residual path. */
function rolloutStep(mean, tokens) {
  const step = Float64Array.from(mean, (weight) => weight / 2);
  for (let token = 0; token < tokens; token += 1) step[token * tokens + token] += 0.5;
  return step;
}

/** The product of two square matrices. */
function product(left, right, side) {
  const out = new Float64Array(side * side);
  for (let row = 0; row < side; row += 1) {
    const sums = out.subarray(row * side, (row + 1) * side);
    for (let at = 0; at < side; at += 1) {
      const factor = left[row * side + at];
      const from = at * side;
      for (let col = 0; col < side; col += 1) sums[col] += factor * right[from + col];
    }
  }
  return out;
}

/** As NumPy has it: between the two values that stand beside the place. */
function percentile(values, share) {
  const sorted = values.slice().sort();
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

/**
 * A token's weights laid out as the photo is, NaN where the run has no such token; small where the grid is fine.
 * @returns {{values: Float32Array, shape: [number, number]}}
 */
function onGrid(weights, places, prefix, [rows, cols]) {
  const values = new Float32Array(rows * cols).fill(NaN);
  places.forEach((place, patch) => {
    values[place] = weights[prefix + patch];
  });
  const shape = [Math.min(rows, THUMBNAIL), Math.min(cols, THUMBNAIL)];
  return { values: largestOf(values, [rows, cols], shape), shape };
}

/** Fewer values, each the largest of its block; NaN is left out where a block has others. */
function largestOf(values, [rows, cols], [height, width]) {
  if (rows === height && cols === width) return values;
  const bins = (count, whole) => {
    const of = new Int32Array(whole);
    for (let bin = 0; bin < count; bin += 1) of.fill(bin, Math.floor((bin * whole) / count));
    return of;
  };
  const [rowBins, colBins] = [bins(height, rows), bins(width, cols)];
  const out = new Float32Array(height * width).fill(NaN);
  for (let row = 0; row < rows; row += 1) {
    for (let col = 0; col < cols; col += 1) {
      const bin = rowBins[row] * width + colBins[col];
      const value = values[row * cols + col];
      if (value === value && !(out[bin] >= value)) out[bin] = value;
    }
  }
  return out;
}

function joined(parts) {
  const out = new Float32Array(parts.length * parts[0].length);
  parts.forEach((part, index) => out.set(part, index * part.length));
  return out;
}
