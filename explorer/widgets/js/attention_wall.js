// All layers and heads at a glance: the wall of small pictures, and how far every head looks.

import { ordered, weightScale } from "./attention.js";
import { chartLayout, wallLayout } from "./attention_layout.js";
import { createFrame } from "./frame.js";
import { cellCanvas, colorize, enlargedPng } from "./heat.js";
import { floats, formatShort } from "./numbers.js";
import { COVER, outline } from "./photo.js";
import { shortened } from "./scene.js";

const POINTED = "#10151b";
const CHART_HEIGHT = 430;
const DOT = 6;
/** Side of a tile's picture in a file: there may be hundreds of them. */
const SMALL = 300;
/** Tiles of this size have room for the number of their head. */
const NUMBERED = 34;

/**
 * The wall. Its small pictures come from Python, once for a token or a run.
 * @param {HTMLElement} el
 * @param {object} view
 */
export function wallPane(el, view) {
  let layout = null;
  /** @type {HTMLCanvasElement[]} */
  let tiles = [];
  let hover = null;
  const { model } = view;
  const frame = createFrame(el, model, {
    kind: "attention-wall",
    resized: () => pane.redraw(),
    scene: (theme) => ({ width: layout.width, height: layout.height, items: [...still(theme), ...moving(theme)] }),
    texts: () => ({ title: title(), caption: "", stem: view.stem("wall"), notes: notes() }),
  });
  const { stage } = frame;
  stage.tabIndex = 0;
  stage.setAttribute("role", "application");

  const ofToken = () => model.get("wall_kind") === "token";

  function title() {
    if (!ofToken()) return view.label("wall-title-matrix");
    return view.label(`wall-title-${view.direction}`, { token: view.name(model.get("token")) });
  }

  function notes() {
    return [view.label(tiles.length ? (model.get("per_head") ? "wall-note-own" : "wall-note") : "wall-waiting")];
  }

  /** Heads of a layer from left to right. */
  function order(layer) {
    const { heads } = view.run;
    if (model.get("wall_order") === "head") return Array.from({ length: heads }, (_, head) => head);
    return ordered(view.distances.subarray(layer * heads, (layer + 1) * heads));
  }

  function readTiles() {
    const { layers, heads } = view.run;
    const [rows, cols] = model.get("wall_shape");
    const values = floats(model.get("wall"));
    const size = rows * cols;
    tiles = [];
    if (!size || values.length !== layers * heads * size) return;
    for (let layer = 0; layer < layers; layer += 1) {
      for (let head = 0; head < heads; head += 1) {
        const high = view.store.high(layer, head, model.get("per_head"));
        const start = (layer * heads + head) * size;
        const part = values.subarray(start, start + size);
        // A layer whose scale is not known yet stays empty.
        const pixels = Number.isNaN(high)
          ? new Uint8ClampedArray(size * 4)
          : colorize(part, weightScale(high, view.log, ""));
        if (ofToken()) part.forEach((value, at) => value === value || (pixels[at * 4 + 3] = 0));
        tiles.push(cellCanvas(pixels, cols, rows));
      }
    }
  }

  function still(theme) {
    const { layers, heads } = view.run;
    const items = [];
    const photo = ofToken() ? view.smallGrey() : null;
    const label = (x, y, text, more = {}) => items.push({ kind: "text", x, y, text, fill: theme.muted, ...more });
    const right = layout.left + heads * layout.pitch.x;
    label(0, 12, view.label("wall-layer"));
    if (model.get("wall_order") === "head") {
      label(layout.left, 12, view.label("wall-heads"));
      const every = Math.ceil(26 / layout.pitch.x);
      for (let head = 0; head < heads; head += every) {
        label(layout.left + head * layout.pitch.x + layout.tile.width / 2, 36, String(head + 1), { anchor: "middle" });
      }
    } else {
      const half = (right - layout.left) / 2 - 8;
      label(layout.left, 36, shortened(`← ${view.label("wall-nearest")}`, half, frame.measure));
      label(right - 4, 36, shortened(`${view.label("wall-furthest")} →`, half, frame.measure), { anchor: "end" });
    }
    let under;
    for (let layer = 0; layer < layers; layer += 1) {
      const open = layer === view.layer;
      const style = open ? { weight: 700, fill: theme.accent } : {};
      const every = Math.ceil(20 / layout.pitch.y);
      const y = layout.top + layer * layout.pitch.y + layout.tile.height / 2;
      if (layer % every === 0) label(layout.left - 10, y, String(layer + 1), { anchor: "end", ...style });
      order(layer).forEach((head, col) => {
        const box = layout.box(layer, col);
        const cells = tiles[layer * heads + head];
        items.push({ kind: "rect", ...box, fill: theme.line });
        if (photo) items.push({ kind: "image", ...box, source: photo, smooth: true, href: () => (under ??= photo.toDataURL("image/jpeg", 0.9)) });
        if (cells) {
          items.push({ kind: "image", ...box, source: cells, alpha: photo ? COVER + 0.12 : 1, href: () => enlargedPng(cells, SMALL) });
        }
        if (model.get("wall_order") === "distance" && layout.tile.width >= NUMBERED) {
          const text = String(head + 1);
          const width = frame.measure(text, 16, 600) + 6;
          items.push({ kind: "rect", x: box.x, y: box.y, width, height: 19, fill: "#ffffff", alpha: 0.86 });
          items.push({ kind: "text", x: box.x + width / 2, y: box.y + 10, text, anchor: "middle", weight: 600, fill: "#10151b" });
        }
      });
    }
    return items;
  }

  function moving(theme) {
    const items = [];
    const mark = (layer, head, color, width) => {
      const col = order(layer).indexOf(head);
      if (col >= 0) items.push(...outline(layout.box(layer, col), color, width));
    };
    if (view.head >= 0) mark(view.layer, view.head, theme.accent, 3);
    if (hover) mark(hover.layer, hover.head, POINTED, 2);
    return items;
  }

  function headUnder(event) {
    if (!layout) return null;
    const { x, y } = frame.point(event);
    const place = layout.at(x, y);
    return place ? { layer: place.row, head: order(place.row)[place.col] } : null;
  }

  function tell() {
    const about = hover ?? (view.head >= 0 ? { layer: view.layer, head: view.head } : null);
    frame.setReadout(about ? view.aboutHead(about) : view.label("wall-hint"));
  }

  const pane = {
    frame,
    /** Other pictures, or other colours; drawn by the next redraw. */
    refill: readTiles,
    redraw() {
      const { run } = view;
      if (!frame.width || run.tokens < 1) return;
      const [rows, cols] = model.get("wall_shape");
      layout = wallLayout({
        width: frame.width,
        tall: Math.max(420, window.innerHeight - 300),
        layers: run.layers,
        heads: run.heads,
        aspect: rows ? cols / rows : 1,
        gutter: Math.max(frame.measure(view.label("wall-layer")), 30) + 14,
      });
      const theme = frame.theme();
      frame.draw({ width: layout.width, height: layout.height, items: still(theme) });
      frame.setTexts();
      stage.setAttribute("aria-label", view.label("wall-aria", { layers: run.layers, heads: run.heads }));
      pane.paint();
    },
    paint() {
      if (!layout) return;
      frame.drawOver(moving(frame.theme()));
      tell();
    },
  };

  stage.addEventListener("pointermove", (event) => {
    const place = headUnder(event);
    if (place?.layer === hover?.layer && place?.head === hover?.head) return;
    hover = place;
    pane.paint();
  });
  stage.addEventListener("pointerleave", () => {
    hover = null;
    pane.paint();
  });
  stage.addEventListener("click", (event) => {
    const place = headUnder(event);
    if (place) view.choose(place);
  });
  stage.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const { layers, heads } = view.run;
    const col = Math.max(0, order(view.layer).indexOf(view.head));
    const layer = Math.min(layers - 1, Math.max(0, view.wantedLayer() + step[0]));
    const head = order(layer)[Math.min(heads - 1, Math.max(0, col + step[1]))];
    hover = null;
    view.choose({ layer, head });
    frame.say(view.aboutHead({ layer, head }).map((pair) => pair.join(" ")).join(", "));
  });
  return pane;
}

/**
 * How far every head looks: layers to the right, patches upwards, a dot for each head.
 * @param {HTMLElement} el
 * @param {object} view
 */
export function distancePane(el, view) {
  let layout = null;
  let hover = null;
  const frame = createFrame(el, view.model, {
    kind: "attention-distance",
    resized: () => pane.redraw(),
    scene: (theme) => ({ width: layout.width, height: layout.height, items: [...still(theme), ...moving(theme)] }),
    texts: () => ({
      title: view.label("distance-title"),
      caption: view.label("distance-sentence"),
      stem: view.stem("distance"),
      notes: [fact()],
    }),
  });
  const { stage } = frame;
  stage.tabIndex = 0;
  stage.setAttribute("role", "application");

  const distance = (layer, head) => view.distances[layer * view.run.heads + head] ?? NaN;

  /** Who looks furthest in the open layer, in words. */
  function fact() {
    const { heads } = view.run;
    const known = ordered(view.distances.subarray(view.layer * heads, (view.layer + 1) * heads)).filter(
      (head) => !Number.isNaN(distance(view.layer, head)),
    );
    if (known.length < heads || !heads) return view.label("wall-waiting");
    const [near, far] = [known[0], known.at(-1)];
    if (distance(view.layer, far) === 0) return view.label("distance-none");
    const said = (head) => distance(view.layer, head).toFixed(2);
    const values = { layer: view.layer + 1, far: far + 1, most: said(far), near: near + 1, least: said(near) };
    return view.label(heads > 1 ? "distance-fact" : "distance-one", values);
  }

  function dot(layer, head, radius, style) {
    const [x, y] = [layout.x(layer), layout.y(distance(layer, head))];
    return { kind: "rect", x: x - radius, y: y - radius, width: 2 * radius, height: 2 * radius, radius, ...style };
  }

  function still(theme) {
    const { plot, steps } = layout;
    const { layers, heads, uniform } = view.run;
    const items = [];
    const text = (x, y, words, more = {}) => items.push({ kind: "text", x, y, text: words, fill: theme.muted, ...more });
    items.push({
      kind: "rect", x: layout.x(view.layer) - layout.column / 2, y: plot.y, width: layout.column, height: plot.height,
      fill: theme.accent, alpha: 0.08,
    });
    text(0, 12, view.label("distance-axis"));
    for (const step of steps) {
      const y = layout.y(step);
      items.push({ kind: "line", x1: plot.x, x2: plot.x + plot.width, y1: y, y2: y, stroke: theme.line });
      text(plot.x - 10, y, String(step).replace("-", "−"), { anchor: "end" });
    }
    const every = Math.ceil(28 / layout.column);
    for (let layer = 0; layer < layers; layer += 1) {
      const open = layer === view.layer;
      if (layer % every !== 0 && !open) continue;
      const style = open ? { weight: 700, fill: theme.accent } : {};
      text(layout.x(layer), plot.y + plot.height + 16, String(layer + 1), { anchor: "middle", ...style });
    }
    text(plot.x + plot.width, plot.y + plot.height + 42, view.label("distance-layers"), { anchor: "end" });
    if (uniform > 0) {
      const y = layout.y(uniform);
      for (let x = plot.x; x < plot.x + plot.width; x += 10) {
        items.push({ kind: "line", x1: x, x2: Math.min(x + 5, plot.x + plot.width), y1: y, y2: y, stroke: theme.muted });
      }
      const words = view.label("distance-uniform", { distance: formatShort(uniform) });
      text(plot.x, plot.y + plot.height + 42, `- - ${shortened(words, plot.width - 60, frame.measure)}`);
    }
    for (let layer = 0; layer < layers; layer += 1) {
      for (let head = 0; head < heads; head += 1) {
        if (Number.isNaN(distance(layer, head))) continue;
        items.push(dot(layer, head, DOT, { fill: theme.ink, alpha: 0.55 }));
      }
    }
    return items;
  }

  function moving(theme) {
    const items = [];
    const ring = (layer, head, color) => {
      if (head < 0 || Number.isNaN(distance(layer, head))) return;
      items.push(dot(layer, head, DOT + 3, { fill: "#ffffff" }), dot(layer, head, DOT + 1.5, { fill: color }));
    };
    ring(view.layer, view.head, theme.accent);
    if (hover) ring(hover.layer, hover.head, POINTED);
    return items;
  }

  /** The dot nearest to the pointer, where one is near. */
  function headUnder(event) {
    if (!layout) return null;
    const { x, y } = frame.point(event);
    const layer = Math.floor((x - layout.plot.x) / layout.column);
    if (layer < 0 || layer >= view.run.layers) return null;
    let best = null;
    let least = 28;
    for (let head = 0; head < view.run.heads; head += 1) {
      const far = Math.abs(layout.y(distance(layer, head)) - y);
      if (far < least) [best, least] = [{ layer, head }, far];
    }
    return best;
  }

  function tell() {
    const about = hover ?? (view.head >= 0 ? { layer: view.layer, head: view.head } : null);
    frame.setReadout(about ? view.aboutHead(about) : view.label("distance-hint"));
  }

  const pane = {
    frame,
    redraw() {
      const { run } = view;
      if (!frame.width || run.tokens < 1) return;
      const most = view.distances.reduce((high, value) => (value > high ? value : high), run.uniform);
      layout = chartLayout({
        width: frame.width,
        height: CHART_HEIGHT,
        layers: run.layers,
        reach: most > 0 ? most * 1.04 : 1,
        gutter: 44,
      });
      const theme = frame.theme();
      frame.draw({ width: layout.width, height: layout.height, items: still(theme) });
      frame.setTexts();
      stage.setAttribute("aria-label", view.label("distance-aria", { layers: run.layers, heads: run.heads }));
      pane.paint();
    },
    paint() {
      if (!layout) return;
      frame.drawOver(moving(frame.theme()));
      tell();
    },
  };

  stage.addEventListener("pointermove", (event) => {
    const place = headUnder(event);
    if (place?.layer === hover?.layer && place?.head === hover?.head) return;
    hover = place;
    pane.paint();
  });
  stage.addEventListener("pointerleave", () => {
    hover = null;
    pane.paint();
  });
  stage.addEventListener("click", (event) => {
    // What is lit is what opens: a click comes in whole pixels, the moves before it in fractions.
    const place = hover ?? headUnder(event);
    if (place) view.choose(place);
  });
  stage.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!step || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const { layers, heads } = view.run;
    const layer = Math.min(layers - 1, Math.max(0, view.wantedLayer() + step[0]));
    const order = ordered(view.distances.subarray(layer * heads, (layer + 1) * heads));
    const place = view.head < 0 ? 0 : order.indexOf(view.head) + step[1];
    const head = order[Math.min(heads - 1, Math.max(0, place))];
    hover = null;
    view.choose({ layer, head });
    frame.say(view.aboutHead({ layer, head }).map((pair) => pair.join(" ")).join(", "));
  });
  return pane;
}
