// The drawing of the pipeline.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pipelineSvg } from "../../../explorer/widgets/js/pipeline.js";
import { symbol } from "../../../explorer/widgets/js/pipeline_shapes.js";

const theme = {
  ink: "#111111", muted: "#555555", line: "#dddddd", surface: "#ffffff", page: "#eeeeee", accent: "#cc0066", soft: "#ffeeff",
};
const measure = (text, size = 16) => text.length * size * 0.55;
const HOSTILE = '<img src=x onerror="alert(1)">';

function drawing(changes = {}) {
  const row = (name, kind, more = {}) => ({ name, kind, picked: false, read: false, ...more });
  const texts = {
    alt: "pipeline", photo: "Photo", patches: "N = 4 patches", patchShape: "each 8 × 8 × 3", projection: "times E",
    prefix: "CLS added", position: "position", sum: "T = 5", embeddingsSymbol: "x_{p}E", sumSymbol: "z_{0}",
    encoder: "Encoder", layers: "× L = 2", answer: "cat", probability: "90%", classes: "of K = 5", note: "",
  };
  const sizes = {
    image: "16 × 16 × 3", patches: "4 × 192", weight: "192 × 24", tokens: "5 × 24", msa: "h = 2", mlp: "D_{mlp} = 96", head: "24 × 5",
  };
  return {
    rows: [row("CLS", "prefix", { read: true }), row("0", "patch", { picked: true }), row("", "gap"), row("3", "patch")],
    grid: [2, 2], place: 0, gap: 0.25, dims: 2, reaches: [1, 1, 1, 1], texts, sizes,
    chain: ["LN", "Linear"], pooled: false,
    stages: { patches: { number: 1, name: "Patches" }, embedding: { number: 2, name: "Embedding" }, attention: { number: 5, name: "Attention" } },
    stem: "overview",
    ...changes,
  };
}

const pictures = { photo: "data:image/jpeg;base64,AA", pieces: "data:image/png;base64,AA", thumbnails: ["", "data:image/png;base64,AA", "", "data:image/png;base64,AA"], strips: new Float32Array(4 * 4 * 2) };
const draw = (changes, leads = () => true) => pipelineSvg(drawing(changes), pictures, theme, measure, "sans", leads);
const stages = (svg) => [...svg.matchAll(/data-stage="([^"]+)"/g)].map((found) => found[1]);

/** Every element that is opened is closed, in order. */
function wellFormed(svg) {
  const open = [];
  for (const [, close, name, self] of svg.matchAll(/<(\/?)([a-z]+)(?:"[^"]*"|[^">])*?(\/?)>/g)) {
    if (close) assert.equal(open.pop(), name);
    else if (!self) open.push(name);
  }
  assert.deepEqual(open, []);
}

test("a symbol has its letters, and comes back to the line", () => {
  const text = symbol("z_{0}", 20);
  assert.deepEqual([...text.matchAll(/>([^<]*)</g)].map((found) => found[1]).filter(Boolean), ["z", "0", "\u200b"]);
  const shifts = [...text.matchAll(/dy="([^"]+)"/g)].map((found) => Number(found[1]));
  assert.equal(shifts.reduce((sum, shift) => sum + shift, 0), 0);
});

test("the drawing is well formed and holds every size", () => {
  const svg = draw();
  wellFormed(svg);
  for (const size of ["16 × 16 × 3", "4 × 192", "192 × 24", "5 × 24", "24 × 5"]) assert.ok(svg.includes(size), size);
  assert.ok(!/NaN|undefined/.test(svg));
});

test("parts lead only where the page has the stage", () => {
  assert.deepEqual(stages(draw()), ["patches", "embedding", "attention"]);
  assert.deepEqual(stages(draw({}, (stage) => stage === "embedding")), ["embedding"]);
  assert.deepEqual(stages(draw({ stages: {} })), []);
  assert.equal((draw({}, () => false).match(/role="link"/g) ?? []).length, 0);
});

test("a name is text, whoever wrote it", () => {
  const hostile = drawing();
  hostile.texts.answer = HOSTILE;
  hostile.rows[0].name = HOSTILE;
  const svg = pipelineSvg(hostile, pictures, theme, measure, 'a"b', () => true);
  assert.ok(!svg.includes("<img"));
  assert.ok(!/ onerror="/.test(svg));
  wellFormed(svg);
});

test("a colour stands for its value", () => {
  const strips = new Float32Array(4 * 4 * 2);
  strips[0] = 1; // the first number of CLS
  const svg = pipelineSvg(drawing(), { ...pictures, strips }, theme, measure, "sans", () => false);
  assert.equal((svg.match(/fill="rgb\(94,53,0\)"/g) ?? []).length, 1);
});

test("a long name goes over two lines, and no further", () => {
  const long = drawing();
  long.texts.answer = "a very long name of a class that goes on and on and on, and then some more of it, without an end in sight";
  const svg = pipelineSvg(long, pictures, theme, measure, "sans", () => false);
  assert.ok(svg.includes("…"));
  assert.equal((svg.match(/font-size="21" font-weight="700"/g) ?? []).length, 2);
});

test("what is pooled is bracketed", () => {
  const rows = drawing().rows.map((row) => ({ ...row, read: row.kind === "patch" }));
  const svg = draw({ rows, chain: ["LN", "attention pooling", "Linear"], pooled: true });
  wellFormed(svg);
  for (const word of ["LN", "attention", "pooling", "Linear"]) assert.ok(svg.includes(`>${word}<`), word);
  assert.ok(!/NaN|undefined/.test(svg));
});
