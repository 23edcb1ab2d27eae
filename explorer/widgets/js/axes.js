// Where a matrix, its names, its ticks and its colour bar stand.

import { barLabels, lyingBarHeight, uprightBarWidth } from "./bar.js";
import { niceStep } from "./numbers.js";
import { TEXT_SIZE, shortened } from "./scene.js";

/**
 * @typedef {{name: string, labels: string[], marks: Record<string, string>, first: number}} Axis
 * @typedef {{index: number, text: string, mark: boolean}} Tick
 */

const LINE = 24;
const TICK = 5;
/** A row's label, its tick, and the margins of the label once it is chosen. */
const AROUND = TICK + 9;
const ROW_SPACING = 27;
const LARGEST_CELL = 72;
/** A cell may shrink to this share of its size to come out at whole pixels of the screen. */
const SNAP = 0.86;

/**
 * What an index is called on hover.
 * @param {Axis} axis
 * @param {number} index
 * @returns {string}
 */
export function nameOf(axis, index) {
  return axis.labels[index] ?? axis.marks[index] ?? String(index + axis.first);
}

/**
 * Which indices of an axis are named: all marks, and round numbers where there is room between them.
 * @param {Axis} axis
 * @param {number} length
 * @param {number} cell Size of a cell along the axis.
 * @param {number} spacing Room that a tick takes.
 * @returns {Tick[]}
 */
export function ticks(axis, length, cell, spacing) {
  const chosen = [];
  const free = (index) => chosen.every((tick) => Math.abs(tick.index - index) * cell >= spacing);
  for (const index of Object.keys(axis.marks).map(Number).sort((a, b) => a - b)) {
    if (free(index)) chosen.push({ index, text: axis.marks[index], mark: true });
  }
  const step = niceStep(spacing / cell);
  for (let number = Math.ceil(axis.first / step) * step; number - axis.first < length; number += step) {
    const index = number - axis.first;
    if (free(index)) chosen.push({ index, text: String(number), mark: false });
  }
  // A count from 1 whose steps are larger still names its first.
  if (axis.first % step !== 0 && free(0)) chosen.push({ index: 0, text: String(axis.first), mark: false });
  return chosen.sort((a, b) => a.index - b.index);
}

/**
 * Lay a matrix out.
 * @param {object} input
 * @param {number} input.width Width that there is.
 * @param {number} input.rows
 * @param {number} input.cols
 * @param {Axis} input.rowAxis
 * @param {Axis} input.colAxis
 * @param {"equal" | "fill"} input.aspect
 * @param {number} input.maxSize Largest side of a picture with square cells.
 * @param {number} input.ratio Pixels of the screen in a CSS pixel.
 * @param {import("./colors.js").Scale} input.scale
 * @param {{below: boolean, above: boolean}} input.beyond
 * @param {(text: string) => number} input.measure
 */
export function matrixLayout(input) {
  const { width, rows, cols, rowAxis, colAxis, scale, measure } = input;
  const labels = barLabels(scale, input.beyond);
  const barWidth = uprightBarWidth(labels, measure);
  // Whether the bar stands or lies must not hang on its numbers: pictures side by side are to look alike.
  const nominal = Math.max(uprightBarWidth(["−0.0123"], measure), barWidth - 24);
  const widest = (texts) => Math.ceil(texts.reduce((most, text) => Math.max(most, measure(text, TEXT_SIZE, 600)), 0));
  const numbers = [String(rowAxis.first + rows - 1), ...Object.values(rowAxis.marks)];
  let gutter = widest(numbers) + AROUND;

  let upright = true;
  let cells = cellSize(input, width - gutter - barWidth);
  const exact = { ...input, ratio: Infinity };
  const wanted = cellSize(exact, width - gutter);
  const typical = cellSize(exact, width - gutter - nominal);
  if (typical.width < 0.72 * wanted.width || typical.height * rows < 96) {
    upright = false;
    cells = cellSize(input, width - gutter);
  }
  const space = () => width - gutter - (upright ? barWidth : 0);

  // Few rows with short names: name all of them.
  const rowNames = rowAxis.labels.length && cells.height >= 20 ? widest(rowAxis.labels) : Infinity;
  const allRows = rowNames <= Math.min(180, width * 0.35);
  if (allRows) {
    gutter = Math.max(gutter, rowNames + AROUND);
    cells = cellSize(input, space());
  }

  const names = axisNames(rowAxis.name, colAxis.name, gutter, width, measure);
  const scaleLabel = upright && scale.label ? measure(scale.label) : 0;
  let top = names.length ? LINE * (1 + names.at(-1).line) : 0;
  const right = gutter + cells.width * cols + barWidth;
  const nameEnd = Math.max(0, ...names.filter((name) => name.line === 0).map((name) => name.x + measure(name.text)));
  let labelLine = 0;
  if (scaleLabel && right - scaleLabel < nameEnd + 16) {
    // No room beside the names of the axes: a line of its own above them.
    for (const name of names) name.line += 1;
    top += LINE;
  } else if (scaleLabel && !names.length) top = LINE;
  labelLine = LINE / 2;

  const snap = (value) => Math.floor(value * input.ratio) / input.ratio;
  const plot = {
    x: snap(gutter),
    y: snap(top + LINE),
    width: cells.width * cols,
    height: cells.height * rows,
  };
  const colNames = colAxis.labels.length ? widest(colAxis.labels) : Infinity;
  const allCols = colNames + 10 <= cells.width;
  const colTexts = [String(colAxis.first + cols - 1), ...Object.values(colAxis.marks)];
  const all = (axis) => axis.labels.map((text, index) => ({ index, text, mark: index in axis.marks }));
  return {
    plot,
    cell: cells,
    upright,
    labels,
    labelLine,
    rowTicks: allRows ? all(rowAxis) : ticks(rowAxis, rows, cells.height, ROW_SPACING),
    colTicks: allCols ? all(colAxis) : ticks(colAxis, cols, cells.width, widest(colTexts) + 14),
    names,
    width: Math.ceil(upright ? right : Math.max(plot.x + plot.width, nameEnd, Math.min(width, 240))) + 1,
    height: Math.ceil(plot.y + plot.height + (upright ? 0 : lyingBarHeight(scale.label))) + TEXT_SIZE / 2,
  };
}

/**
 * Size of a cell in CSS pixels, a whole number of the screen's pixels where that costs little.
 */
function cellSize({ rows, cols, aspect, maxSize, ratio }, space) {
  const snapped = (size) => {
    if (ratio === Infinity) return size;
    const pixels = size * ratio;
    const whole = Math.floor(pixels + 1e-6);
    return whole >= 1 && whole / pixels >= SNAP ? whole / ratio : size;
  };
  if (aspect === "equal") {
    const size = Math.min(Math.max(space, 40) / cols, maxSize / cols, maxSize / rows, LARGEST_CELL);
    const side = snapped(size);
    return { width: side, height: side };
  }
  const cellWidth = Math.min(Math.max(space, 40) / cols, LARGEST_CELL);
  const least = Math.min(rows * ROW_SPACING, 150);
  const height = Math.min(Math.max(rows * cellWidth, least), maxSize * 0.75);
  return { width: snapped(cellWidth), height: snapped(Math.min(height / rows, LARGEST_CELL)) };
}

/**
 * The names of both axes, in one line above the ticks where they fit into one.
 */
function axisNames(rowName, colName, gutter, width, measure) {
  const names = [];
  const rowEnd = rowName ? measure(rowName) + 20 : 0;
  const oneLine = Math.max(gutter, rowEnd) + measure(colName) <= width;
  if (rowName) names.push({ x: 0, line: 0, text: shortened(rowName, width, measure) });
  if (colName) {
    const x = oneLine ? Math.max(gutter, rowEnd) : Math.min(gutter, Math.max(0, width - measure(colName)));
    const line = rowName && !oneLine ? 1 : 0;
    names.push({ x, line, text: shortened(colName, width - x, measure) });
  }
  return names;
}

/**
 * Names and frame of a matrix that was laid out.
 * @param {ReturnType<typeof matrixLayout>} layout
 * @param {object} theme
 * @returns {object[]} Items of a scene.
 */
export function axisItems({ plot, names }, theme) {
  const items = names.map((name) => ({
    kind: "text",
    x: name.x,
    y: LINE * name.line + LINE / 2,
    text: name.text,
    weight: 600,
    fill: theme.ink,
  }));
  const frame = { x: plot.x - 0.5, y: plot.y - 0.5, width: plot.width + 1, height: plot.height + 1 };
  items.push({ kind: "rect", ...frame, stroke: theme.line });
  return items;
}

/**
 * Ticks of a matrix. A chosen row or column has a label of its own, which others make way for.
 * @param {ReturnType<typeof matrixLayout>} layout
 * @param {object} theme
 * @param {{row: number, col: number, rowText: string, colText: string}} chosen −1 for none.
 * @param {(text: string, size?: number, weight?: number) => number} measure
 * @returns {object[]}
 */
export function tickItems({ plot, cell, rowTicks, colTicks }, theme, chosen, measure) {
  const items = [];
  const middle = { x: (col) => plot.x + (col + 0.5) * cell.width, y: (row) => plot.y + (row + 0.5) * cell.height };
  const style = (tick) => ({ fill: tick.mark ? theme.ink : theme.muted, weight: tick.mark ? 600 : 400 });
  for (const tick of rowTicks) {
    const y = middle.y(tick.index);
    items.push({ kind: "line", x1: plot.x - TICK, y1: y, x2: plot.x - 1, y2: y, stroke: theme.muted });
    if (chosen.row >= 0 && Math.abs(middle.y(chosen.row) - y) < 20) continue;
    items.push({ kind: "text", x: plot.x - TICK - 4, y, text: tick.text, anchor: "end", ...style(tick) });
  }
  const chip = (text, x, y, anchor) => {
    const width = measure(text, TEXT_SIZE, 600) + 8;
    const left = anchor === "end" ? x - width : x - width / 2;
    items.push({ kind: "rect", x: left, y: y - 11, width, height: 22, radius: 4, fill: theme.accent });
    items.push({ kind: "text", x: left + width / 2, y, text, anchor: "middle", weight: 600, fill: "#ffffff" });
  };
  const wide = chosen.col >= 0 ? measure(chosen.colText, TEXT_SIZE, 600) + 8 : 0;
  for (const tick of colTicks) {
    const x = middle.x(tick.index);
    items.push({ kind: "line", x1: x, y1: plot.y - TICK, x2: x, y2: plot.y - 1, stroke: theme.muted });
    const room = (wide + measure(tick.text, TEXT_SIZE, 600)) / 2 + 4;
    if (chosen.col >= 0 && Math.abs(middle.x(chosen.col) - x) < room) continue;
    items.push({ kind: "text", x, y: plot.y - TICK - 9, text: tick.text, anchor: "middle", ...style(tick) });
  }
  if (chosen.row >= 0) chip(chosen.rowText, plot.x - TICK, middle.y(chosen.row), "end");
  if (chosen.col >= 0) chip(chosen.colText, middle.x(chosen.col), plot.y - TICK - 9, "middle");
  return items;
}

/**
 * What an axis calls an index where there is little room.
 * @param {Axis} axis
 * @param {Tick[]} shown
 * @param {number} index
 * @returns {string}
 */
export function tickText(axis, shown, index) {
  return shown.find((tick) => tick.index === index)?.text ?? axis.marks[index] ?? String(index + axis.first);
}
