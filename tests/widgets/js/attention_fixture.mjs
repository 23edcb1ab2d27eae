// Works out a layer's attention with the page's own module: node attention_fixture.mjs FOLDER
// (see tests/widgets/test_attention_view.py, which compares it with NumPy's).
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { MEAN, MatrixJob, attentionColumns, attentionRows, weightOf } from "../../../explorer/widgets/js/attention.js";

const folder = process.argv[2];
const floats = (name) => {
  const bytes = readFileSync(join(folder, name));
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};
const save = (name, parts) => writeFileSync(join(folder, name), Buffer.concat(parts.map((part) => Buffer.from(part.buffer))));

const { heads, tokens, dim } = JSON.parse(readFileSync(join(folder, "sizes.json"), "utf8"));
const layer = { q: floats("q"), k: floats("k"), lse: floats("lse"), heads, tokens, dim };
const every = Array.from({ length: tokens }, (_, token) => token);
const matrix = (head, step) => {
  const job = new MatrixJob(layer, head, step);
  // A row at a time, as on a busy page.
  while (!job.done) job.run(() => true);
  return job.values;
};
const all = Array.from({ length: heads }, (_, head) => head);
save("rows", every.map((query) => attentionRows(layer, query)));
save("columns", every.map((key) => attentionColumns(layer, key)));
save("matrices", [...all, MEAN].map((head) => matrix(head, 1)));
save("binned", all.map((head) => matrix(head, 5)));
save(
  "weights",
  all.map((head) => Float32Array.from({ length: tokens ** 2 }, (_, at) => weightOf(layer, head, Math.floor(at / tokens), at % tokens))),
);
