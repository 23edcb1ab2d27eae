// What the browser knows of a run: its layers (asked for once, then kept), its scales, and what follows from them.
// Nothing here touches the page; a page without a kernel answers `ask` from its own data.

import { MEAN, MatrixJob, ROLLOUT, attentionColumns, attentionRows } from "./attention.js";
import { binnedMatrix, meanOverHeads, weightOf } from "./attention.js";
import { floats } from "./numbers.js";

/** Layers are kept while they take less than this. */
const KEPT_BYTES = 300e6;
const KEPT_ROLLOUTS = 40e6;
const KEPT_MATRICES = 24;
/** Larger layers are asked for only when they are wanted; of a run that is smaller as a whole, all are asked for. */
const EXPECTED_BYTES = 12e6;
const SMALL_RUN_BYTES = 3e6;

/**
 * @typedef {{key: number, layers: number, heads: number, tokens: number, dim: number, grid: [number, number],
 *   prefix: string[], rollout: boolean, uniform: number, rolled_high?: number}} Run
 */

export class AttentionStore {
  /** @param {(question: {kind: "layer" | "rollout", key: number, layer: number}) => void} ask */
  constructor(ask) {
    this.ask = ask;
    this.start({ key: -1, layers: 0, heads: 0, tokens: 0, dim: 0, grid: [0, 0], prefix: [], rollout: false, uniform: 0 });
  }

  /**
   * Another run: what was known is forgotten.
   * @param {Run} run
   * @returns {boolean} Whether it is another one.
   */
  start(run) {
    if (this.run && this.run.key === run.key) return false;
    this.run = run;
    /** @type {Map<number, import("./attention.js").Layer>} */
    this.layers = new Map();
    this.rollouts = new Map();
    this.matrices = new Map();
    this.asked = new Set();
    this.highs = new Float32Array(0);
    this.sizes = { layer: -1, token: -1, direction: "" };
    this.rows = new Float32Array(run.heads * run.tokens);
    this.mean = new Float32Array(run.tokens);
    return true;
  }

  /**
   * A layer that came along with its run: q, k, log-sum-exps and the ends of its scales, one after the other.
   * @param {number} layer
   * @param {Uint8Array} bytes
   */
  keep(layer, bytes) {
    const { key, heads, tokens, dim } = this.run;
    const sizes = [heads * tokens * dim, heads * tokens * dim, heads * tokens, 2 + heads];
    if (this.layers.has(layer) || bytes.length !== 4 * sizes.reduce((sum, size) => sum + size)) return;
    let at = 0;
    const arrays = sizes.map((size) => bytes.slice(4 * at, 4 * (at += size)));
    this.receive({ kind: "layer", key, layer }, arrays);
  }

  /**
   * A rollout that came along with its run.
   * @param {number} layer
   * @param {Uint8Array} bytes (tokens, tokens)
   */
  keepRollout(layer, bytes) {
    const { key, tokens, rolled_high: high } = this.run;
    if (bytes.length === 4 * tokens * tokens) this.receive({ kind: "rollout", key, layer, high }, [bytes.slice()]);
  }

  /** @param {Float32Array} highs (layers, 2 + heads) */
  setHighs(highs) {
    const before = this.highs;
    this.highs = highs.slice();
    // Layers that arrived by themselves brought theirs along.
    before.forEach((high, at) => {
      if (Number.isNaN(this.highs[at])) this.highs[at] = high;
    });
  }

  /**
   * A layer, or null: then it was asked for.
   * @param {number} layer
   */
  layer(layer) {
    const known = this.layers.get(layer) ?? null;
    if (!known) {
      this.#want("layer", layer);
      return null;
    }
    // The ones used last are kept.
    this.layers.delete(layer);
    this.layers.set(layer, known);
    return known;
  }

  /**
   * Ask for the layers that may be wanted after this one, where that costs little: those that are summarised already.
   * @param {number} layer
   * @param {boolean} rollouts Whether their rollouts are wanted as well.
   */
  expectAround(layer, rollouts) {
    const bytes = this.#layerBytes();
    if (bytes > EXPECTED_BYTES) return;
    const reach = bytes * this.run.layers <= SMALL_RUN_BYTES ? this.run.layers : 1;
    for (let step = 1; step <= reach; step += 1) {
      for (const near of [layer + step, layer - step]) {
        if (Number.isNaN(this.high(near, 0, false))) continue;
        if (!this.layers.has(near)) this.#want("layer", near);
        if (rollouts && this.run.rollout && !this.rollouts.has(near)) this.#want("rollout", near);
      }
    }
  }

  #layerBytes() {
    const { heads, tokens, dim } = this.run;
    return heads * tokens * (2 * dim + 1) * 4;
  }

  /**
   * The rollout up to a layer, or null: then it was asked for.
   * @param {number} layer
   * @returns {{matrix: Float32Array, high: number} | null}
   */
  rollout(layer) {
    const known = this.rollouts.get(layer) ?? null;
    if (!known && this.run.rollout) this.#want("rollout", layer);
    return known;
  }

  #want(kind, layer) {
    const question = `${kind} ${layer}`;
    if (this.asked.has(question) || this.run.key < 0) return;
    this.asked.add(question);
    this.ask({ kind, key: this.run.key, layer });
  }

  /**
   * An answer.
   * @param {{kind: string, key: number, layer: number, high?: number}} message
   * @param {DataView[]} buffers
   * @returns {boolean} Whether it was to a question of this run.
   */
  receive(message, buffers) {
    const { kind, key, layer } = message;
    if (key !== this.run.key) return false;
    const { heads, tokens, dim } = this.run;
    if (kind === "layer") {
      const [q, k, lse, highs] = buffers.map(floats);
      this.layers.set(layer, { q, k, lse, heads, tokens, dim });
      if (this.highs.length) this.highs.set(highs, layer * (2 + heads));
      this.#forget();
    } else if (kind === "rollout") {
      this.rollouts.set(layer, { matrix: floats(buffers[0]), high: message.high });
      // Each is as large as a matrix of the whole run.
      const fit = Math.max(1, Math.floor(KEPT_ROLLOUTS / (tokens * tokens * 4)));
      for (const other of this.rollouts.keys()) {
        if (this.rollouts.size <= fit) break;
        this.rollouts.delete(other);
      }
    } else return false;
    this.asked.delete(`${kind} ${layer}`);
    return true;
  }

  #forget() {
    const fit = Math.max(2, Math.floor(KEPT_BYTES / this.#layerBytes()));
    for (const layer of this.layers.keys()) {
      if (this.layers.size <= fit) break;
      this.layers.delete(layer);
    }
  }

  /**
   * Where a scale ends.
   * @param {number} layer
   * @param {number} head
   * @param {boolean} own A scale for this head alone.
   * @returns {number} NaN while it is not known.
   */
  high(layer, head, own) {
    if (head === ROLLOUT) return this.rollouts.get(layer)?.high ?? NaN;
    const start = layer * (2 + this.run.heads);
    if (!own) return this.highs[start] ?? NaN;
    // The mean over heads, −1, stands just before the first head.
    return this.highs[start + 2 + head] ?? NaN;
  }

  /**
   * A token's weights in all heads of a layer.
   * @param {number} layer
   * @param {number} token
   * @param {"looks" | "seen"} direction
   * @returns {{heads: Float32Array, mean: Float32Array} | null} Valid until the next call.
   */
  weights(layer, token, direction) {
    const known = this.layers.get(layer);
    if (!known || token < 0 || token >= this.run.tokens) return null;
    const { sizes } = this;
    if (sizes.layer !== layer || sizes.token !== token || sizes.direction !== direction) {
      if (direction === "looks") attentionRows(known, token, this.rows);
      else attentionColumns(known, token, this.rows);
      meanOverHeads(this.rows, this.run.heads, this.mean);
      this.sizes = { layer, token, direction };
    }
    return { heads: this.rows, mean: this.mean };
  }

  /**
   * A token's weights in one head, the mean over heads, or the rollout.
   * @param {number} layer
   * @param {number} head
   * @param {number} token
   * @param {"looks" | "seen"} direction
   * @returns {Float32Array | null}
   */
  open(layer, head, token, direction) {
    const { tokens } = this.run;
    if (head === ROLLOUT) {
      const rollout = this.rollout(layer);
      if (!rollout) return null;
      if (direction === "looks") return rollout.matrix.subarray(token * tokens, (token + 1) * tokens);
      return Float32Array.from({ length: tokens }, (_, query) => rollout.matrix[query * tokens + token]);
    }
    const weights = this.weights(layer, token, direction);
    if (!weights) return null;
    return head === MEAN ? weights.mean : weights.heads.subarray(head * tokens, (head + 1) * tokens);
  }

  /**
   * One weight, NaN while it is not known.
   * @param {number} layer
   * @param {number} head
   * @param {number} query
   * @param {number} key
   */
  weight(layer, head, query, key) {
    if (head === ROLLOUT) return this.rollouts.get(layer)?.matrix[query * this.run.tokens + key] ?? NaN;
    const known = this.layers.get(layer);
    return known ? weightOf(known, head, query, key) : NaN;
  }

  /**
   * A matrix with `step` tokens in a cell, done or being worked out; null where its layer is not there yet.
   * @param {number} layer
   * @param {number} head
   * @param {number} step
   * @returns {{values: Float32Array, side: number, step: number, done: boolean, run: (enough?: () => boolean) => boolean} | null}
   */
  matrix(layer, head, step) {
    const name = `${layer} ${head} ${step}`;
    let job = this.matrices.get(name);
    if (!job) {
      const { tokens } = this.run;
      if (head === ROLLOUT) {
        const rollout = this.rollout(layer);
        if (!rollout) return null;
        const values = binnedMatrix(rollout.matrix, tokens, step);
        job = { values, side: Math.ceil(tokens / step), step, done: true, run: () => true };
      } else {
        const known = this.layers.get(layer);
        if (!known) return null;
        job = new MatrixJob(known, head, step);
      }
    }
    // The ones used last are kept.
    this.matrices.delete(name);
    this.matrices.set(name, job);
    for (const other of this.matrices.keys()) {
      if (this.matrices.size <= KEPT_MATRICES) break;
      this.matrices.delete(other);
    }
    return job;
  }
}
