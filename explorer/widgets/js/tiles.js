// Where the tiles of small multiples stand.

import { barLabels, lyingBarHeight, uprightBarWidth } from "./bar.js";

const GAP = 10;
const TIGHT = 4;
const CAPTION = 24;
const SMALLEST = 24;
/** From this width on the colour bar stands beside the tiles. */
const UPRIGHT = 440;
/** A tile with a caption is not made narrower than this, as long as fewer columns help. */
const NARROWEST = 48;

/**
 * @param {object} input
 * @param {number} input.width Width that there is.
 * @param {[number, number, number]} input.shape Tiles, rows, columns.
 * @param {string[]} input.captions
 * @param {number} input.columns At most so many side by side.
 * @param {number} input.maxTile Longest side of a tile.
 * @param {number} input.ratio Pixels of the screen in a CSS pixel.
 * @param {import("./colors.js").Scale | null} input.scale
 * @param {{below: boolean, above: boolean}} input.beyond
 * @param {(text: string) => number} input.measure
 */
export function tilesLayout({ width, shape, captions, columns, maxTile, ratio, scale, beyond, measure }) {
  const [count, rows, cols] = shape;
  const captioned = captions.some(Boolean);
  const gap = captioned ? GAP : TIGHT;
  const caption = captioned ? CAPTION : 0;
  const widest = Math.min(90, Math.max(0, ...captions.map((text) => measure(text))));
  const least = captioned ? Math.max(NARROWEST, widest) : SMALLEST;
  const labels = scale ? barLabels(scale, beyond) : [];
  const edge = 3;

  const fitted = (space) => {
    const room = space - 2 * edge;
    // Tiles without captions are laid out as a picture of their own: their columns stay together.
    const fit = captioned ? Math.max(1, Math.floor((room + gap) / (least + gap))) : columns;
    const across = Math.min(columns, count, fit);
    const size = Math.min((room - gap * (across - 1)) / across / cols, maxTile / Math.max(rows, cols));
    const pixels = Math.floor(size * ratio + 1e-6);
    return { across, cell: pixels >= 1 && pixels / (size * ratio) >= 0.8 ? pixels / ratio : Math.max(size, 0.5) };
  };
  let { across, cell } = fitted(width);
  let upright = false;
  if (scale) {
    const barWidth = uprightBarWidth(labels, measure);
    const beside = fitted(width - barWidth);
    const lines = Math.ceil(count / beside.across);
    const high = lines * (rows * beside.cell + caption + gap);
    // A question of the width alone, so that pictures side by side look alike.
    if (high >= 110 && width >= UPRIGHT) {
      upright = true;
      ({ across, cell } = beside);
    }
  }
  const size = { width: cols * cell, height: rows * cell };
  const top = edge + (upright && scale.label ? 24 : 0);
  const pitch = {
    x: Math.max(size.width, captioned ? Math.min(least, width) : 0) + gap,
    y: size.height + caption + gap,
  };
  const tiles = Array.from({ length: count }, (_, index) => ({
    x: edge + (index % across) * pitch.x,
    y: top + Math.floor(index / across) * pitch.y,
    ...size,
  }));
  const lines = Math.ceil(count / across);
  const area = {
    x: edge,
    y: top,
    width: (across - 1) * pitch.x + size.width,
    height: (lines - 1) * pitch.y + size.height,
  };
  const below = area.y + area.height + caption + edge;
  const right = area.x + Math.max(area.width, pitch.x * across - gap) + edge;
  return {
    tiles,
    area: upright ? area : { ...area, height: area.height + caption },
    across,
    cell,
    captionWidth: pitch.x - gap + 4,
    upright,
    labels,
    width: Math.ceil(right + (upright ? uprightBarWidth(labels, measure) : 0)),
    height: Math.ceil(below + (scale && !upright ? lyingBarHeight(scale.label) : 0)),
  };
}
