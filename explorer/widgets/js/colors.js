// Colour maps and scales. The stops are those of explorer/figures/colors.py.

/** @typedef {{low: number, high: number, colormap: string, log: boolean, label: string}} Scale */

export const STOPS = {
  sequential:
    "00224e 00285b 002e6a 053371 1a386f 273e6e 32436d 3b496c 434e6c 4b546c 535a6d " +
    "5a5f6e 61656f 686a71 6f7073 767676 7d7c78 848279 8c8878 938e78 9b9476 a39a74 " +
    "aba072 b4a76f bcae6c c4b468 cdbb63 d5c25e dec958 e7d150 f0d846 f9e03a fee838",
  diverging:
    "004275 014c86 045797 0362aa 046ebc 1779cb 2e85d5 4192de 549ee6 67aaed 7ab5f2 " +
    "8ec1f7 a2cdfa b6d8fb cbe2fc e0edfa f6f6f6 f7e8db f5dac3 f1ccaa edbe93 e7b07c " +
    "e0a165 d9934e d08635 c77816 b96d07 a96407 9a5a03 8a5002 7b4703 6d3e01 5e3500",
};

/** Colour of a cell without a value. */
export const MISSING = [203, 206, 210];

const LEVELS = 256;
const tables = new Map();

/**
 * 256 colours of a map, red, green and blue after another.
 * @param {string} colormap
 * @returns {Uint8Array}
 */
export function lookup(colormap) {
  let table = tables.get(colormap);
  if (!table) {
    const stops = STOPS[colormap].split(" ").map((stop) => [0, 2, 4].map((at) => parseInt(stop.slice(at, at + 2), 16)));
    table = new Uint8Array(LEVELS * 3);
    for (let level = 0; level < LEVELS; level += 1) {
      const place = (level / (LEVELS - 1)) * (stops.length - 1);
      const left = Math.min(stops.length - 2, Math.floor(place));
      for (let channel = 0; channel < 3; channel += 1) {
        const [from, to] = [stops[left][channel], stops[left + 1][channel]];
        table[level * 3 + channel] = Math.round(from + (to - from) * (place - left));
      }
    }
    tables.set(colormap, table);
  }
  return table;
}

/**
 * Values as levels 0 … 255 of the colour map, and 256 for NaN.
 * @param {ArrayLike<number>} values
 * @param {Scale} scale
 * @returns {Uint16Array}
 */
export function levels(values, scale) {
  const top = LEVELS - 1;
  const result = new Uint16Array(values.length);
  const low = scale.log ? Math.log(scale.low) : scale.low;
  const factor = top / ((scale.log ? Math.log(scale.high) : scale.high) - low);
  for (let index = 0; index < values.length; index += 1) {
    const value = scale.log ? Math.log(Math.max(values[index], 0)) : values[index];
    const level = (value - low) * factor;
    if (level !== level) result[index] = LEVELS;
    else result[index] = level <= 0 ? 0 : level >= top ? top : (level + 0.5) | 0;
  }
  return result;
}

/**
 * The value at a share 0 … 1 of the scale.
 * @param {Scale} scale
 * @param {number} share
 * @returns {number}
 */
export function valueAt(scale, share) {
  if (scale.log) return scale.low * (scale.high / scale.low) ** share;
  return scale.low + (scale.high - scale.low) * share;
}

/**
 * The colour of a value, as `[red, green, blue]`.
 * @param {Scale} scale
 * @param {number} value
 * @returns {number[]}
 */
export function colorOf(scale, value) {
  if (Number.isNaN(value)) return MISSING;
  const at = levels([value], scale)[0] * 3;
  return Array.from(lookup(scale.colormap).subarray(at, at + 3));
}

/**
 * @param {number[]} color
 * @returns {string}
 */
export function cssColor(color) {
  return `rgb(${color[0]},${color[1]},${color[2]})`;
}

/**
 * Black or white, whichever is read better on a colour (WCAG's relative luminance).
 * @param {number[]} color
 * @returns {string}
 */
export function inkOn(color) {
  const [red, green, blue] = color.map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#10151b" : "#ffffff";
}
