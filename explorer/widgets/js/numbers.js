// Numbers as people read them, and texts with places to fill in.

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/**
 * `1.2e-7` as `1.2×10⁻⁷`, and a real minus sign.
 * @param {string} text A number as JavaScript writes it.
 * @returns {string}
 */
function typeset(text) {
  const [mantissa, exponent] = text.split("e");
  const number = mantissa.replace("-", "−");
  if (exponent === undefined) return number;
  const digits = exponent.replace(/[^0-9]/g, "").replace(/[0-9]/g, (digit) => SUPERSCRIPTS[Number(digit)]);
  return `${number}×10${exponent.startsWith("-") ? "⁻" : ""}${digits}`;
}

/**
 * A number with `digits` significant digits, without zeros at the end.
 * @param {number} value
 * @param {number} digits
 * @returns {string}
 */
function significant(value, digits) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    return `${Number(mantissa)}e${Number(exponent)}`;
  }
  return String(Number(value.toPrecision(digits)));
}

/**
 * A float32 with as few digits as name it and no other float32.
 * @param {number} value
 * @param {string} [missing] What stands for NaN.
 * @returns {string}
 */
export function formatExact(value, missing = "NaN") {
  if (Number.isNaN(value)) return missing;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  for (let digits = 1; digits < 9; digits += 1) {
    if (Math.fround(Number(value.toPrecision(digits))) === value) return typeset(significant(value, digits));
  }
  return typeset(significant(value, 9));
}

/**
 * A number short enough for an axis or a colour bar.
 * @param {number} value
 * @param {number} [digits]
 * @returns {string}
 */
export function formatShort(value, digits = 3) {
  if (!Number.isFinite(value)) return formatExact(value);
  return typeset(significant(value, digits));
}

/**
 * A number with as many decimals as give the largest of its neighbours `digits` digits, so that they can be compared.
 * @param {number} value
 * @param {number} reach The largest magnitude among them.
 * @param {number} digits
 * @returns {string}
 */
export function formatFixed(value, reach, digits) {
  if (!Number.isFinite(value) || !(reach > 0)) return formatExact(value);
  const decimals = digits - 1 - Math.floor(Math.log10(reach));
  if (!(decimals <= 6)) return formatShort(value, digits);
  const text = value.toFixed(Math.max(0, decimals));
  if (value === 0) return "0";
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/**
 * The smallest of 1, 2, 5, 10, 20, 50 … that is at least `least`.
 * @param {number} least
 * @returns {number}
 */
export function niceStep(least) {
  if (!(least > 1)) return 1;
  const power = 10 ** Math.floor(Math.log10(least) + 1e-9);
  for (const factor of [1, 2, 5]) {
    if (factor * power >= least - 1e-9) return factor * power;
  }
  return 10 * power;
}

/**
 * Put values in the places of a text: `fill("row {row}", { row: 3 })`.
 * @param {string | undefined} template
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function fill(template, values = {}) {
  return (template ?? "").replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/**
 * The float32 numbers of a binary trait.
 * @param {DataView | ArrayBuffer | Uint8Array | null | undefined} data
 * @returns {Float32Array}
 */
export function floats(data) {
  const bytes = byteArray(data);
  if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  return new Float32Array(bytes.slice().buffer);
}

/**
 * The bytes of a binary trait.
 * @param {DataView | ArrayBuffer | Uint8Array | null | undefined} data
 * @returns {Uint8Array}
 */
export function byteArray(data) {
  if (!data) return new Uint8Array(0);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
