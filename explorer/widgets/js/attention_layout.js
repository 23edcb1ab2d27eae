// Where the parts of the attention view stand. Nothing here touches the page.

const CAPTION = 24;
const GAP = 10;

/**
 * The patch tokens' places on the photo, and back.
 * @param {Int32Array} of Place of every patch token, row by row.
 * @param {number} prefix How many tokens come before the patches.
 * @param {number} count How many places there are.
 */
export function placesOf(of, prefix, count) {
  const tokens = new Int32Array(count).fill(-1);
  of.forEach((place, patch) => {
    tokens[place] = prefix + patch;
  });
  return {
    of,
    prefix,
    count,
    /** Places without a token. */
    dropped: Array.from(tokens.keys()).filter((place) => tokens[place] < 0),
    /** Place of a token; −prefix … −1 for prefix tokens. */
    at: (token) => (token < prefix ? token - prefix : of[token - prefix]),
    /** Token at a place, −1 for none. */
    token: (place) => tokens[place] ?? -1,
  };
}

/**
 * Small photos side by side, each with its prefix tokens as squares at its left and a caption below; in two lines
 * where one would make them too small.
 * @param {object} input
 * @param {number} input.width
 * @param {number} input.count
 * @param {[number, number]} input.grid
 * @param {number} input.prefix
 * @param {number} input.ratio
 * @param {number} input.widest Width of the widest caption.
 */
export function stripLayout({ width, count, grid, prefix, ratio, widest }) {
  const [rows, cols] = grid;
  const edge = 4;
  const chip = prefix ? 10 : 0;
  const chipGap = prefix ? 3 : 0;
  const sizes = (across) => (width - 2 * edge - GAP * (across - 1)) / across - chip - chipGap;
  const least = Math.max(56, widest - chip - chipGap);
  let across = count;
  while (across > 1 && sizes(across) < least) {
    // As many lines as are needed, all of them as long as the others.
    across = Math.min(across - 1, Math.ceil(count / (Math.ceil(count / across) + 1)));
  }
  const cell = Math.min(Math.max(sizes(across), 8), 132, Math.max(88, width / 11.2)) / Math.max(rows, cols);
  const pixels = Math.floor(cell * ratio + 1e-6);
  const size = pixels >= 1 && pixels / (cell * ratio) >= 0.85 ? pixels / ratio : cell;
  const photo = { width: size * cols, height: size * rows };
  const pitch = { x: Math.max(chip + chipGap + photo.width, widest) + GAP, y: photo.height + CAPTION + GAP };
  const square = prefix ? Math.min(chip, photo.height / prefix) : 0;
  const tiles = Array.from({ length: count }, (_, index) => {
    const x = edge + (index % across) * pitch.x;
    const y = edge + Math.floor(index / across) * pitch.y;
    const left = x + chip + chipGap;
    return {
      box: { x: x - GAP / 2, y: y - 2, width: pitch.x, height: photo.height + CAPTION + 4 },
      photo: { x: left, y, ...photo },
      prefix: Array.from({ length: prefix }, (_, token) => ({ x, y: y + token * square, width: chip, height: square - 1 })),
      caption: { x: left + photo.width / 2, y: y + photo.height + 4 + CAPTION / 2 },
    };
  });
  return {
    tiles,
    width: Math.min(width, Math.ceil(2 * edge + across * pitch.x)),
    height: Math.ceil(2 * edge + Math.ceil(count / across) * pitch.y - GAP),
  };
}

/**
 * The wall: a line for each layer, a column for each head.
 * @param {object} input
 * @param {number} input.width
 * @param {number} input.tall Height that is not exceeded where that leaves tiles large enough.
 * @param {number} input.layers
 * @param {number} input.heads
 * @param {number} input.aspect Width of a tile by its height.
 * @param {number} input.gutter Room for the names of layers.
 */
export function wallLayout({ width, tall, layers, heads, aspect, gutter }) {
  const gap = heads > 12 ? 3 : 4;
  const top = 52;
  const edge = 4;
  const byWidth = (width - gutter - 2 * edge) / heads - gap;
  const byHeight = ((tall - top) / layers - gap) * aspect;
  const tile = Math.max(8, Math.min(byWidth, Math.max(byHeight, 30), 96));
  const pitch = { x: tile + gap, y: tile / aspect + gap };
  return {
    tile: { width: tile, height: tile / aspect },
    pitch,
    left: gutter + edge,
    top,
    width: Math.ceil(gutter + 2 * edge + heads * pitch.x),
    height: Math.ceil(top + layers * pitch.y + edge),
    /** Where a tile stands. */
    box: (row, col) => ({ x: gutter + edge + col * pitch.x, y: top + row * pitch.y, width: tile, height: tile / aspect }),
    /** Which tile is at a point, or null. */
    at(x, y) {
      const row = Math.floor((y - top) / pitch.y);
      const col = Math.floor((x - gutter - edge) / pitch.x);
      return row >= 0 && col >= 0 && row < layers && col < heads ? { row, col } : null;
    },
  };
}

/**
 * Round numbers from 0 to at least `reach`.
 * @param {number} reach
 * @returns {number[]}
 */
export function roundSteps(reach) {
  const power = 10 ** Math.floor(Math.log10(Math.max(reach, 1e-6)));
  const step = [0.2, 0.5, 1, 2, 5].map((factor) => factor * power).find((size) => reach / size <= 6) ?? 10 * power;
  const count = Math.ceil(reach / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(6)));
}

/**
 * The chart of distances: layers to the right, patches upwards.
 * @param {object} input
 * @param {number} input.width
 * @param {number} input.height
 * @param {number} input.layers
 * @param {number} input.reach The largest distance.
 * @param {number} input.gutter
 */
export function chartLayout({ width, height, layers, reach, gutter }) {
  const steps = roundSteps(reach);
  const plot = { x: gutter, y: 38, width: width - gutter - 12, height: height - 38 - 56 };
  const high = steps.at(-1) || 1;
  return {
    plot,
    steps,
    x: (layer) => plot.x + ((layer + 0.5) / layers) * plot.width,
    y: (distance) => plot.y + plot.height * (1 - distance / high),
    column: plot.width / layers,
    width,
    height,
  };
}
