// One token's attention on the photo, large; and in every head of the layer, small. What changes under the pointer is
// painted on the upper canvas alone.

import { MEAN, ROLLOUT } from "./attention.js";
import { stripLayout } from "./attention_layout.js";
import { colorOf, cssColor } from "./colors.js";
import { createFrame } from "./frame.js";
import { cellCanvas, colorize, enlargedPng } from "./heat.js";
import { COVER, chipItems, gridLines, nextToken, outline, photoBar, photoLayout } from "./photo.js";

const KEY_COLOR = "#10151b";

/**
 * Weights of tokens as one pixel a patch of the photo; a patch that was dropped lets the photo through.
 * @param {Float32Array} weights (tokens)
 * @param {import("./colors.js").Scale} scale
 * @param {ReturnType<typeof import("./attention_layout.js").placesOf>} places
 * @returns {Uint8ClampedArray}
 */
export function photoPixels(weights, scale, places) {
  const colors = new Uint32Array(colorize(weights, scale).buffer);
  const pixels = new Uint32Array(places.count);
  const { prefix, of } = places;
  for (let patch = 0; patch < of.length; patch += 1) pixels[of[patch]] = colors[prefix + patch];
  return new Uint8ClampedArray(pixels.buffer);
}

/** The greyscale of the photo as an item, with its colours over it. */
function overlaid(box, cells) {
  return { kind: "image", ...box, source: cells, alpha: COVER, href: () => enlargedPng(cells) };
}

function photoHref(source) {
  const canvas = document.createElement("canvas");
  canvas.width = source.width;
  canvas.height = source.height;
  canvas.getContext("2d").drawImage(source, 0, 0);
  return canvas.toDataURL("image/jpeg", 0.92);
}

/**
 * The large photo: pointing, touching and the arrow keys choose the token.
 * @param {HTMLElement} el
 * @param {object} view
 */
export function photoPane(el, view) {
  let layout = null;
  const frame = createFrame(el, view.model, {
    kind: "attention-photo",
    resized: () => pane.redraw(),
    scene: (theme) => ({
      width: layout.width,
      height: layout.height,
      items: [...still(theme), ...moving(theme)],
    }),
    texts: () => ({
      title: view.title(),
      caption: "",
      stem: view.stem("photo", { layer: true, head: true }),
      notes: view.scaleNotes(),
    }),
  });
  const { stage } = frame;
  const title = frame.root.querySelector(".vxw-title");
  stage.tabIndex = 0;
  stage.setAttribute("role", "application");

  function still(theme) {
    const { photo } = layout;
    const items = [{ kind: "rect", ...photo, fill: theme.line }];
    const grey = view.grey();
    if (grey) items.push({ kind: "image", ...photo, source: grey, smooth: true, href: () => photoHref(grey) });
    items.push(...photoBar(layout, view.scale(view.head), theme, frame.measure));
    return items;
  }

  function moving(theme) {
    const { run, places } = view;
    const scale = view.scale(view.head);
    const weights = view.open();
    const items = [];
    if (weights && scale) {
      items.push(overlaid(layout.photo, cellCanvas(photoPixels(weights, scale, places), run.grid[1], run.grid[0])));
    }
    items.push(...gridLines(layout, run.grid, weights !== null));
    for (const place of places.dropped) {
      const box = boxOf(place);
      items.push({ kind: "rect", ...box, fill: "#c3c8ce", alpha: 0.88 }, { kind: "rect", ...box, hatch: "#8a929b" });
    }
    items.push(...chipItems(layout, run.prefix, (token) => weights?.[token] ?? NaN, scale, theme));
    const width = layout.cell.width < 14 ? 2 : 3;
    const marked = (token, color, thickness) =>
      outline(boxOf(places.at(token)), color, thickness, token < places.prefix ? 7 : 0);
    if (view.partner >= 0 && view.partner !== view.token) items.push(...marked(view.partner, KEY_COLOR, 1.5));
    if (view.token >= 0) items.push(...marked(view.token, theme.accent, width));
    return items;
  }

  /** @param {number} place On the grid, or before it: −prefix … −1 for the prefix tokens. */
  function boxOf(place) {
    if (place < 0) return layout.chips[place + view.places.prefix];
    const { photo, cell } = layout;
    const cols = view.run.grid[1];
    return { x: photo.x + (place % cols) * cell.width, y: photo.y + Math.floor(place / cols) * cell.height, ...cell };
  }

  function tokenUnder(event) {
    if (!layout) return -1;
    const { x, y } = frame.point(event);
    const inside = (box) => x >= box.x && y >= box.y && x < box.x + box.width && y < box.y + box.height;
    const chip = layout.chips.findIndex(inside);
    if (chip >= 0) return chip;
    if (!inside(layout.photo)) return -1;
    const [rows, cols] = view.run.grid;
    const row = Math.min(rows - 1, Math.floor((y - layout.photo.y) / layout.cell.height));
    const col = Math.min(cols - 1, Math.floor((x - layout.photo.x) / layout.cell.width));
    return view.places.token(row * cols + col);
  }

  const pane = {
    frame,
    redraw() {
      const { run } = view;
      if (!frame.width || run.tokens < 1 || run.grid[0] < 1) return;
      const scale = view.scale(view.head);
      layout = photoLayout({
        width: frame.width,
        grid: run.grid,
        prefixNames: run.prefix,
        maxSize: view.tall(),
        ratio: frame.ratio,
        // Room for the colour bar also before its numbers are known: nothing moves when they come.
        scale: scale ?? { low: 0, high: 0.0123, colormap: "sequential", log: false, label: view.label("scale-label") },
        beyond: { below: view.log, above: true },
        measure: frame.measure,
      });
      const theme = frame.theme();
      const { width, height } = layout;
      frame.draw({ width, height, items: still(theme) });
      // Where the photo lies, for whoever drives the page without seeing it.
      stage.dataset.photo = JSON.stringify(layout.photo);
      frame.setTexts();
      stage.setAttribute("aria-label", view.label("photo-aria", { rows: run.grid[0], cols: run.grid[1] }));
      pane.paint();
    },
    /** What follows the pointer. */
    paint() {
      if (!layout) return;
      frame.drawOver(moving(frame.theme()));
      title.textContent = view.title();
      frame.setReadout(view.readout());
    },
  };

  stage.addEventListener("pointermove", (event) => view.preview(tokenUnder(event)));
  stage.addEventListener("pointerleave", () => view.preview(-1));
  stage.addEventListener("click", (event) => {
    const token = tokenUnder(event);
    if (token >= 0) view.choose({ token });
  });
  stage.addEventListener("keydown", (event) => {
    const { run, places } = view;
    const at = places.at(view.token) + places.prefix;
    const there = (number) => number < places.prefix || places.token(number - places.prefix) >= 0;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      view.choose({ token: view.token });
      return;
    }
    const next = nextToken(event, at, places.prefix, run.grid, there);
    if (next === null) return;
    event.preventDefault();
    event.stopPropagation();
    view.walk(next < places.prefix ? next : places.token(next - places.prefix));
    frame.say(view.spoken());
  });
  return pane;
}

/**
 * Every head of the layer, the mean over them, and the rollout: small photos that answer together.
 * @param {HTMLElement} el
 * @param {object} view
 */
export function stripPane(el, view) {
  let layout = null;
  let hover = -1;
  const heads = () => [
    ...Array.from({ length: view.run.heads }, (_, head) => head),
    MEAN,
    ...(view.run.rollout ? [ROLLOUT] : []),
  ];
  const frame = createFrame(el, view.model, {
    kind: "attention-strip",
    resized: () => pane.redraw(),
    scene: (theme) => ({ ...layout, items: [...still(theme), ...moving(theme)] }),
    texts: () => ({
      title: view.stripTitle(),
      caption: "",
      stem: view.stem("heads", { layer: true }),
      notes: view.scaleNotes(),
    }),
  });
  const { stage } = frame;
  stage.tabIndex = 0;
  stage.setAttribute("role", "application");

  function still(theme) {
    const grey = view.smallGrey();
    const items = [];
    heads().forEach((head, index) => {
      const { photo, caption } = layout.tiles[index];
      items.push({ kind: "rect", ...photo, fill: theme.line });
      if (grey) items.push({ kind: "image", ...photo, source: grey, smooth: true, href: () => photoHref(grey) });
      const open = head === view.head;
      const ink = open ? theme.accent : theme.ink;
      items.push({ kind: "text", ...caption, text: view.headName(head), anchor: "middle", weight: open ? 700 : 400, fill: ink });
    });
    return items;
  }

  function moving(theme) {
    const { run, places } = view;
    const items = [];
    heads().forEach((head, index) => {
      const { photo, prefix } = layout.tiles[index];
      const scale = view.scale(head);
      const weights = view.open(head);
      if (weights && scale) {
        items.push(overlaid(photo, cellCanvas(photoPixels(weights, scale, places), run.grid[1], run.grid[0])));
        prefix.forEach((box, token) => {
          items.push({ kind: "rect", ...box, fill: cssColor(colorOf(scale, weights[token])) });
        });
      }
      if (head === view.head) items.push(...outline(photo, theme.accent, 3));
      else if (index === hover) items.push(...outline(photo, KEY_COLOR, 1.5));
    });
    return items;
  }

  function tileUnder(event) {
    if (!layout) return -1;
    const { x, y } = frame.point(event);
    return layout.tiles.findIndex(({ box }) => x >= box.x && y >= box.y && x < box.x + box.width && y < box.y + box.height);
  }

  /** The token at a place of a small photo. */
  function keyUnder(event, tile) {
    const { x, y } = frame.point(event);
    const { photo } = layout.tiles[tile];
    const [rows, cols] = view.run.grid;
    const row = Math.floor(((y - photo.y) / photo.height) * rows);
    const col = Math.floor(((x - photo.x) / photo.width) * cols);
    return row >= 0 && col >= 0 && row < rows && col < cols ? view.places.token(row * cols + col) : -1;
  }

  const pane = {
    frame,
    redraw() {
      const { run } = view;
      if (!frame.width || run.tokens < 1 || run.grid[0] < 1) return;
      layout = stripLayout({
        width: frame.width,
        count: heads().length,
        grid: run.grid,
        prefix: run.prefix.length,
        ratio: frame.ratio,
        widest: Math.max(...heads().map((head) => frame.measure(view.headName(head), 16, 700))),
      });
      const theme = frame.theme();
      frame.draw({ width: layout.width, height: layout.height, items: still(theme) });
      frame.setTexts();
      stage.setAttribute("aria-label", view.label("strip-aria"));
      pane.paint();
    },
    paint() {
      if (layout) frame.drawOver(moving(frame.theme()));
    },
  };

  stage.addEventListener("pointermove", (event) => {
    const tile = tileUnder(event);
    const key = tile < 0 ? -1 : keyUnder(event, tile);
    hover = tile;
    view.compare(tile < 0 ? null : heads()[tile], key);
  });
  stage.addEventListener("pointerleave", () => {
    hover = -1;
    view.compare(null, -1);
  });
  stage.addEventListener("click", (event) => {
    const tile = tileUnder(event);
    if (tile >= 0) view.choose({ head: heads()[tile] });
  });
  stage.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const all = heads();
    const index = Math.min(all.length - 1, Math.max(0, all.indexOf(view.head) + step));
    view.choose({ head: all[index] });
    frame.say(view.title());
  });
  return pane;
}
