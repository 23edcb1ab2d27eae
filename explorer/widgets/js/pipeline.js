// The whole pipeline as one SVG: a pure function from what was computed to the text of the drawing.

import { TEXT, TOP, number, shapes } from "./pipeline_shapes.js";
import { escapeXml, shortened, wrapped } from "./scene.js";

/**
 * @typedef {{name: string, kind: "prefix" | "patch" | "gap", picked: boolean, read: boolean}} Row
 * @typedef {{rows: Row[], grid: number[], place: number, dims: number, reaches: number[], texts: Record<string, string>, sizes: Record<string, string>,
 *   chain: string[], pooled: boolean, stages: Record<string, {number: number, name: string}>}} Drawing
 * @typedef {{photo: string, pieces: string, thumbnails: string[], strips: Float32Array}} Pictures
 * @typedef {{ink: string, muted: string, line: string, surface: string, accent: string, soft: string}} Theme
 */

export const WIDTH = 1200;
export const HEIGHT = 534;

const PHOTO = 186;
const STACKS = 196; // height that a stack of tokens may take
const PIECES = 246; // left edge of the patches
const LOWER = 318; // top of the lower row
const TALL = 186; // height of the lower row

/**
 * @param {Drawing} drawing
 * @param {Pictures} pictures
 * @param {Theme} theme
 * @param {(text: string, size?: number, weight?: number) => number} measure
 * @param {string} font Font families.
 * @param {(stage: string) => boolean} leads Whether a stage can be gone to.
 * @returns {string} An `<svg>` element.
 */
export function pipelineSvg(drawing, pictures, theme, measure, font, leads) {
  const { texts, sizes, rows } = drawing;
  const out = [];
  const draw = shapes(theme, measure);
  const part = (stage, box, inner) => {
    const target = drawing.stages[stage];
    const linked = target !== undefined && leads(stage);
    const [x, y, width, height] = box;
    const hit = `<rect class="vx-pipe-hit" x="${x}" y="${y}" width="${width}" height="${height}" rx="12" fill="none"/>`;
    const drawn = inner(linked ? target.number : null);
    // What stands in the part is part of its name, so that whoever says what they see finds it.
    const seen = drawn.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim();
    const attributes = linked
      ? ` class="vx-pipe-part vx-pipe-link" role="link" tabindex="0" data-stage="${escapeXml(stage)}" aria-label="${escapeXml(`${target.number} ${target.name}:`)} ${seen.replaceAll('"', "&quot;")}"`
      : ' class="vx-pipe-part"';
    out.push(`<g${attributes}>${linked ? hit : ""}${drawn}</g>`);
  };

  const pitch = Math.min(32, STACKS / Math.max(rows.length, 1));
  const bar = pitch - 6;
  const stackTop = TOP + Math.max(0, (PHOTO - pitch * rows.length + 6) / 2);
  const middle = TOP + PHOTO / 2;
  const foot = TOP + Math.max(PHOTO, STACKS - 20) + 27;

  // -- upper row: from the photo to z_0 ------------------------------------------------------------------------------

  part("patches", [-6, 0, 536, foot + 16], (badge) =>
    [
      draw.title(0, 210, texts.photo, badge),
      draw.image(0, TOP, PHOTO, PHOTO, pictures.photo, true, 6),
      draw.label(PHOTO / 2, foot, "x", sizes.image),
      draw.arrow(PHOTO + 10, middle, PIECES - 10, middle),
      draw.title(PIECES, 210, texts.patches, null),
      draw.image(PIECES, TOP, PHOTO, PHOTO, pictures.pieces, false, 0),
      pickedPiece(PIECES, TOP),
      draw.label(PIECES + PHOTO / 2, foot, "", texts.patchShape),
      draw.arrow(PIECES + PHOTO + 10, middle, 490, middle),
      rows.map((row, index) => thumbnail(row, index)).join(""),
      draw.label(513, foot, "x_{p}", sizes.patches, 150),
    ].join(""),
  );

  // The picked patch among the pieces, whose gaps are a fifth of a patch wide.
  function pickedPiece(x, y) {
    const [gridRows, gridCols] = drawing.grid;
    if (drawing.place < 0) return "";
    const unit = PHOTO / (gridCols + (gridCols - 1) * drawing.gap);
    const left = x + (drawing.place % gridCols) * unit * (1 + drawing.gap);
    const high = PHOTO / (gridRows + (gridRows - 1) * drawing.gap);
    const top = y + Math.floor(drawing.place / gridCols) * high * (1 + drawing.gap);
    return draw.frame(left - 1.5, top - 1.5, unit + 3, high + 3, 2);
  }

  function thumbnail(row, index) {
    const y = stackTop + index * pitch;
    if (row.kind === "gap") return rows[index - 1]?.kind === "patch" ? draw.dots(513, y + bar / 2) : "";
    if (row.kind !== "patch") return "";
    const picture = draw.image(513 - bar / 2, y, bar, bar, pictures.thumbnails[index], false, 3);
    return picture + (row.picked ? draw.frame(513 - bar / 2 - 1, y - 1, bar + 2, bar + 2, 4) : "");
  }

  part("embedding", [536, 0, 116, foot + 16], (badge) =>
    [
      draw.arrow(536, middle, 558, middle),
      draw.title(545, 100, texts.projection, badge, "middle"),
      draw.box(564, TOP + 26, 62, PHOTO - 58),
      draw.math(595, middle - 3, "E", 34),
      draw.label(595, TOP + PHOTO - 14, "", sizes.weight, 100),
      draw.arrow(631, middle, 651, middle),
    ].join(""),
  );

  const stackWidth = 128;
  const stacks = [702, 872, 1042];
  part("position", [654, 0, 546, foot + 16], (badge) =>
    [
      draw.title(stacks[0] - 40, 180, texts.prefix, badge),
      draw.title(stacks[1] - 8, 160, texts.position, null),
      draw.title(stacks[2] - 2, 160, texts.sum, null),
      rows.map((row, index) => draw.rowName(stacks[0] - 10, stackTop + index * pitch + bar / 2, row)).join(""),
      stacks.map((x, stack) => stackOf(x, stackTop, stackWidth, pitch, stack)).join(""),
      draw.sign((stacks[0] + stackWidth + stacks[1]) / 2, middle, "+"),
      draw.sign((stacks[1] + stackWidth + stacks[2]) / 2, middle, "="),
      draw.label(stacks[0] + stackWidth / 2 - 18, foot, texts.embeddingsSymbol, sizes.tokens, 240),
      draw.label(stacks[1] + stackWidth / 2, foot, "E_{pos}", sizes.tokens, 170),
      draw.label(stacks[2] + stackWidth / 2, foot, texts.sumSymbol, sizes.tokens, 160),
    ].join(""),
  );

  function stackOf(x, y, width, step, stack, only) {
    const scale = { low: -drawing.reaches[stack], high: drawing.reaches[stack], colormap: "diverging", log: false, label: "" };
    return rows
      .map((row, index) => {
        const top = y + index * step;
        const height = step - 6;
        if (row.kind === "gap") return draw.dots(x + width / 2, top + height / 2);
        const from = (stack * rows.length + index) * drawing.dims;
        const values = pictures.strips.subarray(from, from + drawing.dims);
        const cells = draw.strip(x, top, width, height, values, scale);
        const faded = only && !row.read ? ` opacity="0.35"` : "";
        const framed = row.kind === "prefix" || row.picked || (only && row.read && !drawing.pooled);
        return `<g${faded}>${cells}${framed ? draw.frame(x - 1, top - 1, width + 2, height + 2, 3) : ""}</g>`;
      })
      .join("");
  }

  // -- lower row: from z_0 to the class ------------------------------------------------------------------------------

  const turn = foot + 29;
  const flow = LOWER + 118;
  const enter = [stacks[2] + stackWidth + 6, middle];
  out.push(
    draw.path(`M${enter[0]} ${enter[1]}H1190V${turn - 12}Q1190 ${turn} 1178 ${turn}H20Q8 ${turn} 8 ${turn + 12}V${flow - 12}Q8 ${flow} 20 ${flow}H30`),
    draw.head(40, flow),
  );

  part("encoder", [40, LOWER, 686, TALL], (badge) => {
    const width = texts.encoder ? draw.width(texts.encoder, 20, 650) : 0;
    return [
      draw.panel(40, LOWER, 686, TALL),
      draw.text(60 + (badge === null ? 0 : 36), LOWER + 30, texts.encoder, { size: 20, weight: 650 }),
      badge === null ? "" : draw.badge(72, LOWER + 30, badge),
      draw.pill(96 + width + (badge === null ? 0 : 36), LOWER + 30, texts.layers),
      draw.path(`M40 ${flow}H90`),
      draw.head(94, flow),
      draw.bypass(66, flow, 350, LOWER + 62),
      draw.box(94, flow - 26, 58, 52),
      draw.text(123, flow, texts.norm ?? "LN", { anchor: "middle", weight: 600 }),
      draw.arrow(152, flow, 174, flow),
      draw.arrow(324, flow, 335, flow, true),
      draw.plus(350, flow),
      draw.path(`M365 ${flow}H396`),
      draw.head(398, flow),
      draw.bypass(380, flow, 656, LOWER + 62),
      draw.box(398, flow - 26, 58, 52),
      draw.text(427, flow, texts.norm ?? "LN", { anchor: "middle", weight: 600 }),
      draw.arrow(456, flow, 478, flow),
      draw.box(480, flow - 38, 150, 76),
      draw.text(555, flow - 13, "MLP", { anchor: "middle", size: 20, weight: 700 }),
      draw.sizes(555, flow + 15, sizes.mlp),
      draw.arrow(630, flow, 641, flow, true),
      draw.plus(656, flow),
      draw.path(`M671 ${flow}H726`),
      draw.math(66, flow + 51, "z_{l−1}", 21),
      draw.math(382, flow + 51, "z′_{l}", 21),
      draw.math(692, flow + 51, "z_{l}", 21),
    ].join("");
  });
  part("attention", [172, flow - 42, 154, 84], (badge) =>
    [
      draw.box(176, flow - 38, 148, 76),
      draw.text(badge === null ? 250 : 265, flow - 13, "MSA", { anchor: "middle", size: 20, weight: 700 }),
      badge === null ? "" : draw.badge(222, flow - 13, badge),
      draw.sizes(250, flow + 15, sizes.msa),
    ].join(""),
  );

  const lastPitch = Math.min(24, (TALL - 14) / Math.max(rows.length, 1));
  const chainY = LOWER + 24;
  // The first token stands on the line of the boxes that read it.
  const lastTop = chainY - (lastPitch - 6) / 2;
  out.push(draw.path(`M726 ${flow}H752`), draw.head(760, flow));
  part("classification", [764, LOWER - 10, 436, HEIGHT - LOWER + 8], (badge) => {
    const reads = rows.map((row, index) => (row.read ? index : -1)).filter((index) => index >= 0);
    const first = reads[0] ?? 0;
    const from = lastTop + first * lastPitch + (lastPitch - 6) / 2;
    // CLS alone goes on to the head, or all that is pooled (and CLS with the distillation token).
    const start = reads.length > 1 ? bracket(reads) : [902, from];
    return [
      stackOf(770, lastTop, 128, lastPitch, 3, true),
      draw.label(834, HEIGHT - 16, "z_{L}", sizes.tokens, 150),
      start.path ?? draw.path(`M${start[0]} ${start[1]}H912V${chainY}H928`),
      draw.head(936, chainY),
      chain(936, chainY, 264),
      answer(924, LOWER + 74, 276, TALL - 74, badge),
    ].join("");
  });

  function bracket(reads) {
    const top = lastTop + reads[0] * lastPitch;
    const bottom = lastTop + reads[reads.length - 1] * lastPitch + lastPitch - 6;
    return { path: draw.path(`M902 ${top}H910V${bottom}H902M910 ${chainY}H928`) };
  }

  function chain(x, y, width) {
    const gap = 22;
    // Two words stand below each other.
    const labels = drawing.chain.map((text) => text.split(/ (.*)/, 2).filter(Boolean));
    const needs = labels.map((words) => Math.max(52, ...words.map((word) => draw.width(word, words.length > 1 ? 16 : TEXT, 600) + 22)));
    const total = needs.reduce((sum, need) => sum + need, 0) + gap * (needs.length - 1);
    const stretch = Math.min(1, (width - gap * (needs.length - 1)) / (total - gap * (needs.length - 1)));
    let left = x;
    const items = [];
    needs.forEach((need, index) => {
      const wide = need * stretch;
      items.push(draw.box(left, y - 24, wide, 48));
      const words = labels[index];
      const size = words.length > 1 ? 16 : TEXT;
      words.forEach((word, line) => {
        const lineY = y + (line - (words.length - 1) / 2) * 19;
        items.push(draw.text(left + wide / 2, lineY, shortened(word, wide - 8, measure, size, 600), { anchor: "middle", weight: 600, size }));
      });
      if (index < needs.length - 1) items.push(draw.arrow(left + wide + 2, y, left + wide + gap - 2, y));
      else {
        items.push(draw.arrow(left + wide / 2, y + 24, left + wide / 2, LOWER + 72));
        items.push(draw.text(left + wide / 2 - 12, y + 37, sizes.head, { anchor: "end", size: 17, fill: theme.muted }));
      }
      left += wide + gap;
    });
    return items.join("");
  }

  function answer(x, y, width, height, badge) {
    const inner = width - 32;
    // As large as it goes in one line, else in two.
    const fits = (size, most) => wrapped(texts.answer, inner, measure, size, 700).length <= most;
    const size = [30, 27, 24, 22].find((each) => fits(each, 1)) ?? [26, 21].find((each) => fits(each, 2)) ?? 21;
    const lines = wrapped(texts.answer, inner, measure, size, 700);
    const shown = lines.length > 2 ? [lines[0], shortened(lines.slice(1).join(" "), inner, measure, size, 700)] : lines;
    const step = size * 1.2;
    const textTop = y + height / 2 - (shown.length * step + 34) / 2;
    return [
      `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="12" fill="${theme.soft}" stroke="${theme.accent}" stroke-width="2"/>`,
      badge === null ? "" : draw.badge(x + 4, y + 3, badge),
      shown
        .map((line, index) => draw.text(x + 18, textTop + step * (index + 0.5), shortened(line, inner, measure, size, 700), { size, weight: 700 }))
        .join(""),
      draw.text(x + 18, textTop + step * shown.length + 18, texts.probability, { size: 25, weight: 700, fill: theme.accent }),
      draw.text(x + width - 16, textTop + step * shown.length + 18, texts.classes, { anchor: "end", size: 17, fill: theme.muted }),
    ].join("");
  }

  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" ` +
    `font-family="${escapeXml(font)}" role="group" aria-label="${escapeXml(texts.alt)}">` +
    `<g transform="translate(8 0) scale(${number((WIDTH - 16) / WIDTH)})">${out.join("")}</g></svg>`
  );
}
