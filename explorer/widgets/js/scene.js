// A drawing as a list of plain items, painted on a canvas or written as SVG: what one saves is what one sees.

/**
 * @typedef {object} Item
 * @property {"rect" | "line" | "text" | "image"} kind
 * @property {[number, number]} [crop] Of an image, how much is shown of its source's width and height.
 * @typedef {{width: number, height: number, items: object[]}} Scene
 */

/** Text size of everything that is drawn: readable from the back row. */
export const TEXT_SIZE = 16;

const HATCH = 7;

// A word, or one character of a script without spaces; with an opening bracket before it, and the punctuation and the
// space after it.
const PIECES =
  /[（「『]*(?:[\u3000-\u9fff\uff00-\uffef]|[^\s\u3000-\u9fff\uff00-\uffef]+)[、。，．）」』ー]*\s*|\s+/g;

/**
 * Paint items on a 2-D context.
 * @param {CanvasRenderingContext2D} context In units of CSS pixels.
 * @param {object[]} items
 * @param {string} font Font families.
 */
export function paint(context, items, font) {
  for (const item of items) {
    context.globalAlpha = item.alpha ?? 1;
    if (item.kind === "rect") paintRect(context, item);
    else if (item.kind === "line") paintLine(context, item);
    else if (item.kind === "text") paintText(context, item, font);
    else if (item.kind === "image") {
      context.imageSmoothingEnabled = item.smooth === true;
      context.imageSmoothingQuality = "high";
      const { source, x, y, width, height } = item;
      const [wide, high] = item.crop ?? [source.width, source.height];
      context.drawImage(source, 0, 0, wide, high, x, y, width, height);
    }
  }
  context.globalAlpha = 1;
}

function paintRect(context, item) {
  context.beginPath();
  if (item.radius) context.roundRect(item.x, item.y, item.width, item.height, item.radius);
  else context.rect(item.x, item.y, item.width, item.height);
  if (item.fill) {
    context.fillStyle = item.fill;
    context.fill();
  }
  if (item.hatch) {
    context.save();
    context.clip();
    context.strokeStyle = item.hatch;
    context.lineWidth = 1.25;
    context.beginPath();
    for (let at = item.x - item.height; at < item.x + item.width; at += HATCH) {
      context.moveTo(at, item.y + item.height);
      context.lineTo(at + item.height, item.y);
    }
    context.stroke();
    context.restore();
  }
  if (item.stroke) {
    context.strokeStyle = item.stroke;
    context.lineWidth = item.lineWidth ?? 1;
    context.stroke();
  }
}

function paintLine(context, item) {
  context.strokeStyle = item.stroke;
  context.lineWidth = item.lineWidth ?? 1;
  context.beginPath();
  context.moveTo(item.x1, item.y1);
  context.lineTo(item.x2, item.y2);
  context.stroke();
}

function paintText(context, item, font) {
  context.font = `${item.weight ?? 400} ${item.size ?? TEXT_SIZE}px ${font}`;
  context.fillStyle = item.fill;
  context.textAlign = item.anchor === "middle" ? "center" : (item.anchor ?? "start");
  context.textBaseline = "alphabetic";
  // Baselines differ between fonts and browsers; a third of the size below the middle looks centred in all of them.
  context.fillText(item.text, item.x, item.y + (item.size ?? TEXT_SIZE) * 0.35);
}

/**
 * A function that measures texts.
 * @param {string} font Font families.
 * @returns {(text: string, size?: number, weight?: number) => number}
 */
export function measurer(font) {
  const context = document.createElement("canvas").getContext("2d");
  const known = new Map();
  return (text, size = TEXT_SIZE, weight = 400) => {
    const key = `${weight} ${size} ${text}`;
    let width = known.get(key);
    if (width === undefined) {
      context.font = `${weight} ${size}px ${font}`;
      width = context.measureText(text).width;
      if (known.size > 5000) known.clear();
      known.set(key, width);
    }
    return width;
  };
}

/**
 * Cut a text so that it fits, with an ellipsis where something was left out.
 * @param {string} text
 * @param {number} width
 * @param {(text: string, size?: number, weight?: number) => number} measure
 * @param {number} [size]
 * @param {number} [weight]
 * @returns {string}
 */
export function shortened(text, width, measure, size = TEXT_SIZE, weight = 400) {
  if (measure(text, size, weight) <= width) return text;
  const characters = Array.from(text);
  let [fits, over] = [0, characters.length];
  while (over - fits > 1) {
    const middle = (fits + over) >> 1;
    if (measure(`${characters.slice(0, middle).join("")}…`, size, weight) <= width) fits = middle;
    else over = middle;
  }
  return `${characters.slice(0, fits).join("").trimEnd()}…`;
}

/**
 * Break a text into lines. Scripts without spaces (Japanese) may break between any two characters.
 * @param {string} text
 * @param {number} width
 * @param {(text: string, size?: number, weight?: number) => number} measure
 * @param {number} [size]
 * @param {number} [weight]
 * @returns {string[]}
 */
export function wrapped(text, width, measure, size = TEXT_SIZE, weight = 400) {
  const lines = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const piece of paragraph.match(PIECES) ?? []) {
      if (line && measure((line + piece).trimEnd(), size, weight) > width) {
        lines.push(line.trimEnd());
        line = piece.trimStart();
      } else line += piece;
    }
    lines.push(line.trimEnd());
  }
  return lines;
}

/**
 * @param {string} text
 * @returns {string} Safe inside XML text and attributes; characters that XML has no place for are left out.
 */
export function escapeXml(text) {
  const names = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  const legal = String(text).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "");
  return legal.replace(/[&<>"']/g, (sign) => names[sign]);
}

/**
 * A scene as an SVG file that needs nothing else.
 * @param {Scene} scene
 * @param {{font: string, background?: string, title?: string}} options
 * @returns {string}
 */
export function toSvg(scene, options) {
  const width = round(scene.width);
  const height = round(scene.height);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
      `font-family="${escapeXml(options.font)}">`,
  ];
  if (options.title) parts.push(`<title>${escapeXml(options.title)}</title>`);
  const hatches = [...new Set(scene.items.map((item) => item.hatch).filter(Boolean))];
  hatches.forEach((color, index) => {
    parts.push(
      `<defs><pattern id="hatch${index}" width="${HATCH}" height="${HATCH}" patternUnits="userSpaceOnUse">` +
        `<path d="M0 ${HATCH}L${HATCH} 0" stroke="${color}" stroke-width="1.25"/></pattern></defs>`,
    );
  });
  if (options.background) parts.push(`<rect width="${width}" height="${height}" fill="${options.background}"/>`);
  for (const item of scene.items) parts.push(svgItem(item, hatches));
  parts.push("</svg>");
  return parts.join("\n");
}

function svgItem(item, hatches) {
  const alpha = item.alpha === undefined ? "" : ` opacity="${item.alpha}"`;
  if (item.kind === "line") {
    const ends = `x1="${round(item.x1)}" y1="${round(item.y1)}" x2="${round(item.x2)}" y2="${round(item.y2)}"`;
    return `<line ${ends} stroke="${escapeXml(item.stroke)}" stroke-width="${item.lineWidth ?? 1}"${alpha}/>`;
  }
  if (item.kind === "text") {
    const size = item.size ?? TEXT_SIZE;
    const anchor = item.anchor && item.anchor !== "start" ? ` text-anchor="${item.anchor}"` : "";
    const weight = item.weight ? ` font-weight="${item.weight}"` : "";
    const place = `x="${round(item.x)}" y="${round(item.y + size * 0.35)}" font-size="${size}"`;
    return `<text ${place}${anchor}${weight} fill="${escapeXml(item.fill)}"${alpha}>${escapeXml(item.text)}</text>`;
  }
  const box = `x="${round(item.x)}" y="${round(item.y)}" width="${round(item.width)}" height="${round(item.height)}"`;
  if (item.kind === "image") {
    const style = item.smooth ? "" : ' style="image-rendering:pixelated"';
    const rest = `preserveAspectRatio="none"${style}${alpha} href="${item.href()}"/>`;
    if (!item.crop) return `<image ${box} ${rest}`;
    const [wide, high] = item.crop.map(round);
    const all = `width="${item.source.width}" height="${item.source.height}"`;
    return `<svg ${box} viewBox="0 0 ${wide} ${high}" preserveAspectRatio="none"><image ${all} ${rest}</svg>`;
  }
  const radius = item.radius ? ` rx="${item.radius}"` : "";
  const stroke = item.stroke ? ` stroke="${escapeXml(item.stroke)}" stroke-width="${item.lineWidth ?? 1}"` : "";
  const rect = `<rect ${box}${radius} fill="${escapeXml(item.fill ?? "none")}"${stroke}${alpha}/>`;
  if (!item.hatch) return rect;
  return `${rect}\n<rect ${box}${radius} fill="url(#hatch${hatches.indexOf(item.hatch)})"${alpha}/>`;
}

function round(value) {
  return Math.round(value * 100) / 100;
}
