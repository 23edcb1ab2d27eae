// Drawings as files, made in the browser: nothing is sent anywhere.

import { paint, measurer, toSvg, wrapped } from "./scene.js";

const MARGIN = 24;
const LINE = 24;
const NARROWEST = 520;

/**
 * The drawing on paper: its title above, its caption below.
 * @param {import("./scene.js").Scene} scene
 * @param {{title: string, caption: string, notes: string[], font: string}} texts
 * @param {(text: string, size?: number, weight?: number) => number} measure
 * @returns {import("./scene.js").Scene}
 */
export function onPaper(scene, texts, measure) {
  const width = Math.max(scene.width, NARROWEST);
  const items = [];
  let y = MARGIN;
  if (texts.title) {
    for (const line of wrapped(texts.title, width, measure, 20, 600)) {
      items.push({ kind: "text", x: MARGIN, y: y + 12, text: line, size: 20, weight: 600, fill: "#1b1f24" });
      y += 28;
    }
    y += 8;
  }
  for (const item of scene.items) items.push(moved(item, MARGIN, y));
  y += scene.height + 8;
  for (const text of [...texts.notes, texts.caption].filter(Boolean)) {
    for (const line of wrapped(text, width, measure)) {
      items.push({ kind: "text", x: MARGIN, y: y + LINE / 2, text: line, fill: "#57606a" });
      y += LINE;
    }
  }
  return { width: width + 2 * MARGIN, height: y + MARGIN - 8, items };
}

function moved(item, dx, dy) {
  // Descriptors, so that what an item works out only when it is painted stays that way.
  const copy = Object.defineProperties({}, Object.getOwnPropertyDescriptors(item));
  if (item.kind === "line") {
    return Object.assign(copy, { x1: item.x1 + dx, x2: item.x2 + dx, y1: item.y1 + dy, y2: item.y2 + dy });
  }
  return Object.assign(copy, { x: item.x + dx, y: item.y + dy });
}

/**
 * Save a drawing, PNG at twice its size or SVG.
 * @param {"png" | "svg"} format
 * @param {import("./scene.js").Scene} scene
 * @param {{title: string, caption: string, notes: string[], stem: string, font: string}} texts
 */
export async function savePicture(format, scene, texts) {
  const paper = onPaper(scene, texts, measurer(texts.font));
  if (format === "svg") {
    const svg = toSvg(paper, { font: texts.font, background: "#ffffff", title: texts.title });
    download(new Blob([svg], { type: "image/svg+xml" }), texts.stem, format);
    return;
  }
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(paper.width * 2);
  canvas.height = Math.round(paper.height * 2);
  const context = canvas.getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.scale(2, 2);
  paint(context, paper.items, texts.font);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  download(blob, texts.stem, format);
}

/**
 * A file name that every file system takes.
 * @param {string} stem
 * @returns {string}
 */
export function safeStem(stem) {
  const safe = stem.replace(/[\\/:*?"<>|\u0000-\u001f\u007f]+/g, "-").replace(/^[.\s-]+|[.\s]+$/g, "");
  return safe.slice(0, 120) || "picture";
}

/**
 * Hand a file to the browser.
 * @param {Blob} blob
 * @param {string} stem
 * @param {string} ending
 */
export function download(blob, stem, ending) {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = `${safeStem(stem)}.${ending}`;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
