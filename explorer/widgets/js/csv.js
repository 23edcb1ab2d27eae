// A matrix as CSV: names of rows and columns, and every value with as many digits as its float32 needs.

/** A spreadsheet takes what begins with one of these for a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/**
 * The shortest number that names a float32 and no other, as programs read it; nothing where there is no value.
 * @param {number} value
 * @returns {string}
 */
export function csvNumber(value) {
  if (Number.isNaN(value)) return "";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const names = (digits) => Math.fround(Number(value.toPrecision(digits))) === value;
  // Most need six digits or more.
  let digits = 6;
  while (digits < 9 && !names(digits)) digits += 1;
  while (digits > 1 && names(digits - 1)) digits -= 1;
  return String(Number(value.toPrecision(digits)));
}

/**
 * @param {string} text
 * @returns {string} As a field: never a formula, quoted where it has to be.
 */
export function csvField(text) {
  const plain = FORMULA.test(text) && !/^[+-]?\d+(\.\d*)?$/.test(text.trim()) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

/**
 * @param {object} table
 * @param {string} table.title
 * @param {string} table.rowAxis What rows are.
 * @param {string} table.colAxis
 * @param {string[]} table.rows
 * @param {string[]} table.cols
 * @param {Float32Array} table.values
 * @returns {string} The first field says which matrix it is.
 */
export function matrixCsv({ title, rowAxis, colAxis, rows, cols, values }) {
  const corner = [title, rowAxis, colAxis].filter(Boolean).join(" | ");
  const lines = [[corner, ...cols].map(csvField).join(",")];
  const line = new Array(cols.length);
  rows.forEach((name, row) => {
    for (let col = 0; col < cols.length; col += 1) line[col] = csvNumber(values[row * cols.length + col]);
    lines.push(`${csvField(name)},${line.join(",")}`);
  });
  return `${lines.join("\n")}\n`;
}
