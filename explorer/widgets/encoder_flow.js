// Vectors of one token under each other, and at the arrows between them what is done.

import { beyondScale, binned, cellCanvas, colorize, enlargedPng, extent } from "./js/heat.js";
import { lookup } from "./js/colors.js";
import { createFrame, stepped, watch } from "./js/frame.js";
import { floats, formatExact, formatShort } from "./js/numbers.js";
import { shortened, wrapped } from "./js/scene.js";

const TITLE = 28;
const STRIP = 34;
const PIECES = 24;
const GAP = 12;
const LINE = 24;
const BAR = 90;

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const frame = createFrame(el, model, {
    kind: "flow",
    resized: () => redraw(),
    scene: (theme) => {
      const drawing = scene(theme);
      return { ...drawing, items: [...drawing.items, ...marks(theme)] };
    },
    texts,
  });
  const { stage } = frame;
  stage.tabIndex = 0;
  stage.setAttribute("role", "application");

  let strips = [];
  let height = 0;
  let hover = null;
  let current = 0;
  let clicks = 0;
  let fewer = 1;

  function texts() {
    const { stem } = model.get("heading");
    const notes = fewer > 1 ? [frame.label("binned_max", { rows: 1, cols: fewer })] : [];
    return { title: "", caption: "", stem, notes };
  }

  /** Where everything lies at this width, and the pictures of the strips. */
  function layOut() {
    const values = floats(model.get("values"));
    let [y, from] = [0, 0];
    fewer = 1;
    strips = [];
    for (const item of model.get("items")) {
      if (item.kind === "arrow") {
        item.lines = wrapped(item.text, frame.width - 46, frame.measure, 17, 500);
        item.y = y;
        y += Math.max(1, item.lines.length) * LINE + GAP;
        continue;
      }
      const own = values.subarray(from, from + item.length);
      from += item.length;
      // Where the screen has fewer pixels than there are numbers, several share one: none is left out.
      const step = Math.max(1, Math.ceil(item.length / (frame.width * frame.ratio) - 0.01));
      fewer = Math.max(fewer, step);
      const cells = step > 1 ? binned(own, 1, item.length, 1, step, "max").values : own;
      const scale = { low: item.low, high: item.high, colormap: item.colormap, log: false, label: "" };
      const beyond = beyondScale(extent(own), scale);
      strips.push({ item, own, top: y + TITLE, beyond, picture: cellCanvas(colorize(cells, scale), cells.length, 1) });
      y += TITLE + STRIP + (item.pieces.length ? PIECES : 0) + GAP;
    }
    height = Math.max(1, y);
  }

  function redraw() {
    if (!frame.width || !model.get("items").length) return;
    layOut();
    frame.draw(scene(frame.theme()));
    frame.setTexts();
    stage.setAttribute("aria-label", model.get("heading").alt);
    frame.reserveReadout([["", "MMMMMMMMMMMMMMMMMM"], ["", "−1.23456789×10⁻¹⁰"]], frame.label("matrix_hint"));
    redrawOver();
  }

  function scene(theme) {
    const width = frame.width;
    const items = [];
    for (const item of model.get("items")) if (item.kind === "arrow") items.push(...arrow(item, theme));
    for (const strip of strips) {
      const { item, top, picture, beyond } = strip;
      const low = (beyond.below ? "≤ " : "") + formatShort(item.low);
      const high = (beyond.above ? "≥ " : "") + formatShort(item.high);
      const [lowWidth, highWidth] = [frame.measure(low), frame.measure(high)];
      const wide = width > 560;
      const barX = width - highWidth - 8 - BAR;
      const room = wide ? barX - lowWidth - 24 : width;
      const y = top - 15;
      const symbolWidth = frame.measure(item.symbol, 18, 650);
      items.push({ kind: "text", x: 0, y, text: item.symbol, size: 18, weight: 650, fill: theme.ink });
      const shapeWidth = frame.measure(item.shape, 16, 600);
      items.push({ kind: "text", x: symbolWidth + 12, y, text: item.shape, weight: 600, fill: theme.accent });
      const x = symbolWidth + shapeWidth + 26;
      items.push({ kind: "text", x, y, text: shortened(item.title, room - x, frame.measure, 16), fill: theme.muted });
      if (wide) {
        const bar = gradient(item.colormap);
        items.push({ kind: "text", x: barX - 8, y, text: low, anchor: "end", fill: theme.muted });
        items.push({ kind: "image", x: barX, y: y - 6, width: BAR, height: 12, source: bar, smooth: false, href: () => enlargedPng(bar) });
        items.push({ kind: "text", x: width, y, text: high, anchor: "end", fill: theme.muted });
      }
      items.push({ kind: "image", x: 0, y: top, width, height: STRIP, source: picture, smooth: false, href: () => enlargedPng(picture) });
      items.push({ kind: "rect", x: 0, y: top, width, height: STRIP, stroke: theme.line });
      items.push(...pieces(item, top, theme));
    }
    return { width, height, items };
  }

  function arrow(item, theme) {
    const bottom = item.y + Math.max(1, item.lines.length) * LINE - 4;
    const line = { kind: "line", stroke: theme.accent, lineWidth: 2.5 };
    return [
      { ...line, x1: 16, x2: 16, y1: item.y, y2: bottom },
      { ...line, x1: 9, x2: 16.8, y1: bottom - 8, y2: bottom },
      { ...line, x1: 23, x2: 15.2, y1: bottom - 8, y2: bottom },
      ...item.lines.map((text, place) => ({
        kind: "text", x: 40, y: item.y + (place + 0.5) * LINE - 2, text, size: 17, weight: 500, fill: theme.ink,
      })),
    ];
  }

  function pieces(item, top, theme) {
    const count = item.pieces.length;
    if (!count) return [];
    const each = frame.width / count;
    const fits = Math.max(...item.pieces.map((name) => frame.measure(name))) + 6 < each;
    const items = [];
    item.pieces.forEach((name, place) => {
      const x = place * each;
      const chosen = item.picked.includes(place);
      if (place) items.push({ kind: "line", x1: x, x2: x, y1: top - 3, y2: top + STRIP + 8, stroke: theme.ink, lineWidth: 1.5 });
      if (chosen) items.push({ kind: "rect", x: x + 1, y: top - 1, width: each - 2, height: STRIP + 2, stroke: theme.ink, lineWidth: 3 });
      if (fits || chosen) {
        const half = frame.measure(name, 16, chosen ? 700 : 400) / 2;
        const center = Math.min(frame.width - half, Math.max(half, x + each / 2));
        items.push({ kind: "text", x: center, y: top + STRIP + 14, text: name, anchor: "middle", weight: chosen ? 700 : 400, fill: chosen ? theme.ink : theme.muted });
      }
    });
    return items;
  }

  const cell = (strip) => frame.width / strip.item.length;

  function outline(strip, index, color) {
    const wide = Math.max(cell(strip), 6);
    const x = Math.min(frame.width - wide, Math.max(0, (index + 0.5) * cell(strip) - wide / 2));
    const box = { kind: "rect", x, y: strip.top - 2, width: wide, height: STRIP + 4 };
    return [{ ...box, stroke: "#ffffff", lineWidth: 4 }, { ...box, stroke: color, lineWidth: 2.5 }];
  }

  function marks(theme) {
    const chosen = model.get("marks");
    return strips.flatMap((strip, place) => (chosen[place] >= 0 && chosen[place] < strip.item.length ? outline(strip, chosen[place], theme.accent) : []));
  }

  function redrawOver() {
    if (!strips.length) return;
    const over = hover && strips[hover.strip] ? outline(strips[hover.strip], hover.index, "#10151b") : [];
    frame.drawOver([...marks(frame.theme()), ...over]);
    frame.setReadout(hover && strips[hover.strip] ? pairs(hover.strip, hover.index) : frame.label("matrix_hint"));
  }

  function pairs(place, index) {
    const { item, own } = strips[place];
    const name = item.labels.length ? item.labels[index] : `${item.prefix}${item.prefix ? " = " : ""}${index}`;
    return [[item.symbol, name], ["", formatExact(own[index])]];
  }

  function gradient(colormap) {
    const levels = lookup(colormap);
    const rgba = new Uint8ClampedArray(256 * 4).fill(255);
    for (let level = 0; level < 256; level += 1) rgba.set(levels.subarray(level * 3, level * 3 + 3), level * 4);
    return cellCanvas(rgba, 256, 1);
  }

  function at(event) {
    const { x, y } = frame.point(event);
    const strip = strips.findIndex(({ top }) => y >= top - 4 && y <= top + STRIP + 4);
    if (strip < 0) return null;
    return { strip, index: Math.min(strips[strip].item.length - 1, Math.max(0, Math.floor(x / cell(strips[strip])))) };
  }

  function choose(strip, index) {
    current = strip;
    clicks += 1;
    model.set("chosen", [strip, index, clicks]);
    model.save_changes();
    frame.say(pairs(strip, index).map(([name, what]) => `${name} ${what}`).join(", "));
  }

  stage.addEventListener("pointermove", (event) => {
    const place = at(event);
    if (place?.strip === hover?.strip && place?.index === hover?.index) return;
    hover = place;
    redrawOver();
  });
  stage.addEventListener("pointerleave", () => {
    hover = null;
    redrawOver();
  });
  stage.addEventListener("click", (event) => {
    const place = at(event);
    if (place) choose(place.strip, place.index);
  });
  stage.addEventListener("keydown", (event) => {
    if (!strips.length) return;
    current = Math.min(current, strips.length - 1);
    const upDown = event.key === "ArrowUp" || event.key === "ArrowDown";
    if (upDown && !event.altKey && !event.metaKey) {
      current = Math.min(strips.length - 1, Math.max(0, current + (event.key === "ArrowUp" ? -1 : 1)));
    }
    const length = strips[current].item.length;
    const index = upDown ? Math.min(length - 1, Math.max(0, hover?.index ?? model.get("marks")[current])) : 0;
    const place = upDown ? [0, index] : stepped(event, 0, hover?.strip === current ? hover.index : model.get("marks")[current] ?? -1, 1, length);
    if (!place) return;
    event.preventDefault();
    event.stopPropagation();
    hover = { strip: current, index: place[1] };
    redrawOver();
    choose(current, place[1]);
  });

  const stop = watch(model, { items: "all", values: "all", heading: "all", labels: "all", marks: "over" }, (work) => {
    if (work.has("all")) {
      hover = null;
      redraw();
    } else redrawOver();
  });
  redraw();
  return () => {
    stop();
    frame.destroy();
  };
}

export default { render };
