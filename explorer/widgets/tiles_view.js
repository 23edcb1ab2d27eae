// Small multiples: heat maps or RGB pictures of one size, side by side on one scale.

import { colorBar } from "./js/bar.js";
import { WIDEST, createFrame, longestOf, stepped, watch } from "./js/frame.js";
import { beyondScale, binned, cellCanvas, colorize, enlargedPng, extent, opaque } from "./js/heat.js";
import { byteArray, floats, formatExact } from "./js/numbers.js";
import { outline } from "./js/photo.js";
import { shortened } from "./js/scene.js";
import { tilesLayout } from "./js/tiles.js";

function render({ model, el }) {
  const frame = createFrame(el, model, {
    kind: "tiles",
    resized: () => redraw(),
    scene: (theme) => {
      const drawing = scene(theme);
      return { ...drawing, items: [...drawing.items, ...selectionItems(theme)] };
    },
    texts,
  });
  const { stage } = frame;
  stage.tabIndex = 0;
  stage.setAttribute("role", "application");

  let values = null;
  let rgb = null;
  let beyond = { below: false, above: false };
  let canvases = [];
  let steps = 1;
  let layout = null;
  let hover = null;

  const shape = () => model.get("shape");
  const scale = () => model.get("scale");

  function texts() {
    const { title, caption, note, stem } = model.get("heading");
    const notes = steps > 1 ? [frame.label("binned_mean", { rows: steps, cols: steps })] : [];
    const aside = steps > 1 ? frame.label("binned_exact") : "";
    return { title, caption: [caption, note].filter(Boolean).join("\n"), stem, notes, aside };
  }

  function readValues() {
    const [count, rows, cols] = shape();
    values = scale() ? floats(model.get("values")) : null;
    rgb = scale() ? null : byteArray(model.get("values"));
    const complete = values ? values.length === count * rows * cols : rgb.length === count * rows * cols * 3;
    if (!complete) [values, rgb] = [null, null];
    beyond = values ? beyondScale(extent(values), scale()) : { below: false, above: false };
    canvases = [];
  }

  function redraw() {
    if (!frame.width || !(values || rgb)) return;
    layout = tilesLayout({
      width: frame.width,
      shape: shape(),
      captions: model.get("captions"),
      columns: model.get("columns"),
      maxTile: model.get("max_tile"),
      ratio: frame.ratio,
      scale: scale(),
      beyond,
      measure: frame.measure,
    });
    drawTiles();
    frame.draw(scene(frame.theme()));
    frame.setTexts();
    const [count, rows, cols] = shape();
    const { title } = model.get("heading");
    stage.setAttribute("aria-label", frame.label("tiles_aria", { title, count, rows, cols }).trim());
    const longest = longestOf(model.get("captions"));
    const last = pairs({ tile: 0, row: rows - 1, col: cols - 1 });
    frame.reserveReadout([["", longest], ...last.slice(1, 3), [valueName(), WIDEST]], frame.label("tiles_hint"));
    redrawOver();
  }

  function valueName() {
    return values ? scale().label : frame.label("rgb");
  }

  /** One small canvas a tile. Where the screen has fewer pixels than cells, values are averaged, not left out. */
  function drawTiles() {
    const [count, rows, cols] = shape();
    const needed = values ? Math.max(1, Math.ceil(1 / (layout.cell * frame.ratio) - 0.01)) : 1;
    if (canvases.length && needed === steps) return;
    steps = needed;
    const size = rows * cols;
    canvases = Array.from({ length: count }, (_, tile) => {
      if (rgb) return cellCanvas(opaque(rgb.subarray(tile * size * 3, (tile + 1) * size * 3)), cols, rows);
      const own = values.subarray(tile * size, (tile + 1) * size);
      const few = steps === 1 ? { values: own, rows, cols } : binned(own, rows, cols, steps, steps, "mean");
      return cellCanvas(colorize(few.values, scale()), few.cols, few.rows);
    });
  }

  function scene(theme) {
    const items = [];
    const captions = model.get("captions");
    layout.tiles.forEach((box, tile) => {
      const source = canvases[tile];
      // A photographic tile with more pixels than the screen gives it is smoothed, as any photo is.
      const smooth = rgb !== null && layout.cell * frame.ratio < 1;
      items.push({ kind: "image", ...box, source, smooth, href: () => enlargedPng(source) });
      const edge = { x: box.x - 0.5, y: box.y - 0.5, width: box.width + 1, height: box.height + 1 };
      items.push({ kind: "rect", ...edge, stroke: theme.line });
      if (!captions[tile]) return;
      const text = shortened(captions[tile], layout.captionWidth, frame.measure);
      items.push({ kind: "text", x: box.x, y: box.y + box.height + 14, text, fill: theme.ink });
    });
    if (scale()) {
      const { labels, upright, area } = layout;
      const where = { labels, upright, beside: area, labelY: 12 };
      items.push(...colorBar({ scale: scale(), ...where, theme, measure: frame.measure }));
    }
    return { width: layout.width, height: layout.height, items };
  }

  function selectionItems(theme) {
    const tile = model.get("selected");
    if (tile < 0 || tile >= layout.tiles.length) return [];
    return outline(layout.tiles[tile], theme.accent, 3);
  }

  function redrawOver() {
    if (!layout) return;
    const items = selectionItems(frame.theme());
    if (hover) {
      const box = layout.tiles[hover.tile];
      const { cell } = layout;
      const grow = Math.max(0, 7 - cell) / 2;
      const place = { x: box.x + hover.col * cell - grow, y: box.y + hover.row * cell - grow };
      const side = cell + 2 * grow;
      items.push(...outline({ ...place, width: side, height: side }, "#10151b", 1.5));
    }
    frame.drawOver(items);
    tell();
  }

  function pairs({ tile, row, col }) {
    const { rows, cols } = model.get("heading");
    const [, high, wide] = shape();
    const found = [["", model.get("captions")[tile] || String(tile)]];
    if (row < 0) return found;
    found.push([rows || frame.label("row"), String(row)], [cols || frame.label("column"), String(col)]);
    const at = (tile * high + row) * wide + col;
    const exact = () => formatExact(values[at], frame.label("missing"));
    found.push([valueName(), values ? exact() : Array.from(rgb.subarray(at * 3, at * 3 + 3)).join(", ")]);
    return found;
  }

  function tell() {
    frame.setReadout(hover ? pairs(hover) : frame.label("tiles_hint"));
  }

  function placeAt(event) {
    if (!layout) return null;
    const { x, y } = frame.point(event);
    const inside = (box) => x >= box.x && y >= box.y && x < box.x + box.width && y < box.y + box.height;
    const tile = layout.tiles.findIndex(inside);
    if (tile < 0) return null;
    const box = layout.tiles[tile];
    const [, rows, cols] = shape();
    return {
      tile,
      row: Math.min(rows - 1, Math.floor((y - box.y) / layout.cell)),
      col: Math.min(cols - 1, Math.floor((x - box.x) / layout.cell)),
    };
  }

  function select(tile) {
    model.set("selected", tile);
    model.save_changes();
    redrawOver();
    if (tile >= 0) frame.say(pairs({ tile, row: -1, col: -1 })[0][1]);
  }

  stage.addEventListener("pointermove", (event) => {
    hover = placeAt(event);
    redrawOver();
  });
  stage.addEventListener("pointerleave", () => {
    hover = null;
    redrawOver();
  });
  stage.addEventListener("click", (event) => {
    const place = placeAt(event);
    if (place) select(place.tile);
  });
  stage.addEventListener("keydown", (event) => {
    if (!layout) return;
    if (event.key === "Escape" && model.get("selected") >= 0) {
      event.stopPropagation();
      select(-1);
      return;
    }
    const [count] = shape();
    const { across } = layout;
    const tile = model.get("selected");
    const [row, col] = tile < 0 ? [-1, -1] : [Math.floor(tile / across), tile % across];
    const place = stepped(event, row, col, Math.ceil(count / across), across);
    if (!place) return;
    event.preventDefault();
    event.stopPropagation();
    hover = null;
    select(Math.min(count - 1, place[0] * across + place[1]));
  });

  const kinds = {
    values: "values", shape: "values", scale: "values", captions: "draw", columns: "draw", heading: "draw",
    labels: "draw", max_tile: "draw", selected: "over",
  };
  const stop = watch(model, kinds, update);

  function update(dirty) {
    if (dirty.has("values")) {
      readValues();
      hover = null;
    }
    if (dirty.has("values") || dirty.has("draw")) redraw();
    else if (dirty.has("over")) redrawOver();
  }

  readValues();
  frame.setTexts();
  redraw();
  return () => {
    stop();
    frame.destroy();
  };
}

export default { render };
