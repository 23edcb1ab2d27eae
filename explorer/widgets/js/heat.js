// From values to pixels: one pixel a cell, enlarged afterwards without smoothing.

import { MISSING, levels, lookup } from "./colors.js";

/**
 * Smallest and largest of some values, and whether one of them is no value at all (NaN).
 * @param {Float32Array} values
 * @returns {{least: number, most: number, missing: boolean}}
 */
export function extent(values) {
  let [least, most, missing] = [Infinity, -Infinity, false];
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    if (value < least) least = value;
    if (value > most) most = value;
    if (value !== value) missing = true;
  }
  return { least, most, missing };
}

/**
 * Whether there are values beyond the ends of a scale, which its colour bar then says.
 * @param {{least: number, most: number}} range
 * @param {import("./colors.js").Scale} scale
 * @returns {{below: boolean, above: boolean}}
 */
export function beyondScale({ least, most }, { low, high }) {
  // The scale's ends come as doubles: a float32 that is the end itself is not beyond it.
  const slack = 1e-6 * Math.max(Math.abs(low), Math.abs(high));
  return { below: least < low - slack, above: most > high + slack };
}

/**
 * Colours of values, as RGBA.
 * @param {Float32Array} values
 * @param {import("./colors.js").Scale} scale
 * @returns {Uint8ClampedArray}
 */
export function colorize(values, scale) {
  const colors = lookup(scale.colormap);
  const table = new Uint32Array(257);
  for (let level = 0; level < 256; level += 1) {
    table[level] = packed(colors[level * 3], colors[level * 3 + 1], colors[level * 3 + 2]);
  }
  table[256] = packed(MISSING[0], MISSING[1], MISSING[2]);
  const which = levels(values, scale);
  const words = new Uint32Array(values.length);
  for (let index = 0; index < values.length; index += 1) words[index] = table[which[index]];
  return new Uint8ClampedArray(words.buffer);
}

/**
 * One RGBA pixel as the 32-bit word that little-endian machines, thus all that browsers run on, keep it as.
 */
function packed(red, green, blue) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/**
 * RGBA of RGB bytes.
 * @param {Uint8Array} rgb
 * @returns {Uint8ClampedArray}
 */
export function opaque(rgb) {
  const pixels = new Uint8ClampedArray((rgb.length / 3) * 4);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    pixels[to] = rgb[from];
    pixels[to + 1] = rgb[from + 1];
    pixels[to + 2] = rgb[from + 2];
    pixels[to + 3] = 255;
  }
  return pixels;
}

/**
 * Fewer values: each stands for a block of `rowStep` by `colStep` (less at the far edges).
 * @param {Float32Array} values
 * @param {number} rows
 * @param {number} cols
 * @param {number} rowStep
 * @param {number} colStep
 * @param {string} how "mean", or "max" for the value furthest from 0. NaN is left out where a block has other values.
 * @returns {{values: Float32Array, rows: number, cols: number}}
 */
export function binned(values, rows, cols, rowStep, colStep, how) {
  const newRows = Math.ceil(rows / rowStep);
  const newCols = Math.ceil(cols / colStep);
  const result = new Float32Array(newRows * newCols);
  const sums = new Float64Array(newCols);
  const counts = new Uint32Array(newCols);
  for (let newRow = 0; newRow < newRows; newRow += 1) {
    sums.fill(0);
    counts.fill(0);
    const last = Math.min(rows, (newRow + 1) * rowStep);
    for (let row = newRow * rowStep; row < last; row += 1) {
      for (let col = 0, at = row * cols; col < cols; col += 1, at += 1) {
        const value = values[at];
        if (value !== value) continue;
        const bin = (col / colStep) | 0;
        if (how === "max") {
          if (counts[bin] === 0 || Math.abs(value) > Math.abs(sums[bin])) sums[bin] = value;
        } else sums[bin] += value;
        counts[bin] += 1;
      }
    }
    for (let bin = 0; bin < newCols; bin += 1) {
      const total = counts[bin] === 0 ? NaN : sums[bin];
      result[newRow * newCols + bin] = how === "max" ? total : total / counts[bin];
    }
  }
  return { values: result, rows: newRows, cols: newCols };
}

/**
 * A canvas with one pixel a cell.
 * @param {Uint8ClampedArray} pixels RGBA
 * @param {number} width
 * @param {number} height
 * @returns {HTMLCanvasElement}
 */
export function cellCanvas(pixels, width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas;
}

/**
 * A PNG, as a data URL, of a canvas with one pixel a cell, enlarged so far that programs that smooth pictures cannot
 * blur the cells.
 * @param {HTMLCanvasElement} cells
 * @param {number} [side] About its longest side; a picture that is drawn small needs less.
 * @returns {string}
 */
export function enlargedPng(cells, side = 1600) {
  const factor = Math.max(1, Math.floor(side / Math.max(cells.width, cells.height)));
  const canvas = document.createElement("canvas");
  canvas.width = cells.width * factor;
  canvas.height = cells.height * factor;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(cells, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/png");
}
