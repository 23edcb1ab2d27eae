// Boxes, arrows, strips and symbols of the pipeline's drawing, as pieces of SVG.

import { colorOf } from "./colors.js";
import { escapeXml, wrapped } from "./scene.js";

const TITLE = 19;
export const TEXT = 18;
const MATH = "'STIX Two Text', 'Cambria', 'Times New Roman', 'Nimbus Roman', 'Liberation Serif', 'DejaVu Serif', serif";
/** Upper edge of the upper row; its titles stand above. */
export const TOP = 58;

/**
 * A symbol: letters bold italic as on the slides, `_{}` below, `^{}` above the line.
 * @param {string} source Such as `x_{p}E`.
 * @param {number} size
 * @returns {string} `<tspan>` elements.
 */
export function symbol(source, size) {
  const parts = [];
  let shift = 0;
  for (const [, mark, inner, plain] of source.matchAll(/([_^])\{([^}]*)\}|([^_^]+)/g)) {
    const small = mark !== undefined;
    const wanted = mark === "_" ? size * 0.22 : mark === "^" ? -size * 0.36 : 0;
    const attributes =
      ` font-size="${small ? Math.round(size * 0.74) : size}"` +
      (wanted === shift ? "" : ` dy="${number(wanted - shift)}"`) +
      ` font-family="${MATH}" font-style="italic"${small ? "" : ' font-weight="700"'}`;
    parts.push(`<tspan${attributes}>${escapeXml(small ? inner : plain)}</tspan>`);
    shift = wanted;
  }
  // Back to the line, so that what follows in the same text stands right.
  if (shift) parts.push(`<tspan dy="${number(-shift)}">\u200b</tspan>`);
  return parts.join("");
}

/**
 * Small parts of the drawing, in the page's colours.
 * @param {import("./pipeline.js").Theme} theme
 * @param {(text: string, size?: number, weight?: number) => number} measure
 */
export function shapes(theme, measure) {
  const place = (x, y) => `x="${number(x)}" y="${number(y)}"`;
  // Subscripts within a text, as in `D_{mlp}`; for our own strings, not for names that others gave.
  const lowered = (text, size) =>
    escapeXml(text).replace(/_\{([^}]*)\}/g, (whole, inner) => {
      const down = number(size * 0.24);
      return `<tspan dy="${down}" font-size="${Math.round(size * 0.76)}">${inner}</tspan><tspan dy="${-down}">\u200b</tspan>`;
    });
  const draw = {
    width: measure,
    sizes(x, y, text, size = 17) {
      return `<text ${place(x, y + size * 0.35)} font-size="${size}" text-anchor="middle" fill="${theme.ink}">${lowered(text, size)}</text>`;
    },
    text(x, y, text, { size = TEXT, weight = 400, anchor = "start", fill = theme.ink } = {}) {
      return (
        `<text ${place(x, y + size * 0.35)} font-size="${size}" font-weight="${weight}" text-anchor="${anchor}" ` +
        `fill="${fill}">${escapeXml(text)}</text>`
      );
    },
    math(x, y, source, size) {
      return `<text ${place(x, y + size * 0.32)} text-anchor="middle" fill="${theme.ink}">${symbol(source, size)}</text>`;
    },
    // A title of one or two lines, standing on the same line as its neighbours'.
    title(x, width, text, badge, anchor = "start") {
      const indent = badge === null ? 0 : 34;
      const lines = wrapped(text, width - (anchor === "middle" ? 0 : indent), measure, TITLE, 600).slice(0, 2);
      const left = anchor === "middle" ? x + width / 2 : x + indent;
      const items = lines.map((line, index) => {
        const y = TOP - 22 - (lines.length - 1 - index) * 23;
        return draw.text(left, y, line, { size: TITLE, weight: 600, anchor });
      });
      if (badge !== null) {
        const at = anchor === "middle" ? left - Math.max(...lines.map((line) => measure(line, TITLE, 600))) / 2 - 18 : x + 13;
        items.push(draw.badge(at, TOP - 22 - (lines.length - 1) * 11.5, badge));
      }
      return items.join("");
    },
    // A symbol and the shape of its array; the shape below the symbol where both do not fit side by side.
    label(x, y, source, size, room = 220) {
      const shape = `<tspan font-weight="650">${escapeXml(size)}</tspan>`;
      const together = measure(size, TEXT, 650) + measure(source.replace(/[_^{}]/g, ""), 21, 700) + 12;
      if (source && together > room) {
        return draw.math(x, y - 8, source, 21) + `<text ${place(x, y + 22)} font-size="${TEXT}" text-anchor="middle" fill="${theme.ink}">${shape}</text>`;
      }
      const gap = source ? '<tspan dx="9">\u200b</tspan>' : "";
      return (
        `<text ${place(x, y + 6)} font-size="${TEXT}" text-anchor="middle" fill="${theme.ink}">` +
        `${source ? symbol(source, 21) : ""}${gap}${shape}</text>`
      );
    },
    rowName(x, y, row) {
      if (row.kind === "gap") return "";
      const strong = row.kind === "prefix" || row.picked;
      return draw.text(x, y, row.name, { size: 16, weight: strong ? 700 : 400, anchor: "end", fill: strong ? theme.accent : theme.muted });
    },
    image(x, y, width, height, href, smooth, radius) {
      if (!href) return draw.frame(x, y, width, height, radius, theme.line);
      const box = `${place(x, y)} width="${number(width)}" height="${number(height)}"`;
      const round = radius ? ` clip-path="inset(0 round ${radius}px)"` : "";
      return `<image ${box} preserveAspectRatio="none"${round}${smooth ? "" : ' style="image-rendering:pixelated"'} href="${href}"/>`;
    },
    strip(x, y, width, height, values, scale) {
      const cell = width / Math.max(values.length, 1);
      let cells = "";
      for (let index = 0; index < values.length; index += 1) {
        const [red, green, blue] = colorOf(scale, values[index]);
        // Half a unit wider than its cell, so that no hairline shows between two.
        const wide = index === values.length - 1 ? cell : cell + 0.5;
        cells += `<rect x="${number(x + index * cell)}" y="${number(y)}" width="${number(wide)}" height="${number(height)}" fill="rgb(${red},${green},${blue})"/>`;
      }
      return `${cells}<rect ${place(x, y)} width="${number(width)}" height="${number(height)}" fill="none" stroke="${theme.line}"/>`;
    },
    frame(x, y, width, height, radius, color = theme.accent) {
      return `<rect ${place(x, y)} width="${number(width)}" height="${number(height)}" rx="${radius}" fill="none" stroke="${color}" stroke-width="2.5"/>`;
    },
    box(x, y, width, height) {
      return `<rect class="vx-pipe-box" ${place(x, y)} width="${number(width)}" height="${number(height)}" rx="9" fill="${theme.surface}" stroke="${theme.ink}" stroke-width="1.8"/>`;
    },
    panel(x, y, width, height) {
      return `<rect ${place(x, y)} width="${width}" height="${height}" rx="14" fill="${theme.page}" stroke="${theme.line}" stroke-width="1.5"/>`;
    },
    badge(x, y, text) {
      return `<circle cx="${number(x)}" cy="${number(y)}" r="13" fill="${theme.accent}"/>` + draw.text(x, y, String(text), { size: 17, weight: 700, anchor: "middle", fill: "#ffffff" });
    },
    pill(x, y, text) {
      const width = measure(text, TEXT, 650) + 26;
      return (
        `<rect ${place(x - 13, y - 16)} width="${number(width)}" height="32" rx="16" fill="${theme.soft}"/>` +
        draw.text(x, y, text, { weight: 650, fill: theme.accent })
      );
    },
    path(d) {
      return `<path d="${d}" fill="none" stroke="${theme.muted}" stroke-width="2" stroke-linejoin="round"/>`;
    },
    head(x, y, down = false) {
      const points = down ? [[x, y], [x - 6, y - 10], [x + 6, y - 10]] : [[x, y], [x - 10, y - 6], [x - 10, y + 6]];
      return `<path d="M${points.map((point) => point.map(number).join(" ")).join("L")}Z" fill="${theme.muted}"/>`;
    },
    arrow(x1, y1, x2, y2, bare = false) {
      const down = y2 > y1;
      const line = draw.path(`M${number(x1)} ${number(y1)}L${number(down || bare ? x2 : x2 - 6)} ${number(down ? y2 - 6 : y2)}`);
      return bare ? line : line + draw.head(x2, y2, down);
    },
    bypass(x, y, to, top) {
      return draw.path(`M${x} ${y}V${top + 10}Q${x} ${top} ${x + 10} ${top}H${to - 10}Q${to} ${top} ${to} ${top + 10}V${y - 22}`) + draw.head(to, y - 14, true) + `<circle cx="${x}" cy="${y}" r="3.5" fill="${theme.muted}"/>`;
    },
    plus(x, y) {
      return `<circle cx="${x}" cy="${y}" r="15" fill="${theme.surface}" stroke="${theme.ink}" stroke-width="1.8"/><path d="M${x - 8} ${y}H${x + 8}M${x} ${y - 8}V${y + 8}" stroke="${theme.ink}" stroke-width="1.8"/>`;
    },
    sign(x, y, text) {
      return draw.text(x, y, text, { size: 30, anchor: "middle", fill: theme.muted });
    },
    dots(x, y) {
      return [-7, 0, 7].map((step) => `<circle cx="${number(x)}" cy="${number(y + step)}" r="2.2" fill="${theme.muted}"/>`).join("");
    },
  };
  return draw;
}

/** A coordinate, with as many digits as can be seen. */
export function number(value) {
  return Math.round(value * 100) / 100;
}
