// A matrix as CSV.

import assert from "node:assert/strict";
import { test } from "node:test";

import { csvField, csvNumber, matrixCsv } from "../../../explorer/widgets/js/csv.js";

test("a number is the float32 itself, in as few digits as name it", () => {
  for (const [value, text] of [[0.1, "0.1"], [0, "0"], [-2.5, "-2.5"], [65, "65"], [1.2e-7, "1.2e-7"], [1 / 3, "0.33333334"]]) {
    assert.equal(csvNumber(Math.fround(value)), text);
  }
  assert.equal(csvNumber(NaN), "");
  assert.equal(csvNumber(-Infinity), "-inf");
  for (let bits = 1; bits < 0x7f800000; bits += 9_999_991) {
    const value = new Float32Array(new Uint32Array([bits]).buffer)[0];
    const text = csvNumber(value);
    assert.equal(Math.fround(Number(text)), value, text);
    // No shorter one would do.
    const digits = text.replace(/e.*/, "").replace(/[-.]/g, "").replace(/^0+/, "").replace(/0+$/, "").length;
    if (digits > 1) assert.notEqual(Math.fround(Number(value.toPrecision(digits - 1))), value, text);
  }
});

test("a field is quoted where it has to be, and never a formula", () => {
  assert.equal(csvField("patch 12 (row 1, column 4)"), '"patch 12 (row 1, column 4)"');
  assert.equal(csvField('say "a"\nb'), '"say ""a""\nb"');
  assert.equal(csvField("=1+1"), "'=1+1");
  assert.equal(csvField("@cmd"), "'@cmd");
  assert.equal(csvField("-12"), "-12");
  assert.equal(csvField("−0.5"), "−0.5");
});

test("the first field says which matrix it is; names stand beside and below it", () => {
  const text = matrixCsv({
    title: "Layer 5, head 2", rowAxis: "query ↓", colAxis: "key →", rows: ["CLS", "0"], cols: ["CLS", "0", "1"],
    values: new Float32Array([0.25, 0.5, 0.25, NaN, 1, 1e-9]),
  });
  assert.equal(text, '"Layer 5, head 2 | query ↓ | key →",CLS,0,1\nCLS,0.25,0.5,0.25\n0,,1,1e-9\n');
});
