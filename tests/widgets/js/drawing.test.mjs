// Numbers, colours, layout and files of the drawings.

import assert from "node:assert/strict";
import { test } from "node:test";

import { matrixLayout, nameOf, tickItems, tickText, ticks } from "../../../explorer/widgets/js/axes.js";
import { barLabels } from "../../../explorer/widgets/js/bar.js";
import { MISSING, colorOf, inkOn, levels, lookup, valueAt } from "../../../explorer/widgets/js/colors.js";
import { linesOf, longestOf, stepped } from "../../../explorer/widgets/js/frame.js";
import { beyondScale, binned, colorize, extent, opaque } from "../../../explorer/widgets/js/heat.js";
import * as numbers from "../../../explorer/widgets/js/numbers.js";
import { nextToken, photoLayout } from "../../../explorer/widgets/js/photo.js";
import { dressed } from "../../../explorer/widgets/js/plotly.js";
import { onPaper, safeStem } from "../../../explorer/widgets/js/save.js";
import { escapeXml, shortened, toSvg, wrapped } from "../../../explorer/widgets/js/scene.js";
import { tilesLayout } from "../../../explorer/widgets/js/tiles.js";

const { byteArray, fill, floats, formatExact, formatFixed, formatShort, niceStep } = numbers;
const measure = (text) => text.length * 9;
const linear = { low: 0, high: 1, colormap: "sequential", log: false, label: "attention" };
const signed = { low: -2, high: 2, colormap: "diverging", log: false, label: "" };
const logarithmic = { low: 0.001, high: 1, colormap: "sequential", log: true, label: "" };
const quiet = { below: false, above: false };

/** What formatExact wrote, read back. */
function read(text) {
  const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const plain = text.replace(/×10(⁻?)([⁰¹²³⁴⁵⁶⁷⁸⁹]+)/, (_, sign, power) => {
    return `e${sign ? "-" : ""}${Array.from(power, (digit) => digits.indexOf(digit)).join("")}`;
  });
  return Number(plain.replaceAll("−", "-"));
}

test("an exact number is the float32 itself, in as few digits as name it", () => {
  assert.equal(formatExact(Math.fround(0.1)), "0.1");
  assert.equal(formatExact(0), "0");
  assert.equal(formatExact(-2.5), "−2.5");
  assert.equal(formatExact(Math.fround(1.2e-7)), "1.2×10⁻⁷");
  assert.equal(formatExact(NaN, "値なし"), "値なし");
  assert.equal(formatExact(-Infinity), "−∞");
  const random = new Float32Array(4000);
  const bits = new Uint32Array(random.buffer);
  let state = 1;
  for (let index = 0; index < bits.length; index += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bits[index] = state;
  }
  for (const value of random) {
    if (Number.isFinite(value)) assert.equal(Math.fround(read(formatExact(value))), value);
  }
});

test("short numbers", () => {
  assert.equal(formatShort(0.030123), "0.0301");
  assert.equal(formatShort(-1), "−1");
  assert.equal(formatShort(123456), "123000");
  assert.equal(formatShort(0.0000123), "1.23×10⁻⁵");
  assert.deepEqual([0.7, -1.04, 0.04, -0.04, 0].map((value) => formatFixed(value, 2.4, 2)), ["0.7", "−1.0", "0.0", "0.0", "0"]);
  assert.equal(formatFixed(12.4, 255, 3), "12");
});

test("round steps", () => {
  assert.deepEqual([0.2, 1, 1.5, 2.1, 7, 12, 30, 51, 1000].map(niceStep), [1, 1, 2, 5, 10, 20, 50, 100, 1000]);
});

test("texts keep what they are not given", () => {
  assert.equal(fill("row {row} of {rows}", { row: 3 }), "row 3 of {rows}");
  assert.equal(fill(undefined), "");
});

test("binary traits may begin anywhere in a message", () => {
  const message = new Uint8Array(13);
  message.set(new Uint8Array(new Float32Array([1.5, -2]).buffer), 3);
  assert.deepEqual([...floats(new DataView(message.buffer, 3, 8))], [1.5, -2]);
  assert.deepEqual([...byteArray(new DataView(message.buffer, 11, 2))], [0, 0]);
  assert.equal(floats(null).length, 0);
});

test("levels: ends, middle, beyond, no value", () => {
  assert.deepEqual([...levels([0, 1, 0.5, -3, 7, NaN], linear)], [0, 255, 128, 0, 255, 256]);
  assert.deepEqual([...levels([0, -1e-9], signed)], [128, 127]);
  assert.deepEqual([...levels([0.001, 1, 0, -1, Infinity, 10 ** -1.5], logarithmic)], [0, 255, 0, 0, 255, 128]);
  assert.equal(valueAt(logarithmic, 0.5).toFixed(9), (10 ** -1.5).toFixed(9));
});

test("colours: the ends of cividis, white between signs, grey for no value", () => {
  assert.deepEqual(colorOf(linear, 0), [0x00, 0x22, 0x4e]);
  assert.deepEqual(colorOf(linear, 1), [0xfe, 0xe8, 0x38]);
  assert.ok(colorOf(signed, 0).every((channel) => channel > 240));
  assert.deepEqual(colorOf(signed, NaN), MISSING);
  assert.equal(inkOn([255, 255, 255]), "#10151b");
  assert.equal(inkOn([0, 0x22, 0x4e]), "#ffffff");
});

test("lightness of the sequential map only grows, and the diverging one falls to both sides", () => {
  const lightness = (map) => {
    const table = lookup(map);
    return Array.from({ length: 256 }, (_, at) => 0.2126 * table[at * 3] + 0.7152 * table[at * 3 + 1] + 0.0722 * table[at * 3 + 2]);
  };
  const rises = (list) => list.every((value, at) => at === 0 || value >= list[at - 1] - 0.8);
  assert.ok(rises(lightness("sequential")));
  const both = lightness("diverging");
  assert.ok(rises(both.slice(0, 128)));
  assert.ok(rises(both.slice(128).reverse()));
});

test("pixels are what the levels say", () => {
  const pixels = colorize(new Float32Array([0, 1, NaN]), linear);
  assert.deepEqual([...pixels], [0x00, 0x22, 0x4e, 255, 0xfe, 0xe8, 0x38, 255, ...MISSING, 255]);
  assert.deepEqual([...opaque(new Uint8Array([1, 2, 3, 4, 5, 6]))], [1, 2, 3, 255, 4, 5, 6, 255]);
});

test("what is beyond the scale is told, what ends with it is not", () => {
  const tenth = { ...linear, high: 0.1 };
  assert.deepEqual(beyondScale(extent(new Float32Array([0, 0.1])), tenth), quiet);
  assert.deepEqual(beyondScale(extent(new Float32Array([-1, 0.2, NaN])), tenth), { below: true, above: true });
  assert.equal(extent(new Float32Array([NaN, 1])).missing, true);
  assert.deepEqual(barLabels(tenth, { below: false, above: true }), ["0", "0.05", "≥ 0.1"]);
  assert.deepEqual(barLabels(signed, { below: true, above: false }), ["≤ −2", "0", "2"]);
});

test("bins: every value belongs to one, also at the far edges", () => {
  const values = new Float32Array([1, 2, 3, 4, NaN, -9, 7, 8, 9, NaN, 5, 6, -1, 0, 2]);
  const mean = binned(values, 3, 5, 2, 2, "mean");
  assert.deepEqual([mean.rows, mean.cols], [2, 3]);
  assert.deepEqual([...mean.values], [(1 + 2 - 9 + 7) / 4, (3 + 4 + 8 + 9) / 4, NaN, 5.5, -0.5, 2]);
  const most = binned(values, 3, 5, 2, 2, "max");
  assert.deepEqual([...most.values], [-9, 9, NaN, 6, -1, 2]);
});

const axis = (given = {}) => ({ name: "query ↓", labels: [], marks: {}, first: 0, ...given });

test("ticks: marks always, round numbers where there is room", () => {
  const found = ticks(axis({ marks: { 0: "CLS" } }), 197, 3, 27);
  assert.deepEqual(found.slice(0, 3).map((tick) => tick.text), ["CLS", "10", "20"]);
  assert.ok(found.every((tick, at) => at === 0 || (tick.index - found[at - 1].index) * 3 >= 27));
  assert.deepEqual(ticks(axis({ first: 1 }), 12, 10, 27).map((tick) => tick.text), ["1", "5", "10"]);
  assert.deepEqual(ticks(axis({ first: 1 }), 3, 40, 27).map((tick) => tick.text), ["1", "2", "3"]);
});

test("names: labels first, then marks, then the number", () => {
  assert.equal(nameOf(axis({ labels: ["CLS", "patch 1"] }), 1), "patch 1");
  assert.equal(nameOf(axis({ marks: { 0: "CLS" } }), 0), "CLS");
  assert.equal(nameOf(axis({ first: 1 }), 4), "5");
  assert.equal(tickText(axis({ first: 1 }), [{ index: 0, text: "one" }], 0), "one");
  // A marked index without room for its tick is still called by its mark.
  assert.equal(tickText(axis({ first: -2, marks: { 1: "DIST" } }), [], 1), "DIST");
  assert.equal(tickText(axis({ first: -2, marks: { 1: "DIST" } }), [], 2), "0");
});

const layouts = [];
for (const width of [260, 420, 700, 1240]) {
  for (const [rows, cols, aspect] of [[65, 65, "equal"], [197, 197, "equal"], [1374, 1374, "equal"], [65, 192, "fill"],
    [1, 192, "fill"], [768, 192, "equal"], [3, 3, "equal"], [192, 768, "fill"]]) {
    for (const ratio of [1, 1.25, 2]) layouts.push({ width, rows, cols, aspect, ratio });
  }
}

test("a matrix fits into its width, square where it is asked to be, and at whole pixels where that is cheap", () => {
  for (const given of layouts) {
    const layout = matrixLayout({
      ...given,
      rowAxis: axis({ marks: { 0: "CLS" } }),
      colAxis: axis({ name: "key →" }),
      maxSize: 560,
      scale: linear,
      beyond: quiet,
      measure,
    });
    const { plot, cell } = layout;
    const said = JSON.stringify(given);
    assert.ok(plot.x + plot.width <= given.width + 1e-6, said);
    assert.ok(layout.width <= given.width + 2, said);
    assert.ok(layout.height >= plot.y + plot.height, said);
    assert.ok(Math.abs(plot.width - given.cols * cell.width) < 1e-6, said);
    if (given.aspect === "equal") assert.equal(cell.width, cell.height, said);
    const pixels = cell.width * given.ratio;
    if (pixels >= 8) assert.ok(Math.abs(pixels - Math.round(pixels)) < 1e-6, said);
    assert.ok(Math.abs(plot.x * given.ratio - Math.round(plot.x * given.ratio)) < 1e-6, said);
  }
});

test("a few rows are named, many are counted", () => {
  const labels = ["CLS", "patch 1", "patch 2"];
  const given = { width: 700, aspect: "equal", maxSize: 560, ratio: 1, scale: linear, beyond: quiet, measure };
  const few = matrixLayout({ ...given, rows: 3, cols: 3, rowAxis: axis({ labels }), colAxis: axis({ labels }) });
  assert.deepEqual(few.rowTicks.map((tick) => tick.text), labels);
  const many = Array.from({ length: 300 }, (_, index) => `patch ${index}`);
  const counted = matrixLayout({ ...given, rows: 300, cols: 3, rowAxis: axis({ labels: many }), colAxis: axis() });
  assert.equal(counted.rowTicks[0].text, "0");
});

test("ticks make way for the chosen row's label", () => {
  const layout = matrixLayout({
    width: 700, rows: 65, cols: 65, aspect: "equal", maxSize: 560, ratio: 1, scale: linear, beyond: quiet, measure,
    rowAxis: axis(), colAxis: axis(),
  });
  const texts = (row) => {
    const chosen = { row, col: -1, rowText: String(row), colText: "" };
    return tickItems(layout, { accent: "red" }, chosen, measure).filter((item) => item.anchor === "end");
  };
  assert.ok(texts(-1).some((item) => item.text === "10"));
  assert.ok(!texts(11).some((item) => item.text === "10"));
});

test("arrow keys stay inside, and begin at the first cell", () => {
  const key = (name, more = {}) => ({ key: name, ...more });
  assert.deepEqual(stepped(key("ArrowDown"), -1, -1, 3, 4), [0, 0]);
  assert.deepEqual(stepped(key("ArrowDown"), 2, 1, 3, 4), [2, 1]);
  assert.deepEqual(stepped(key("ArrowRight"), 0, 1, 3, 4), [0, 2]);
  assert.deepEqual(stepped(key("End"), 1, 1, 3, 4), [1, 3]);
  assert.deepEqual(stepped(key("End", { ctrlKey: true }), 1, 1, 3, 4), [2, 3]);
  assert.equal(stepped(key("a"), 1, 1, 3, 4), null);
});

test("room for the longest readout", () => {
  assert.equal(longestOf(["patch 1", "パッチ1", "abc"]), "patch 1");
  assert.equal(longestOf(["patch", "パッチ1", "abc"]), "パッチ1");
  assert.equal(longestOf([]), "");
  assert.deepEqual([linesOf([100, 100], 216), linesOf([100, 100], 215), linesOf([50, 450], 200)], [1, 2, 4]);
});

test("from patches to prefix tokens and back, over those that were dropped", () => {
  const go = (name, token, there = () => true) => nextToken({ key: name }, token, 2, [3, 4], there);
  assert.equal(go("ArrowRight", -1), 0);
  assert.equal(go("ArrowDown", 0), 1);
  assert.equal(go("ArrowDown", 1), 1);
  assert.equal(go("ArrowRight", 0), 2);
  assert.equal(go("ArrowLeft", 2 + 8), 1);
  assert.equal(go("ArrowDown", 2 + 1), 2 + 5);
  assert.equal(go("ArrowRight", 2 + 3), 2 + 3);
  assert.equal(go("ArrowRight", 2, (token) => token !== 3), 4);
  assert.equal(go("End", 0, (token) => token !== 13), 12);
  assert.equal(nextToken({ key: "ArrowLeft" }, 0, 0, [3, 4], () => true), 0);
});

test("a photo and its chips fit into their width", () => {
  for (const width of [220, 300, 520, 1200]) {
    for (const names of [[], ["CLS"], ["CLS", "REG1", "REG2", "REG3", "REG4"]]) {
      for (const scale of [null, linear]) {
        const given = { width, grid: [14, 14], prefixNames: names, maxSize: 560, ratio: 1, scale, beyond: quiet, measure };
        const layout = photoLayout(given);
        const said = `${width} ${names} ${scale?.label}`;
        assert.ok(layout.photo.x + layout.photo.width <= width, said);
        assert.ok(layout.width <= width + 2, said);
        assert.equal(layout.chips.length, names.length);
        for (const chip of layout.chips) {
          const apart = chip.x + chip.width <= layout.photo.x || chip.y + chip.height <= layout.photo.y;
          assert.ok(apart, said);
        }
      }
    }
  }
});

test("tiles: fewer columns where it is narrow, unless they form a picture", () => {
  const given = { shape: [28, 16, 16], columns: 14, maxTile: 220, ratio: 1, scale: null, beyond: quiet, measure };
  const captions = Array.from({ length: 28 }, (_, tile) => `PC ${tile + 1}`);
  for (const width of [240, 600, 1200]) {
    const layout = tilesLayout({ ...given, width, captions });
    assert.ok(Math.max(...layout.tiles.map((tile) => tile.x + tile.width)) <= width);
    assert.ok(layout.width <= width + 8);
  }
  assert.equal(tilesLayout({ ...given, width: 1200, captions }).across, 14);
  assert.ok(tilesLayout({ ...given, width: 400, captions }).across < 14);
  const bare = captions.map(() => "");
  assert.equal(tilesLayout({ ...given, width: 400, captions: bare }).across, 14);
});

test("texts are cut and broken to measure", () => {
  assert.equal(shortened("attention", 9 * 5, measure), "atte…");
  assert.equal(shortened("attention", 900, measure), "attention");
  assert.deepEqual(wrapped("one two three", 9 * 8, measure), ["one two", "three"]);
  assert.deepEqual(wrapped("注意の重み。次", 9 * 4, measure), ["注意の重", "み。次"]);
  // No bracket is left alone at the end of a line, nor stands at the beginning of one.
  assert.deepEqual(wrapped("猫（68.0%）です", 9 * 3, measure), ["猫", "（68.0%）", "です"]);
  assert.deepEqual(wrapped("層5 「猫」", 9 * 4, measure), ["層5", "「猫」"]);
  assert.deepEqual(wrapped("（", 9, measure), ["（"]);
  assert.deepEqual(wrapped("a\nb", 900, measure), ["a", "b"]);
});

test("SVG: a text stays a text", () => {
  const text = '<script>alert("1")</script>&\u0000';
  assert.equal(escapeXml(text), "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;");
  const items = [
    { kind: "text", x: 1, y: 2, text, fill: "#000" },
    { kind: "rect", x: 0, y: 0, width: 5, height: 5, hatch: "#333" },
    { kind: "line", x1: 0, y1: 0, x2: 1, y2: 1, stroke: "#000" },
    { kind: "image", x: 0, y: 0, width: 5, height: 5, href: () => "data:image/png;base64,AAAA" },
  ];
  const svg = toSvg({ width: 10, height: 10, items }, { font: '"Noto Sans"', background: "#fff", title: text });
  assert.ok(!svg.includes("<script>"));
  assert.ok(svg.includes('href="data:image/png;base64,AAAA"') && svg.includes("pixelated"));
  assert.ok(svg.includes("url(#hatch0)"));
});

test("paper has the title, the drawing and the caption, none over another", () => {
  const scene = { width: 100, height: 50, items: [{ kind: "rect", x: 0, y: 0, width: 100, height: 50, fill: "red" }] };
  const paper = onPaper(scene, { title: "A title", caption: "A caption", notes: ["A note"] }, measure);
  const [title, drawing, note, caption] = paper.items;
  assert.deepEqual([title.text, note.text, caption.text], ["A title", "A note", "A caption"]);
  assert.ok(title.y < drawing.y && drawing.y + drawing.height < note.y && note.y < caption.y);
  assert.ok(caption.y < paper.height);
});

test("file names that every system takes", () => {
  assert.equal(safeStem("attention-flexi-layer5-head3"), "attention-flexi-layer5-head3");
  assert.equal(safeStem("../../etc/passwd"), "etc-passwd");
  assert.equal(safeStem('a:b*c?"d"'), "a-b-c-d-");
  assert.equal(safeStem("..."), "picture");
  assert.equal(safeStem("猫 1"), "猫 1");
});

test("charts: what a figure sets stays, all else is the page's", () => {
  const theme = { ink: "#111111", line: "#dddddd", accent: "#c4006a", muted: "#555555", surface: "#ffffff" };
  const place = { font: "Noto Sans", height: 360, width: 600 };
  const { layout } = dressed({ layout: { font: { size: 9 }, height: 200, xaxis: { title: { text: "x" } } } }, theme, place);
  assert.equal(layout.font.size, 16);
  assert.equal(layout.height, 200);
  assert.equal(layout.template.layout.colorway[0], "#c4006a");
  assert.equal(layout.xaxis.title.text, "x");
  assert.equal(dressed({}, theme, place).layout.height, 360);
});
