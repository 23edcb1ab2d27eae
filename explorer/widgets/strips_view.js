// Vectors of one length under each other: a dimension is read down through all of them.

import { binned, cellCanvas, colorize, enlargedPng } from "./js/heat.js";
import { lookup } from "./js/colors.js";
import { createFrame, stepped } from "./js/frame.js";
import { floats, formatExact, formatShort, niceStep } from "./js/numbers.js";
import { shortened } from "./js/scene.js";

const TITLE = 26;
const STRIP = 34;
const GAP = 14;
const AXIS = 46;
const BAR = 110;

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const frame = createFrame(el, model, {
    kind: "strips",
    resized: () => redraw(),
    scene: (theme) => {
      const drawing = scene(theme);
      return { ...drawing, items: [...drawing.items, ...selection(theme)] };
    },
    texts,
  });
  const { stage } = frame;
  stage.tabIndex = 0;
  stage.setAttribute("role", "application");

  let values = new Float32Array(0);
  let pictures = [];
  let step = 1;
  let hover = -1;
  const strips = () => model.get("strips");
  const length = () => (strips().length ? values.length / strips().length : 0);
  const top = (place) => place * (TITLE + STRIP + GAP) + TITLE;
  const cell = () => frame.width / length();

  function texts() {
    const { title, caption, stem } = model.get("heading");
    const notes = step > 1 ? [frame.label("binned_max", { rows: 1, cols: step })] : [];
    return { title, caption, stem, notes };
  }

  function redraw() {
    if (!frame.width || !values.length) return;
    // Where the screen has fewer pixels than there are dimensions, several share one: none is left out.
    step = Math.max(1, Math.ceil(length() / (frame.width * frame.ratio) - 0.01));
    pictures = strips().map((strip, place) => {
      const row = values.subarray(place * length(), (place + 1) * length());
      const fewer = step > 1 ? binned(row, 1, length(), 1, step, "max").values : row;
      const scale = { low: -strip.reach, high: strip.reach, colormap: "diverging", log: false, label: "" };
      return cellCanvas(colorize(fewer, scale), fewer.length, 1);
    });
    frame.draw(scene(frame.theme()));
    frame.setTexts();
    stage.setAttribute("aria-label", `${model.get("heading").title}. ${strips().map((strip) => strip.title).join(", ")}`);
    redrawOver();
  }

  function scene(theme) {
    const items = [];
    const width = frame.width;
    const bar = gradient();
    strips().forEach((strip, place) => {
      const y = top(place);
      const low = formatShort(-strip.reach);
      const high = formatShort(strip.reach);
      const highWidth = frame.measure(high);
      const lowWidth = frame.measure(low);
      const barX = width - highWidth - 8 - BAR;
      const room = barX - lowWidth - 24;
      items.push({ kind: "text", x: 0, y: y - 14, text: shortened(strip.title, room, frame.measure, 17, 600), size: 17, weight: 600, fill: theme.ink });
      items.push({ kind: "text", x: barX - 8, y: y - 14, text: low, anchor: "end", fill: theme.muted });
      items.push({ kind: "image", x: barX, y: y - 20, width: BAR, height: 12, source: bar, smooth: false, href: () => enlargedPng(bar) });
      items.push({ kind: "text", x: width, y: y - 14, text: high, anchor: "end", fill: theme.muted });
      items.push({ kind: "image", x: 0, y, width, height: STRIP, source: pictures[place], smooth: false, href: () => enlargedPng(pictures[place]) });
      items.push({ kind: "rect", x: 0, y, width, height: STRIP, stroke: theme.line });
    });
    const bottom = top(strips().length - 1) + STRIP;
    const every = niceStep((60 * length()) / width);
    for (let index = 0; index < length(); index += every) {
      const x = (index + 0.5) * cell();
      const text = String(index);
      if (x + frame.measure(text) / 2 > width) break;
      items.push({ kind: "line", x1: x, x2: x, y1: bottom, y2: bottom + 6, stroke: theme.muted });
      items.push({ kind: "text", x: Math.max(x, frame.measure(text) / 2), y: bottom + 16, text, anchor: "middle", fill: theme.muted });
    }
    items.push({ kind: "text", x: width / 2, y: bottom + 36, text: model.get("heading").axis, anchor: "middle", weight: 600, fill: theme.ink });
    return { width, height: bottom + AXIS, items };
  }

  function selection(theme) {
    const chosen = model.get("selected");
    return chosen >= 0 && chosen < length() ? outline(chosen, theme.accent) : [];
  }

  function outline(index, color) {
    const wide = Math.max(cell(), 5);
    const x = Math.min(frame.width - wide, Math.max(0, (index + 0.5) * cell() - wide / 2));
    return strips().flatMap((strip, place) => {
      const box = { kind: "rect", x, y: top(place) - 2, width: wide, height: STRIP + 4 };
      return [{ ...box, stroke: "#ffffff", lineWidth: 4 }, { ...box, stroke: color, lineWidth: 2 }];
    });
  }

  function redrawOver() {
    if (!pictures.length) return;
    const theme = frame.theme();
    frame.drawOver([...selection(theme), ...(hover >= 0 ? outline(hover, "#10151b") : [])]);
    const about = hover >= 0 ? hover : model.get("selected");
    frame.setReadout(about >= 0 && about < length() ? pairs(about) : frame.label("matrix_hint"));
  }

  function pairs(index) {
    const each = strips().map((strip, place) => [strip.name, formatExact(values[place * length() + index])]);
    return [["d", String(index)], ...each];
  }

  function gradient() {
    const levels = lookup("diverging");
    const rgba = new Uint8ClampedArray(256 * 4).fill(255);
    for (let level = 0; level < 256; level += 1) rgba.set(levels.subarray(level * 3, level * 3 + 3), level * 4);
    return cellCanvas(rgba, 256, 1);
  }

  function select(index) {
    hover = -1;
    model.set("selected", index);
    model.save_changes();
    redrawOver();
    if (index >= 0) frame.say(pairs(index).map(([name, what]) => `${name} ${what}`).join(", "));
  }

  const dimensionAt = (event) => Math.min(length() - 1, Math.max(0, Math.floor(frame.point(event).x / cell())));
  stage.addEventListener("pointermove", (event) => {
    const index = length() ? dimensionAt(event) : -1;
    if (index !== hover) {
      hover = index;
      redrawOver();
    }
  });
  stage.addEventListener("pointerleave", () => {
    hover = -1;
    redrawOver();
  });
  stage.addEventListener("click", (event) => length() && select(dimensionAt(event)));
  stage.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && model.get("selected") >= 0) {
      select(-1);
      event.stopPropagation();
      return;
    }
    const place = stepped(event, 0, model.get("selected"), 1, length());
    if (!place) return;
    event.preventDefault();
    event.stopPropagation();
    select(place[1]);
  });

  // One message may change several traits: they are drawn once, when all of them are there.
  let dirty = "";
  const listeners = [
    ["change:selected", () => (dirty ||= "over")],
    ...["values", "strips", "heading", "labels"].map((name) => [`change:${name}`, () => (dirty = "all")]),
    ["change", update],
  ];
  for (const [event, listener] of listeners) model.on(event, listener);

  function update() {
    if (dirty === "all") {
      values = floats(model.get("values"));
      redraw();
    } else if (dirty) redrawOver();
    dirty = "";
  }

  values = floats(model.get("values"));
  frame.setTexts();
  redraw();
  return () => {
    for (const [event, listener] of listeners) model.off(event, listener);
    frame.destroy();
  };
}

export default { render };
