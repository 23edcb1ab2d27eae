// The colour bar: which value has which colour, and what the values are.

import { lookup, valueAt } from "./colors.js";
import { formatShort } from "./numbers.js";
import { cellCanvas, enlargedPng, opaque } from "./heat.js";
import { TEXT_SIZE, shortened } from "./scene.js";

/** Thickness of the bar. */
export const BAR = 16;
const GAP = 20;
const LABEL_GAP = 8;

/**
 * The numbers at the bar's low end, middle and high end.
 * @param {import("./colors.js").Scale} scale
 * @param {{below: boolean, above: boolean}} beyond Whether there are values beyond the ends.
 * @returns {string[]}
 */
export function barLabels(scale, beyond) {
  const [low, middle, high] = [0, 0.5, 1].map((share) => {
    const value = valueAt(scale, share);
    const negligible = Math.abs(value) < 1e-6 * Math.max(Math.abs(scale.low), Math.abs(scale.high));
    return formatShort(!scale.log && negligible ? 0 : value);
  });
  return [beyond.below ? `≤ ${low}` : low, middle, beyond.above ? `≥ ${high}` : high];
}

/**
 * Width that an upright bar takes at the right of a picture.
 * @param {string[]} labels
 * @param {(text: string) => number} measure
 * @returns {number}
 */
export function uprightBarWidth(labels, measure) {
  return GAP + BAR + LABEL_GAP + Math.ceil(Math.max(...labels.map((label) => measure(label))));
}

/**
 * Height that a lying bar takes below a picture.
 * @param {string} label
 * @returns {number}
 */
export function lyingBarHeight(label) {
  return 14 + (label ? 24 : 0) + BAR + 26;
}

/**
 * @param {object} input
 * @param {import("./colors.js").Scale} input.scale
 * @param {string[]} input.labels
 * @param {boolean} input.upright
 * @param {{x: number, y: number, width: number, height: number}} input.beside The picture that the bar belongs to.
 * @param {number} [input.labelY] Where an upright bar's label stands; just above the bar otherwise.
 * @param {number} [input.labelMin] How far to the left the label of an upright bar may reach.
 * @param {object} input.theme
 * @param {(text: string) => number} input.measure
 * @returns {object[]} Items of a scene.
 */
export function colorBar(input) {
  return input.upright ? uprightBar(input) : lyingBar(input);
}

function uprightBar({ scale, labels, beside, labelY, labelMin, theme, measure }) {
  const x = beside.x + beside.width + GAP;
  const box = { x, y: beside.y, width: BAR, height: beside.height };
  const right = x + BAR + LABEL_GAP + Math.max(...labels.map((label) => measure(label)));
  const items = barItems(scale, box, true, theme);
  const heights = [beside.y + beside.height - TEXT_SIZE / 2, beside.y + beside.height / 2, beside.y + TEXT_SIZE / 2];
  labels.forEach((text, index) => {
    items.push({ kind: "text", x: x + BAR + LABEL_GAP, y: heights[index], text, fill: theme.ink });
  });
  if (scale.label) {
    const text = shortened(scale.label, right - (labelMin ?? 0), measure);
    items.push({ kind: "text", x: right, y: labelY ?? beside.y - 16, text, anchor: "end", fill: theme.muted });
  }
  return items;
}

function lyingBar({ scale, labels, beside, theme, measure }) {
  const width = Math.max(Math.min(beside.width, 360), Math.min(240, beside.x + beside.width));
  const x = Math.max(0, Math.min(beside.x, beside.x + beside.width - width));
  let y = beside.y + beside.height + 14;
  const items = [];
  if (scale.label) {
    const text = shortened(scale.label, Math.max(width, beside.x + beside.width - x), measure);
    items.push({ kind: "text", x, y: y + 10, text, fill: theme.muted });
    y += 24;
  }
  items.push(...barItems(scale, { x, y, width, height: BAR }, false, theme));
  const places = [x, x + width / 2, x + width];
  labels.forEach((text, index) => {
    const anchor = ["start", "middle", "end"][index];
    items.push({ kind: "text", x: places[index], y: y + BAR + 14, text, anchor, fill: theme.ink });
  });
  return items;
}

function barItems(scale, box, upright, theme) {
  let canvas;
  const source = () => (canvas ??= gradient(scale.colormap, upright));
  return [
    {
      kind: "image",
      ...box,
      smooth: false,
      get source() {
        return source();
      },
      href: () => enlargedPng(source()),
    },
    { kind: "rect", ...box, stroke: theme.line },
  ];
}

function gradient(colormap, upright) {
  const levels = lookup(colormap);
  const rgb = new Uint8Array(levels.length);
  for (let level = 0; level < 256; level += 1) {
    const at = upright ? 255 - level : level;
    rgb.set(levels.subarray(level * 3, level * 3 + 3), at * 3);
  }
  return upright ? cellCanvas(opaque(rgb), 1, 256) : cellCanvas(opaque(rgb), 256, 1);
}
