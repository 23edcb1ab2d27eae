// The arithmetic of attention, from a layer's q, k and every query's log-sum-exp. Nothing here touches the page, so
// node can test it, and a page without a kernel can use it.

/** Head that stands for the mean over a layer's heads. */
export const MEAN = -1;
/** Head that stands for the rollout up to a layer. */
export const ROLLOUT = -2;

/**
 * One layer: `q` and `k` of shape (heads, tokens, dim), `lse` (heads, tokens).
 * @typedef {{q: Float32Array, k: Float32Array, lse: Float32Array, heads: number, tokens: number, dim: number}} Layer
 */

/**
 * What one query looks at, in every head: exp(q·k/√dim − lse) = softmax(q·kᵀ/√dim).
 * @param {Layer} layer
 * @param {number} query
 * @param {Float32Array} [out] (heads, tokens)
 * @returns {Float32Array} (heads, tokens)
 */
export function attentionRows(layer, query, out = new Float32Array(layer.heads * layer.tokens)) {
  const { heads, tokens } = layer;
  for (let head = 0; head < heads; head += 1) {
    headRow(layer, head, query, out.subarray(head * tokens, (head + 1) * tokens));
  }
  return out;
}

/**
 * How much every query looks at one key, in every head.
 * @param {Layer} layer
 * @param {number} key
 * @param {Float32Array} [out] (heads, tokens)
 * @returns {Float32Array} (heads, tokens)
 */
export function attentionColumns(layer, key, out = new Float32Array(layer.heads * layer.tokens)) {
  const { q, k, lse, heads, tokens, dim } = layer;
  const scale = 1 / Math.sqrt(dim);
  for (let head = 0; head < heads; head += 1) {
    const start = head * tokens;
    dots(k, (start + key) * dim, q, start * dim, tokens, dim, scale, out, start);
    for (let at = start; at < start + tokens; at += 1) out[at] = Math.exp(out[at] - lse[at]);
  }
  return out;
}

/**
 * One row of one head's A.
 * @param {Layer} layer
 * @param {number} head
 * @param {number} query
 * @param {Float32Array} out (tokens)
 * @returns {Float32Array}
 */
export function headRow({ q, k, lse, tokens, dim }, head, query, out) {
  const start = head * tokens;
  dots(q, (start + query) * dim, k, start * dim, tokens, dim, 1 / Math.sqrt(dim), out, 0);
  const sum = lse[start + query];
  for (let at = 0; at < tokens; at += 1) out[at] = Math.exp(out[at] - sum);
  return out;
}

/**
 * One row of A of a head, or of the mean over the heads.
 * @param {Layer} layer
 * @param {number} head MEAN for the mean.
 * @param {number} query
 * @param {Float32Array} out (tokens)
 * @param {Float32Array} scratch (tokens)
 * @returns {Float32Array}
 */
export function anyRow(layer, head, query, out, scratch) {
  if (head !== MEAN) return headRow(layer, head, query, out);
  out.fill(0);
  for (let one = 0; one < layer.heads; one += 1) {
    headRow(layer, one, query, scratch);
    for (let at = 0; at < out.length; at += 1) out[at] += scratch[at];
  }
  for (let at = 0; at < out.length; at += 1) out[at] /= layer.heads;
  return out;
}

/**
 * One weight.
 * @param {Layer} layer
 * @param {number} head MEAN for the mean over the heads.
 * @param {number} query
 * @param {number} key
 * @returns {number}
 */
export function weightOf(layer, head, query, key) {
  const { q, k, lse, heads, tokens, dim } = layer;
  if (head === MEAN) {
    let sum = 0;
    for (let one = 0; one < heads; one += 1) sum += weightOf(layer, one, query, key);
    return sum / heads;
  }
  const from = (head * tokens + query) * dim;
  const to = (head * tokens + key) * dim;
  let score = 0;
  for (let at = 0; at < dim; at += 1) score += q[from + at] * k[to + at];
  return Math.fround(Math.exp(score / Math.sqrt(dim) - lse[head * tokens + query]));
}

/**
 * The mean over heads.
 * @param {Float32Array} weights (heads, tokens)
 * @param {number} heads
 * @param {Float32Array} [out] (tokens)
 * @returns {Float32Array}
 */
export function meanOverHeads(weights, heads, out = new Float32Array(weights.length / heads)) {
  const tokens = out.length;
  out.fill(0);
  for (let head = 0; head < heads; head += 1) {
    for (let at = 0; at < tokens; at += 1) out[at] += weights[head * tokens + at];
  }
  for (let at = 0; at < tokens; at += 1) out[at] /= heads;
  return out;
}

/**
 * The dot products of one vector with many, times `scale`.
 */
function dots(one, oneAt, many, manyAt, count, dim, scale, out, outAt) {
  const vector = new Float64Array(dim);
  for (let at = 0; at < dim; at += 1) vector[at] = one[oneAt + at] * scale;
  const whole = dim - (dim % 4);
  for (let row = 0, from = manyAt; row < count; row += 1, from += dim) {
    // Not `let [a, b, c, d] = [0, 0, 0, 0]`: that walks an iterator for every row, and made all of this take four times
    // as long.
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let at = 0;
    for (; at < whole; at += 4) {
      a += vector[at] * many[from + at];
      b += vector[at + 1] * many[from + at + 1];
      c += vector[at + 2] * many[from + at + 2];
      d += vector[at + 3] * many[from + at + 3];
    }
    for (; at < dim; at += 1) a += vector[at] * many[from + at];
    out[outAt + row] = a + b + (c + d);
  }
}

/**
 * A whole T × T matrix, a few rows at a time, so that nothing waits for a large one. Where `step` tokens share a cell,
 * it holds the largest of their weights.
 */
export class MatrixJob {
  /**
   * @param {Layer} layer
   * @param {number} head MEAN for the mean over the heads.
   * @param {number} [step]
   */
  constructor(layer, head, step = 1) {
    this.layer = layer;
    this.head = head;
    this.step = step;
    this.side = Math.ceil(layer.tokens / step);
    /** Not a number where the row is not worked out yet. */
    this.values = new Float32Array(this.side * this.side).fill(NaN);
    this.done = false;
    this.next = 0;
    this.row = new Float32Array(layer.tokens);
    this.scratch = new Float32Array(layer.tokens);
  }

  /**
   * Work for a while.
   * @param {() => boolean} enough Asked after each row of cells.
   * @returns {boolean} Whether all is done.
   */
  run(enough = () => false) {
    const { layer, step, side, values } = this;
    while (this.next < layer.tokens) {
      const last = Math.min(layer.tokens, this.next + step);
      const start = (this.next / step) * side;
      for (; this.next < last; this.next += 1) {
        const row = anyRow(layer, this.head, this.next, this.row, this.scratch);
        if (step === 1) values.set(row, start);
        else binInto(values, start, row, step);
      }
      if (enough()) break;
    }
    this.done = this.next >= layer.tokens;
    return this.done;
  }
}

/** The largest of every `step` values, and of what is there already. */
function binInto(values, start, row, step) {
  for (let at = 0; at < row.length; at += 1) {
    const bin = start + ((at / step) | 0);
    if (!(values[bin] >= row[at])) values[bin] = row[at];
  }
}

/**
 * A whole matrix with `step` × `step` of its values in a cell, the largest of them.
 * @param {Float32Array} matrix (tokens, tokens)
 * @param {number} tokens
 * @param {number} step
 * @returns {Float32Array}
 */
export function binnedMatrix(matrix, tokens, step) {
  if (step === 1) return matrix;
  const side = Math.ceil(tokens / step);
  const values = new Float32Array(side * side).fill(NaN);
  for (let row = 0; row < tokens; row += 1) {
    binInto(values, ((row / step) | 0) * side, matrix.subarray(row * tokens, (row + 1) * tokens), step);
  }
  return values;
}

/**
 * The tokens with the largest weights, largest first.
 * @param {Float32Array} weights (tokens)
 * @param {number} count
 * @returns {number[]}
 */
export function strongest(weights, count) {
  const best = [];
  for (let token = 0; token < weights.length; token += 1) {
    const weight = weights[token];
    if (!(weight >= 0) || (best.length === count && weight <= weights[best[count - 1]])) continue;
    let place = best.length;
    while (place > 0 && weights[best[place - 1]] < weight) place -= 1;
    best.splice(place, 0, token);
    if (best.length > count) best.pop();
  }
  return best;
}

/**
 * Heads in the order of some numbers (their distances); those without one keep their place at the end.
 * @param {ArrayLike<number>} numbers
 * @returns {number[]}
 */
export function ordered(numbers) {
  const known = (value) => (Number.isNaN(value) ? Infinity : value);
  return Array.from(numbers, (_, index) => index).sort((a, b) => known(numbers[a]) - known(numbers[b]) || a - b);
}

/**
 * The scale of some weights: from 0, or three decades below its upper end.
 * @param {number} high
 * @param {boolean} log
 * @param {string} label
 * @returns {import("./colors.js").Scale}
 */
export function weightScale(high, log, label) {
  const end = high > 0 ? high : 1;
  return { low: log ? end / 1000 : 0, high: end, colormap: "sequential", log, label };
}
