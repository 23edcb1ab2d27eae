// The data of the handout: gzip in base64, a header in JSON and then its arrays.

/**
 * @typedef {{at: number, bytes: number, half?: boolean}} Place
 * @typedef {{header: any, buffer: ArrayBuffer, arrays: Place[], start: number}} Unpacked
 */

/**
 * @param {string} text
 * @returns {Promise<Unpacked>}
 */
export async function unpacked(text) {
  const signs = atob(text.trim());
  const packed = new Uint8Array(signs.length);
  for (let at = 0; at < signs.length; at += 1) packed[at] = signs.charCodeAt(at);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  // Arrays begin where eight bytes do.
  return { header, buffer, arrays: header.arrays, start: Math.ceil((4 + length) / 8) * 8 };
}

/**
 * Reads arrays by their number, each unpacked once; the same number gives the same array.
 * @param {Unpacked} data
 */
export function arraysOf({ buffer, arrays, start }) {
  const known = new Map();
  return (number, Kind = DataView) => {
    const name = `${number} ${Kind.name}`;
    if (!known.has(name)) {
      const { at, bytes, half } = arrays[number];
      if (half) known.set(name, fromHalf(new Uint16Array(buffer, start + at, bytes / 2)));
      else known.set(name, new Kind(buffer, start + at, Kind === DataView ? bytes : bytes / Kind.BYTES_PER_ELEMENT));
    }
    return known.get(name);
  };
}

/** float32 numbers from float16 ones. */
export function fromHalf(halves) {
  const out = new Float32Array(halves.length);
  for (let at = 0; at < halves.length; at += 1) {
    const bits = halves[at];
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    out[at] = bits & 0x8000 ? -size : size;
  }
  return out;
}
