// A photo under the grid of its patches; a value may lie over each of them.

import { beyondScale, cellCanvas, colorize, enlargedPng, extent } from "./js/heat.js";
import { WIDEST, createFrame, watch } from "./js/frame.js";
import { byteArray, floats, formatExact } from "./js/numbers.js";
import { COVER, chipItems, greyscale, gridLines, nextToken, outline, photoBar, photoLayout } from "./js/photo.js";

function render({ model, el }) {
  const frame = createFrame(el, model, {
    kind: "patches",
    resized: () => redraw(),
    scene: (theme) => {
      const drawing = scene(theme);
      return { ...drawing, items: [...drawing.items, ...selectionItems(theme)] };
    },
    texts: () => ({
      title: model.get("title"),
      caption: model.get("caption"),
      stem: model.get("stem"),
      notes: [dropped() ? frame.label("patches_dropped", { count: dropped() }) : ""],
    }),
  });
  const { stage } = frame;

  let values = null;
  let beyond = { below: false, above: false };
  let overlay = null;
  let image = null;
  let grey = null;
  let loading = 0;
  let layout = null;
  let hover = -1;
  let kept = null;

  const grid = () => model.get("grid");
  const names = () => model.get("prefix_names");
  const prefix = () => names().length;
  const scale = () => (values ? model.get("scale") : null);
  const count = () => prefix() + grid()[0] * grid()[1];
  const there = (token) => token < prefix() || !kept || kept.has(token - prefix());
  const dropped = () => (kept ? grid()[0] * grid()[1] - kept.size : 0);
  const valueOf = (token) => (values ? values[token] : NaN);

  function readValues() {
    const list = model.get("kept");
    kept = list ? new Set(list) : null;
    const given = floats(model.get("values"));
    values = given.length === count() && given.length > 0 ? given : null;
    overlay = null;
    beyond = values ? beyondScale(extent(values), model.get("scale")) : { below: false, above: false };
    if (!values) return;
    const [rows, cols] = grid();
    const pixels = colorize(values.subarray(prefix()), model.get("scale"));
    // A patch without a value, because it was dropped, lets the photo through.
    for (let patch = 0; patch < rows * cols; patch += 1) {
      if (Number.isNaN(values[prefix() + patch])) pixels[patch * 4 + 3] = 0;
    }
    overlay = cellCanvas(pixels, cols, rows);
  }

  async function readImage() {
    loading += 1;
    const mine = loading;
    const bytes = byteArray(model.get("image"));
    let decoded = null;
    if (bytes.length) {
      try {
        decoded = await createImageBitmap(new Blob([bytes], { type: model.get("mime") }));
      } catch (error) {
        console.error("the photo cannot be decoded", error);
      }
    }
    // The photo that was asked for last wins, whichever is decoded last.
    if (mine !== loading) {
      decoded?.close();
      return;
    }
    image?.close();
    image = decoded;
    grey = null;
    redraw();
  }

  function redraw() {
    const [rows, cols] = grid();
    if (!frame.width || rows < 1 || cols < 1) return;
    layout = photoLayout({
      width: frame.width,
      grid: grid(),
      prefixNames: names(),
      maxSize: model.get("max_size"),
      ratio: frame.ratio,
      scale: scale(),
      beyond,
      measure: frame.measure,
    });
    frame.draw(scene(frame.theme()));
    frame.setTexts();
    describe();
    const value = scale() ? [[scale().label, WIDEST]] : [];
    const last = ["patch", "row", "column"].map((key) => [frame.label(key), String(count())]);
    const longest = model.get("readouts").reduce((long, said) => (said.length > long.length ? said : long), "");
    frame.reserveReadout([...last, ...value, ...(longest ? [["", longest]] : [])], hint());
    redrawOver();
  }

  function hint() {
    return model.get("hint") || frame.label(model.get("interactive") ? "patches_hint" : "patches_hint_still");
  }

  function scene(theme) {
    const { photo } = layout;
    const items = [{ kind: "rect", ...photo, fill: theme.line }];
    if (image) {
      const source = values ? (grey ??= greyscale(image)) : image;
      items.push({ kind: "image", ...photo, source, smooth: true, href: () => photoHref(source) });
    }
    if (overlay) {
      const cells = overlay;
      items.push({ kind: "image", ...photo, source: cells, alpha: COVER, href: () => enlargedPng(cells) });
    }
    items.push(...gridLines(layout, grid(), values !== null));
    if (kept) {
      for (let patch = 0; patch < grid()[0] * grid()[1]; patch += 1) {
        if (kept.has(patch)) continue;
        const box = tokenBox(prefix() + patch);
        items.push({ kind: "rect", ...box, fill: "#c3c8ce", alpha: 0.88 });
        items.push({ kind: "rect", ...box, hatch: "#8a929b" });
      }
    }
    items.push(...chipItems(layout, names(), valueOf, scale(), theme));
    items.push(...photoBar(layout, scale(), theme, frame.measure));
    return { width: layout.width, height: layout.height, items };
  }

  /** The photo for an SVG file: as it came, or the greyscale that the colours lie on. */
  function photoHref(source) {
    const canvas = document.createElement("canvas");
    canvas.width = source.width;
    canvas.height = source.height;
    canvas.getContext("2d").drawImage(source, 0, 0);
    return canvas.toDataURL("image/jpeg", 0.92);
  }

  function tokenBox(token) {
    if (token < prefix()) return layout.chips[token];
    const { photo, cell } = layout;
    const cols = grid()[1];
    const [row, col] = [Math.floor((token - prefix()) / cols), (token - prefix()) % cols];
    return { x: photo.x + col * cell.width, y: photo.y + row * cell.height, ...cell };
  }

  function selectionItems(theme) {
    const marks = model.get("marked").filter((token) => token < count());
    const marked = marks.flatMap((token) => [
      { kind: "rect", ...tokenBox(token), fill: theme.accent, alpha: 0.45 },
      ...outline(tokenBox(token), theme.accent, 2, token < prefix() ? 7 : 0),
    ]);
    const token = model.get("selected");
    if (token < 0 || token >= count() || !there(token)) return marked;
    return marked.concat(outline(tokenBox(token), theme.accent, layout.cell.width < 14 ? 2 : 3, token < prefix() ? 7 : 0));
  }

  function redrawOver() {
    if (!layout) return;
    const items = selectionItems(frame.theme());
    if (hover >= 0 && hover !== model.get("selected")) {
      items.push(...outline(tokenBox(hover), "#10151b", 1.5, hover < prefix() ? 7 : 0));
    }
    frame.drawOver(items);
    tell();
  }

  function pairs(token) {
    const found = [];
    if (token < prefix()) found.push([frame.label("token"), names()[token]]);
    else {
      const cols = grid()[1];
      const patch = token - prefix();
      found.push([frame.label("patch"), String(patch)]);
      found.push([frame.label("row"), String(Math.floor(patch / cols))]);
      found.push([frame.label("column"), String(patch % cols)]);
    }
    if (!there(token)) found.push(["", frame.label("dropped")]);
    else if (values) found.push([model.get("scale").label, formatExact(values[token], frame.label("missing"))]);
    const said = model.get("readouts")[token];
    if (said && there(token)) found.push(["", said]);
    return found;
  }

  function tell() {
    const selected = model.get("selected");
    const token = hover >= 0 ? hover : selected;
    if (token >= 0 && token < count()) frame.setReadout(pairs(token));
    else frame.setReadout(hint());
  }

  function describe() {
    const interactive = model.get("interactive");
    const [rows, cols] = grid();
    if (interactive) stage.tabIndex = 0;
    else stage.removeAttribute("tabindex");
    stage.style.cursor = interactive ? "pointer" : "default";
    stage.setAttribute("role", interactive ? "application" : "img");
    const key = interactive ? "patches_aria" : "patches_aria_still";
    stage.setAttribute("aria-label", frame.label(key, { title: model.get("title"), rows, cols }).trim());
  }

  function tokenAt(event) {
    if (!layout) return -1;
    const { x, y } = frame.point(event);
    const inside = (box) => x >= box.x && y >= box.y && x < box.x + box.width && y < box.y + box.height;
    const chip = layout.chips.findIndex(inside);
    if (chip >= 0) return chip;
    if (!inside(layout.photo)) return -1;
    const { photo, cell } = layout;
    const [rows, cols] = grid();
    const row = Math.min(rows - 1, Math.floor((y - photo.y) / cell.height));
    const col = Math.min(cols - 1, Math.floor((x - photo.x) / cell.width));
    return prefix() + row * cols + col;
  }

  function point(token) {
    if (token === hover) return;
    hover = token;
    redrawOver();
  }

  function select(token) {
    if (!model.get("interactive") || (token >= 0 && !there(token))) return;
    model.set("selected", token);
    model.save_changes();
    redrawOver();
    if (token >= 0) frame.say(pairs(token).map(([name, what]) => `${name} ${what}`.trim()).join(", "));
  }

  function press(token) {
    if (model.get("interactive") && model.get("pressable") && token >= 0) model.send({ kind: "press", token });
  }

  stage.addEventListener("pointermove", (event) => point(tokenAt(event)));
  stage.addEventListener("pointerleave", () => point(-1));
  stage.addEventListener("click", (event) => {
    const token = tokenAt(event);
    if (token < 0) return;
    // A chosen token may be pressed again, so a press is no change of the choice.
    select(token);
    press(token);
  });
  stage.addEventListener("keydown", (event) => {
    if (!model.get("interactive")) return;
    if (model.get("pressable") && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      press(model.get("selected"));
      return;
    }
    const token = nextToken(event, model.get("selected"), prefix(), grid(), there);
    if (token === null) return;
    event.preventDefault();
    event.stopPropagation();
    hover = -1;
    select(token);
  });

  const kinds = {
    image: "image", mime: "image", values: "values", scale: "values", grid: "values", prefix_names: "values",
    kept: "values", labels: "draw", title: "draw", caption: "draw", stem: "draw", max_size: "draw",
    interactive: "draw", hint: "draw", readouts: "draw", selected: "over", marked: "over",
  };
  const stop = watch(model, kinds, update);

  function update(dirty) {
    if (dirty.has("values")) {
      readValues();
      if (hover >= count()) hover = -1;
    }
    if (dirty.has("image")) readImage();
    else if (dirty.has("values") || dirty.has("draw")) redraw();
    else if (dirty.has("over")) redrawOver();
  }

  readValues();
  frame.setTexts();
  readImage();
  return () => {
    loading += 1;
    image?.close();
    stop();
    frame.destroy();
  };
}

export default { render };
