// Drawings beside and below each other, as one drawing of a given size: where each stands, and how large it becomes.

import { TEXT_SIZE, wrapped } from "../widgets/js/scene.js";

const INK = "#131c2e";
const MUTED = "#526077";
const ACCENT = "#c4006a";
const TITLE = { size: 19, weight: 600, line: 26 };
const NOTE = { size: TEXT_SIZE, weight: 400, line: 23 };
const CAPTION = { size: 20, weight: 400, line: 28 };
/** A drawing is not enlarged further than this: a small matrix would shout. */
const LARGEST = 1.7;

/**
 * @typedef {import("../widgets/js/scene.js").Scene & {svg?: string}} Scene
 * @typedef {{scene: Scene, title: string, notes: string[], width: number}} Drawn
 * @typedef {{kind: "part", drawn: Drawn} | {kind: "sign", text: string} |
 *   {kind: "words", text: string, width: number, size: number, weight: number, strong: boolean, quiet: boolean} | {kind: "row" | "column", gap: number,
 *   middle?: boolean, children: Node[]}} Node
 * @typedef {(text: string, size?: number, weight?: number) => number} Measure
 * @typedef {{width: number, height: number, items: object[], insets: object[], head: number}} Block
 */

/**
 * Lay a tree of drawings out, at their own sizes.
 * @param {Node} node
 * @param {Measure} measure
 * @param {number} [head] Height of the titles beside this one, which then stand on one line.
 * @returns {Block}
 */
export function arranged(node, measure, head = 0) {
  if (node.kind === "part") return part(node.drawn, measure, head);
  if (node.kind === "sign") return sign(node.text, measure);
  if (node.kind === "words") return words(node, measure);
  return node.kind === "row" ? row(node, measure) : column(node, measure);
}

/** The lines of a part's title; it may be as wide as the part was given room. */
function titleLines({ title, width, scene }, measure) {
  return title ? wrapped(title, Math.max(width, scene.width), measure, TITLE.size, TITLE.weight) : [];
}

function headOf(node, measure) {
  if (node.kind === "part") {
    const lines = titleLines(node.drawn, measure).length;
    return lines ? lines * TITLE.line + 8 : 0;
  }
  return node.kind === "column" && node.children.length ? headOf(node.children[0], measure) : 0;
}

function part(drawn, measure, head) {
  const { scene, notes, width } = drawn;
  const items = [];
  const lines = titleLines(drawn, measure);
  const top = Math.max(head, lines.length ? lines.length * TITLE.line + 8 : 0);
  let wide = scene.width;
  const write = (text, y, { size, weight }, fill) => {
    items.push({ kind: "text", x: 0, y, text, size, weight, fill });
    wide = Math.max(wide, measure(text, size, weight));
  };
  lines.forEach((text, index) => write(text, top - 8 - (lines.length - index - 0.5) * TITLE.line, TITLE, INK));
  const insets = scene.svg ? [{ x: 0, y: top, width: scene.width, height: scene.height, svg: scene.svg }] : [];
  items.push(...scene.items.map((item) => placed(item, 0, top, 1)));
  let bottom = top + scene.height;
  const said = notes.filter(Boolean).flatMap((note) => wrapped(note, Math.max(scene.width, width), measure, NOTE.size));
  said.forEach((text, index) => write(text, bottom + 6 + (index + 0.5) * NOTE.line, NOTE, MUTED));
  if (said.length) bottom += 6 + said.length * NOTE.line;
  return { width: wide, height: bottom, items, insets, head: top, middle: top + scene.height / 2 };
}

function words({ text, width, size, weight, strong, quiet }, measure) {
  const lines = wrapped(text, width, measure, size, weight);
  const line = size * 1.35;
  const fill = strong ? ACCENT : quiet ? MUTED : INK;
  const items = lines.map((said, index) => ({ kind: "text", x: 0, y: (index + 0.5) * line, text: said, size, weight, fill }));
  const wide = Math.max(...lines.map((said) => measure(said, size, weight)));
  return { width: wide, height: lines.length * line, items, insets: [], head: 0, middle: (lines.length * line) / 2 };
}

function sign(text, measure) {
  const size = 30;
  const width = measure(text, size, 500);
  const items = [{ kind: "text", x: 0, y: 0, text, size, weight: 500, fill: INK }];
  return { width, height: 0, items, insets: [], head: 0, middle: 0, sign: true };
}

function row({ gap, middle, children }, measure) {
  const head = middle ? 0 : Math.max(0, ...children.map((child) => headOf(child, measure)));
  const blocks = children.map((child) => arranged(child, measure, head));
  const height = Math.max(...blocks.map((block) => block.height));
  // Signs of an equation stand at the middle of what is beside them.
  const line = middle ? height / 2 : Math.max(...blocks.filter((block) => !block.sign).map((block) => block.middle));
  const placedBlocks = [];
  let x = 0;
  for (const block of blocks) {
    const y = block.sign ? line : middle ? (height - block.height) / 2 : 0;
    placedBlocks.push([block, x, y]);
    x += block.width + gap;
  }
  return { ...joined(placedBlocks), width: x - gap, height, head, middle: line };
}

function column({ gap, middle, children }, measure) {
  const blocks = children.map((child) => arranged(child, measure));
  const width = Math.max(...blocks.map((block) => block.width));
  const placedBlocks = [];
  let y = 0;
  for (const block of blocks) {
    placedBlocks.push([block, middle ? (width - block.width) / 2 : 0, y]);
    y += block.height + gap;
  }
  return { ...joined(placedBlocks), width, height: y - gap, head: blocks[0].head, middle: blocks[0].middle };
}

function joined(placedBlocks) {
  const items = placedBlocks.flatMap(([block, x, y]) => block.items.map((item) => placed(item, x, y, 1)));
  const insets = placedBlocks.flatMap(([block, x, y]) => block.insets.map((inset) => placed(inset, x, y, 1)));
  return { items, insets };
}

/**
 * A copy of an item, scaled and then moved.
 * @param {object} item
 * @param {number} dx
 * @param {number} dy
 * @param {number} scale
 */
export function placed(item, dx, dy, scale) {
  // Descriptors, so that what an item works out only when it is painted stays that way.
  const copy = Object.defineProperties({}, Object.getOwnPropertyDescriptors(item));
  const moved = (value, by) => value * scale + by;
  if (item.kind === "line") {
    copy.x1 = moved(item.x1, dx);
    copy.x2 = moved(item.x2, dx);
    copy.y1 = moved(item.y1, dy);
    copy.y2 = moved(item.y2, dy);
  } else {
    copy.x = moved(item.x, dx);
    copy.y = moved(item.y, dy);
  }
  if (item.width !== undefined) copy.width = item.width * scale;
  if (item.height !== undefined) copy.height = item.height * scale;
  if (item.radius) copy.radius = item.radius * scale;
  if (item.kind === "text") copy.size = (item.size ?? TEXT_SIZE) * scale;
  if (item.kind === "line" || item.stroke) copy.lineWidth = (item.lineWidth ?? 1) * scale;
  return copy;
}

/** A sheet around a drawing of its own size. */
function asItIs(block, margin) {
  const [items, insets] = [block.items, block.insets].map((all) => all.map((item) => placed(item, margin, margin, 1)));
  return { width: Math.ceil(block.width) + 2 * margin, height: Math.ceil(block.height) + 2 * margin, items, insets, scale: 1 };
}

/**
 * A tree of drawings on a sheet of a given size: as large as it goes, in the middle; its caption at the foot.
 * @param {Node} body
 * @param {{width: number, height: number, margin: number, caption: string}} sheet
 * @param {Measure} measure
 * @returns {{width: number, height: number, items: object[], insets: object[], scale: number}}
 */
export function onSheet(body, sheet, measure) {
  const { width, height, margin, caption } = sheet;
  if (!width) return asItIs(arranged(body, measure), margin);
  const inner = width - 2 * margin;
  const lines = caption ? wrapped(caption, inner, measure, CAPTION.size, CAPTION.weight) : [];
  const foot = lines.length ? lines.length * CAPTION.line + 14 : 0;
  const room = height - 2 * margin - foot;
  const block = arranged(body, measure);
  const scale = Math.min(inner / block.width, room / block.height, LARGEST);
  const x = margin + (inner - block.width * scale) / 2;
  const y = margin + (room - block.height * scale) / 2;
  const items = block.items.map((item) => placed(item, x, y, scale));
  lines.forEach((text, index) => {
    const at = height - margin - (lines.length - index - 0.5) * CAPTION.line;
    items.push({ kind: "text", x: margin, y: at, text, size: CAPTION.size, weight: CAPTION.weight, fill: MUTED });
  });
  return { width, height, items, insets: block.insets.map((inset) => placed(inset, x, y, scale)), scale };
}
