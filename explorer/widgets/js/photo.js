// A photo under a grid of patches: where everything stands, and how it is drawn.

import { barLabels, colorBar, lyingBarHeight, uprightBarWidth } from "./bar.js";
import { colorOf, cssColor, inkOn } from "./colors.js";
import { TEXT_SIZE } from "./scene.js";

const CHIP = 34;
const CHIP_GAP = 8;
const BESIDE = 16;
/** How much of the colour covers the photo: the patch's value can be read, and the photo still be recognised. */
export const COVER = 0.64;

/**
 * @typedef {{x: number, y: number, width: number, height: number}} Box
 * @typedef {{photo: Box, cell: {width: number, height: number}, chips: Box[], upright: boolean, labels: string[],
 *   width: number, height: number}} PhotoLayout
 */

/**
 * @param {object} input
 * @param {number} input.width Width that there is.
 * @param {[number, number]} input.grid Rows and columns.
 * @param {string[]} input.prefixNames
 * @param {number} input.maxSize Longest side of the photo.
 * @param {number} input.ratio Pixels of the screen in a CSS pixel.
 * @param {import("./colors.js").Scale | null} input.scale Null where no values are shown.
 * @param {{below: boolean, above: boolean}} input.beyond
 * @param {(text: string, size?: number, weight?: number) => number} input.measure
 * @returns {PhotoLayout}
 */
export function photoLayout({ width, grid, prefixNames, maxSize, ratio, scale, beyond, measure }) {
  const [rows, cols] = grid;
  const labels = scale ? barLabels(scale, beyond) : [];
  const barWidth = scale ? uprightBarWidth(labels, measure) : 0;
  const chipWidth = Math.max(0, ...prefixNames.map((name) => Math.ceil(measure(name, TEXT_SIZE, 600)) + 20));
  const aside = prefixNames.length ? chipWidth + BESIDE : 0;
  // Chips beside the photo where there is room for both, else in lines above it.
  const beside = width - aside >= 260;
  // A frame's width of margin, so that an outlined patch at the edge is not cut.
  const edge = 4;
  const left = beside && aside ? aside : edge;
  const room = width - left - edge;
  const side = (space) => Math.min(space / cols, maxSize / Math.max(rows, cols));
  const upright = !scale || side(room - barWidth) >= 0.72 * side(room);
  let size = Math.max(2, side(upright ? room - barWidth : room));
  const pixels = Math.floor(size * ratio + 1e-6);
  if (pixels / (size * ratio) >= 0.86) size = pixels / ratio;

  const chips = [];
  let [x, y] = [0, 0];
  for (const name of prefixNames) {
    const chip = beside ? chipWidth : Math.ceil(measure(name, TEXT_SIZE, 600)) + 20;
    if (!beside && x > 0 && x + chip > width) [x, y] = [0, y + CHIP + CHIP_GAP];
    chips.push({ x, y, width: chip, height: CHIP });
    if (beside) y += CHIP + CHIP_GAP;
    else x += chip + CHIP_GAP;
  }
  const chipsEnd = prefixNames.length ? chips.at(-1).y + CHIP : 0;
  const top = edge + (upright && scale?.label ? 24 : 0);
  const photo = {
    x: left,
    y: beside ? top : Math.max(top, chipsEnd + BESIDE),
    width: size * cols,
    height: size * rows,
  };
  if (beside) for (const chip of chips) chip.y += photo.y;
  for (const chip of chips) {
    chip.x += 3;
    if (!beside) chip.y += 3;
  }
  const bottom = photo.y + photo.height + edge;
  return {
    photo,
    cell: { width: size, height: size },
    chips,
    upright,
    labels,
    width: Math.ceil(photo.x + photo.width + edge + (scale && upright ? barWidth : 0)) + 1,
    height:
      Math.ceil(Math.max(bottom, beside ? chipsEnd + top + edge : 0)) +
      (scale && !upright ? lyingBarHeight(scale.label) : 0),
  };
}

/**
 * Thin lines between patches, light on dark, that any photo lets through.
 * @param {PhotoLayout} layout
 * @param {[number, number]} grid
 * @param {boolean} quiet Whether colours already tell the patches apart.
 * @returns {object[]} Items of a scene.
 */
export function gridLines({ photo, cell }, [rows, cols], quiet) {
  if (cell.width < 4) return [];
  const fine = cell.width < 14;
  const dark = { kind: "line", stroke: "#000000", lineWidth: fine ? 1.6 : 2.6, alpha: fine ? 0.22 : 0.38 };
  const light = { kind: "line", stroke: "#ffffff", lineWidth: fine ? 0.8 : 1.1, alpha: fine ? 0.6 : 0.92 };
  const styles = quiet ? [{ ...light, lineWidth: 0.8, alpha: fine ? 0.18 : 0.38 }] : [dark, light];
  const items = [];
  for (const style of styles) {
    for (let row = 1; row < rows; row += 1) {
      const y = photo.y + row * cell.height;
      items.push({ ...style, x1: photo.x, x2: photo.x + photo.width, y1: y, y2: y });
    }
    for (let col = 1; col < cols; col += 1) {
      const x = photo.x + col * cell.width;
      items.push({ ...style, x1: x, x2: x, y1: photo.y, y2: photo.y + photo.height });
    }
  }
  return items;
}

/**
 * The prefix tokens, which have no place on the photo, as chips.
 * @param {PhotoLayout} layout
 * @param {string[]} names
 * @param {(token: number) => number} valueOf NaN where there is none.
 * @param {import("./colors.js").Scale | null} scale
 * @param {object} theme
 * @returns {object[]}
 */
export function chipItems(layout, names, valueOf, scale, theme) {
  return layout.chips.flatMap((chip, token) => {
    const value = valueOf(token);
    const color = scale && !Number.isNaN(value) ? colorOf(scale, value) : null;
    const text = { kind: "text", x: chip.x + chip.width / 2, y: chip.y + chip.height / 2, text: names[token] };
    const fill = color ? cssColor(color) : theme.surface;
    return [
      { kind: "rect", ...chip, radius: 7, fill, stroke: theme.line, lineWidth: 1.2 },
      { ...text, anchor: "middle", weight: 600, fill: color ? inkOn(color) : theme.ink },
    ];
  });
}

/**
 * @param {PhotoLayout} layout
 * @param {import("./colors.js").Scale | null} scale
 * @param {object} theme
 * @param {(text: string) => number} measure
 * @returns {object[]}
 */
export function photoBar(layout, scale, theme, measure) {
  if (!scale) return [];
  const { labels, upright, photo } = layout;
  return colorBar({ scale, labels, upright, beside: photo, labelY: 12, theme, measure });
}

/**
 * An outline that is seen on dark and on light ground.
 * @param {Box} box
 * @param {string} color
 * @param {number} lineWidth
 * @param {number} [radius]
 * @returns {object[]}
 */
export function outline(box, color, lineWidth, radius = 0) {
  const rect = { kind: "rect", ...box, radius };
  return [
    { ...rect, stroke: "#ffffff", lineWidth: lineWidth + 2.5 },
    { ...rect, stroke: color, lineWidth },
  ];
}

/**
 * The greyscale of a picture, on which colours mean values only.
 * @param {CanvasImageSource & {width: number, height: number}} image
 * @returns {HTMLCanvasElement}
 */
export function greyscale(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const { data } = pixels;
  for (let at = 0; at < data.length; at += 4) {
    const grey = 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
    data[at] = grey;
    data[at + 1] = grey;
    data[at + 2] = grey;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/**
 * The token that an arrow key leads to. Prefix tokens stand in a column to the left of the grid.
 * @param {KeyboardEvent} event
 * @param {number} token −1 for none.
 * @param {number} prefix How many prefix tokens there are.
 * @param {[number, number]} grid
 * @param {(token: number) => boolean} there Whether a token may be chosen.
 * @returns {number | null} Null for a key that leads nowhere.
 */
export function nextToken(event, token, prefix, [rows, cols], there) {
  if (event.altKey || event.metaKey) return null;
  const last = prefix + rows * cols - 1;
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const ends = { Home: [0, 1], End: [last, -1] };
  if (event.key in ends) {
    let [place, step] = ends[event.key];
    while (place >= 0 && place <= last && !there(place)) place += step;
    return place >= 0 && place <= last ? place : null;
  }
  const step = steps[event.key];
  if (!step) return null;
  if (token < 0) {
    for (let first = 0; first <= last; first += 1) if (there(first)) return first;
    return null;
  }
  let [row, col] = token < prefix ? [token, -1] : [Math.floor((token - prefix) / cols), (token - prefix) % cols];
  for (;;) {
    row += step[0];
    col += step[1];
    if (col === -1 && step[1] !== 0 && prefix > 0) row = Math.min(row, prefix - 1);
    if (row < 0 || col < (prefix > 0 ? -1 : 0) || col >= cols || row >= (col === -1 ? prefix : rows)) return token;
    const next = col === -1 ? row : prefix + row * cols + col;
    if (there(next)) return next;
  }
}
