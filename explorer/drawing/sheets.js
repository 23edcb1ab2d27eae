// Runs in an empty document, of a browser without a window or of a frame inside the page: shows widgets with their own front ends, and makes sheets of what they draw.

import { escapeXml, measurer, paint, toSvg } from "../widgets/js/scene.js";
import { onSheet } from "./arrange.js";
import { Still } from "./still.js";

/** Frames until a drawing that was given its width has been drawn. */
const FRAMES = 3;

/**
 * @param {{render: (context: {model: any, el: HTMLElement}) => unknown}[]} modules Front ends, by number.
 * @param {object} job
 * @param {string[]} job.styles
 * @param {string} job.language
 * @param {{module: number, state: Record<string, any>}[]} job.views
 * @param {{width: number, height: number, margin: number, caption: string, title: string, body: object,
 *   formats: string[]}[]} job.sheets
 * @param {number} job.scale Pixels of a PNG in a unit of its sheet.
 * @returns {Promise<Record<string, string>[]>} For each sheet its files: SVG as it is, PNG in base64.
 */
async function draw(modules, job) {
  document.documentElement.lang = job.language;
  document.head.append(styled(job.styles.join("\n")));
  const page = document.createElement("div");
  page.className = "vx vx-page";
  document.body.append(page);
  const settled = watchPictures();
  // A large matrix is worked out in slices of time, to keep a page fluent; here nobody waits for anything else.
  performance.now = () => 0;

  const hosts = job.views.map(({ module, state }) => {
    const host = page.appendChild(document.createElement("div"));
    modules[module].render({ model: new Still(state), el: host });
    return host;
  });
  const leaves = job.sheets.flatMap(({ body }) => partsOf(body));
  for (const leaf of leaves) {
    leaf.root = hosts[leaf.view].querySelector(leaf.select || ".vxw, .vx-pipe");
    if (!leaf.root) throw new Error(`no drawing ${leaf.select} in view ${leaf.view}`);
    Object.assign(leaf.root.style, { width: `${leaf.width}px`, maxWidth: "none" });
  }
  await settled();
  for (const leaf of leaves) leaf.drawn = drawnBy(leaf);

  const font = getComputedStyle(page).fontFamily;
  const files = [];
  for (const sheet of job.sheets) files.push(await filesOf(onSheet(sheet.body, sheet, measurer(font)), sheet, job, font));
  return files;
}

function styled(css) {
  const style = document.createElement("style");
  style.textContent = css;
  return style;
}

/** Counts pictures that are being decoded; what it gives waits for them, and for what is drawn of them. */
function watchPictures() {
  let pending = 0;
  const decode = window.createImageBitmap.bind(window);
  window.createImageBitmap = async (...given) => {
    pending += 1;
    try {
      return await decode(...given);
    } finally {
      pending -= 1;
    }
  };
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  return async () => {
    let still = 0;
    while (still < FRAMES) {
      await frame();
      still = pending ? 0 : still + 1;
    }
  };
}

function partsOf(node) {
  if (node.kind === "part") return [node];
  return (node.children ?? []).flatMap(partsOf);
}

/** Ask a front end for what it draws, as its own buttons save it. */
function drawnBy({ root, title, notes, caption, width, view }) {
  let answer = null;
  root.dispatchEvent(new CustomEvent("vxw-scene", { detail: (scene, texts) => (answer = { scene, texts }) }));
  if (!answer) throw new Error(`view ${view} did not draw anything`);
  const { scene, texts } = answer;
  const said = [...(notes ? (texts.notes ?? []) : []), caption ? (texts.caption ?? "") : ""];
  return { scene, width, title: title ?? texts.title ?? "", notes: said };
}

async function filesOf(drawing, sheet, { scale, language }, font) {
  const files = {};
  if (sheet.formats.includes("svg")) {
    const svg = toSvg(drawing, { font, background: "#ffffff", title: sheet.title });
    const insets = drawing.insets.map(nested).join("\n");
    files.svg = `${svg.replace("<svg ", `<svg xml:lang="${escapeXml(language)}" `).slice(0, -"</svg>".length)}${insets}</svg>`;
  }
  if (sheet.formats.includes("png")) files.png = await png(drawing, scale, font);
  return files;
}

/** A drawing that is an SVG already, in its place in another one. */
function nested({ x, y, width, height, svg }) {
  const host = document.body.appendChild(document.createElement("div"));
  // Made by one of our own front ends, which escapes whatever comes from a user.
  host.innerHTML = svg;
  const root = host.firstElementChild;
  for (const text of root.querySelectorAll("text")) if (text.querySelector("tspan")) unravel(text);
  for (const [name, value] of Object.entries({ x, y, width, height })) root.setAttribute(name, String(value));
  host.remove();
  return new XMLSerializer().serializeToString(root);
}

/** A text of several pieces as texts of one piece each: not all programs agree with browsers on where pieces stand. */
function unravel(text) {
  let at = 0;
  for (const piece of text.childNodes) {
    const words = piece.textContent;
    // A space in front would be left out.
    const first = words.search(/[^\s\u200b]/);
    if (first >= 0) {
      const { x, y } = text.getStartPositionOfChar(at + first);
      const alone = text.cloneNode(false);
      for (const { name, value } of piece.attributes ?? []) if (name !== "dx" && name !== "dy") alone.setAttribute(name, value);
      alone.removeAttribute("text-anchor");
      alone.setAttribute("x", x.toFixed(2));
      alone.setAttribute("y", y.toFixed(2));
      alone.textContent = words.slice(first);
      text.before(alone);
    }
    at += words.length;
  }
  text.remove();
}

async function png(drawing, scale, font) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(drawing.width * scale);
  canvas.height = Math.round(drawing.height * scale);
  const context = canvas.getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.scale(scale, scale);
  paint(context, drawing.items, font);
  for (const { x, y, width, height, svg } of drawing.insets) {
    const picture = new Image();
    // Drawn at its final size: enlarged afterwards, its letters would be soft.
    const sized = svg.replace(/ width="[^"]*" height="[^"]*"/, ` width="${width * scale}" height="${height * scale}"`);
    picture.src = URL.createObjectURL(new Blob([sized], { type: "image/svg+xml" }));
    await picture.decode();
    context.drawImage(picture, x, y, width, height);
    URL.revokeObjectURL(picture.src);
  }
  return canvas.toDataURL("image/png").slice("data:image/png;base64,".length);
}

export default { draw };
