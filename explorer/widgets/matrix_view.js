// A matrix as coloured cells on a canvas, with the exact value of any of them under the pointer or the arrow keys.

import { axisItems, matrixLayout, nameOf, tickItems, tickText } from "./js/axes.js";
import { colorBar } from "./js/bar.js";
import { beyondScale, binned, cellCanvas, colorize, enlargedPng, extent } from "./js/heat.js";
import { WIDEST, createFrame, longestOf, stepped, watch } from "./js/frame.js";
import { floats, formatExact, formatFixed, formatShort } from "./js/numbers.js";
import { colorOf, inkOn } from "./js/colors.js";

const ARROWS = /\s*[←↑→↓]\s*/g;
/** Cells of this size are hatched where they have no value, and set apart by thin lines. */
const ROOMY = 14;
/** Cells of this size have their values printed in them. */
const PRINTED = 40;
/** At least this many CSS pixels are outlined under the pointer. */
const VISIBLE = 9;
/** So long Python may take to answer with all values of a large matrix. */
const PATIENCE = 20_000;

function render({ model, el }) {
  const frame = createFrame(el, model, {
    kind: "matrix",
    resized: () => redraw(),
    scene: (theme) => {
      const drawing = scene(theme);
      return { ...drawing, items: [...drawing.items, ...selectionItems(theme)] };
    },
    texts,
    table,
  });
  const { stage } = frame;
  stage.tabIndex = 0;
  stage.setAttribute("role", "application");

  /** Cells as they came (binned by Python where there are very many). */
  let cells = { values: new Float32Array(0), rows: 0, cols: 0, steps: [1, 1] };
  /** Cells as they are drawn, and how many values one of them stands for. */
  let drawn = { canvas: null, steps: [1, 1], key: "" };
  let range = extent(cells.values);
  let layout = null;
  let hover = null;
  let asked = null;
  let timer = 0;
  let serial = 0;
  const wholes = new Map();

  const shape = () => model.get("shape");
  const axis = (name) => model.get(name);
  const title = (name) => axis(name).name.replace(ARROWS, " ").trim();

  function texts() {
    const { title: heading, caption, stem } = model.get("heading");
    const [rowStep, colStep] = drawn.steps;
    const texts = { title: heading, caption, stem };
    if (rowStep * colStep === 1) return { ...texts, notes: [], aside: "" };
    const note = frame.label(`binned_${model.get("binning")}`, { rows: rowStep, cols: colStep });
    return { ...texts, notes: [note], aside: frame.label("binned_exact") };
  }

  /** All values, exactly: where they were binned, Python has them. */
  async function table() {
    const large = cells.steps[0] * cells.steps[1] > 1;
    const values = large ? await whole() : cells.values;
    const [rows, cols] = shape();
    if (!values || values.length !== rows * cols || !values.length) return null;
    const { title: heading, stem } = model.get("heading");
    const names = (name, count) => Array.from({ length: count }, (_, index) => nameOf(axis(name), index));
    const axes = { rowAxis: axis("rows").name, colAxis: axis("cols").name };
    return { title: heading, stem, ...axes, rows: names("rows", rows), cols: names("cols", cols), values, large };
  }

  /** Ask Python for every value; null where nobody answers. */
  function whole() {
    serial += 1;
    const mine = serial;
    model.send({ kind: "values", serial: mine });
    return new Promise((resolve) => {
      wholes.set(mine, resolve);
      setTimeout(() => wholes.delete(mine) && resolve(null), PATIENCE);
    });
  }

  function readValues() {
    const [rows, cols] = shape();
    const steps = model.get("bins");
    cells = {
      values: floats(model.get("values")),
      rows: Math.ceil(rows / steps[0]),
      cols: Math.ceil(cols / steps[1]),
      steps,
    };
    if (cells.values.length !== cells.rows * cells.cols) cells = { ...cells, values: new Float32Array(0) };
    range = extent(cells.values);
    drawn.key = "";
  }

  function redraw() {
    if (!frame.width || !cells.values.length) return;
    const [rows, cols] = shape();
    const scale = model.get("scale");
    layout = matrixLayout({
      width: Math.min(frame.width, model.get("max_width") || Infinity),
      rows,
      cols,
      rowAxis: axis("rows"),
      colAxis: axis("cols"),
      aspect: model.get("aspect"),
      maxSize: model.get("max_size"),
      ratio: frame.ratio,
      scale,
      beyond: beyondScale(range, scale),
      measure: frame.measure,
    });
    drawCells(scale);
    frame.draw(scene(frame.theme()));
    frame.setTexts();
    describe();
    const longest = (name, count) => longestOf([...axis(name).labels, nameOf(axis(name), count - 1)]);
    const named = [
      [title("rows"), longest("rows", rows)],
      [title("cols"), longest("cols", cols)],
    ];
    frame.reserveReadout([...named, [scale.label, WIDEST]], frame.label("matrix_hint"));
    redrawOver();
  }

  /** Where the screen has fewer pixels than there are cells, several of them share one: none is left out. */
  function drawCells(scale) {
    const { plot } = layout;
    const rowStep = Math.max(1, Math.ceil(cells.rows / (plot.height * frame.ratio) - 0.01));
    const colStep = Math.max(1, Math.ceil(cells.cols / (plot.width * frame.ratio) - 0.01));
    const key = `${rowStep} ${colStep}`;
    if (drawn.key === key) return;
    const steps = [rowStep * cells.steps[0], colStep * cells.steps[1]];
    const many = rowStep * colStep > 1;
    const { rows, cols, values } = many
      ? binned(cells.values, cells.rows, cells.cols, rowStep, colStep, model.get("binning"))
      : cells;
    drawn = { canvas: cellCanvas(colorize(values, scale), cols, rows), rows, cols, steps, key };
  }

  function scene(theme) {
    const { plot, cell } = layout;
    const { canvas, steps } = drawn;
    const { x, y, width, height } = plot;
    // The last bin may stand for fewer values than the others; it is drawn as much narrower.
    const crop = [shape()[1] / steps[1], shape()[0] / steps[0]];
    const items = [{ kind: "image", x, y, width, height, crop, source: canvas, href: () => enlargedPng(canvas) }];
    if (Math.min(cell.width, cell.height) >= ROOMY) items.push(...gaps(theme), ...hatches(theme), ...printed());
    items.push(...axisItems(layout, theme));
    items.push(
      ...colorBar({
        scale: model.get("scale"),
        labels: layout.labels,
        upright: layout.upright,
        beside: plot,
        labelY: layout.labelLine,
        theme,
        measure: frame.measure,
      }),
    );
    return { width: layout.width, height: layout.height, items };
  }

  function gaps(theme) {
    const { plot, cell } = layout;
    const items = [];
    const line = { kind: "line", stroke: theme.surface, alpha: 0.55 };
    for (let row = 1; row < cells.rows; row += 1) {
      const y = plot.y + row * cell.height;
      items.push({ ...line, x1: plot.x, x2: plot.x + plot.width, y1: y, y2: y });
    }
    for (let col = 1; col < cells.cols; col += 1) {
      const x = plot.x + col * cell.width;
      items.push({ ...line, x1: x, x2: x, y1: plot.y, y2: plot.y + plot.height });
    }
    return items;
  }

  function hatches(theme) {
    const items = [];
    if (!range.missing) return items;
    cells.values.forEach((value, index) => {
      if (!Number.isNaN(value)) return;
      items.push({ kind: "rect", ...cellBox(Math.floor(index / cells.cols), index % cells.cols), hatch: theme.muted });
    });
    return items;
  }

  /** The values themselves in roomy cells, all with as many digits as fit, or none of them. */
  function printed() {
    const { cell } = layout;
    if (cell.width < PRINTED || cell.height < 28) return [];
    const values = Array.from(cells.values);
    const reach = Math.max(Math.abs(range.least), Math.abs(range.most));
    // Whole numbers, such as pixels, have no decimals to compare.
    const whole = values.every((value) => Number.isNaN(value) || Number.isInteger(value));
    const texts = (whole ? [1] : [3, 2])
      .map((digits) => values.map((value) => (Number.isNaN(value) ? "" : formatFixed(value, reach, digits))))
      .find((candidates) => candidates.every((text) => frame.measure(text) <= cell.width - 6));
    return (texts ?? []).map((text, index) => {
      const box = cellBox(Math.floor(index / cells.cols), index % cells.cols);
      const place = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
      const fill = inkOn(colorOf(model.get("scale"), values[index]));
      return { kind: "text", ...place, text, anchor: "middle", fill };
    });
  }

  function cellBox(row, col) {
    const { plot, cell } = layout;
    return { x: plot.x + col * cell.width, y: plot.y + row * cell.height, width: cell.width, height: cell.height };
  }

  function selectionItems(theme) {
    const [row, col] = [model.get("selected_row"), model.get("selected_col")];
    const [rows, cols] = shape();
    const { plot, cell } = layout;
    const items = [];
    const outline = (box, width) => {
      const around = { x: box.x - 1, y: box.y - 1, width: box.width + 2, height: box.height + 2 };
      items.push({ kind: "rect", ...around, stroke: "#ffffff", lineWidth: width + 2, alpha: 0.75 });
      items.push({ kind: "rect", ...around, stroke: theme.accent, lineWidth: width });
    };
    const hasRow = row >= 0 && row < rows;
    const hasCol = col >= 0 && col < cols;
    if (hasRow) outline({ x: plot.x, y: plot.y + row * cell.height, width: plot.width, height: cell.height }, 1.5);
    if (hasCol) outline({ x: plot.x + col * cell.width, y: plot.y, width: cell.width, height: plot.height }, 1.5);
    if (hasRow && hasCol && rows * cols > 1) outline(cellBox(row, col), 2.5);
    const chosen = {
      row: hasRow ? row : -1,
      col: hasCol ? col : -1,
      rowText: tickText(axis("rows"), layout.rowTicks, row),
      colText: tickText(axis("cols"), layout.colTicks, col),
    };
    items.push(...tickItems(layout, theme, chosen, frame.measure));
    return items;
  }

  function redrawOver() {
    if (!layout) return;
    const theme = frame.theme();
    const items = selectionItems(theme);
    if (hover) {
      const box = cellBox(hover.row, hover.col);
      const [growX, growY] = [Math.max(0, VISIBLE - box.width) / 2, Math.max(0, VISIBLE - box.height) / 2];
      const ring = {
        kind: "rect",
        x: box.x - growX,
        y: box.y - growY,
        width: box.width + 2 * growX,
        height: box.height + 2 * growY,
      };
      items.push({ ...ring, stroke: "#ffffff", lineWidth: 4 }, { ...ring, stroke: "#10151b", lineWidth: 2 });
    }
    frame.drawOver(items);
    tell();
  }

  /** The cell that the readout is about: the one under the pointer, else the selected one. */
  function subject() {
    if (hover) return hover;
    const [row, col] = [model.get("selected_row"), model.get("selected_col")];
    const [rows, cols] = shape();
    return row >= 0 && col >= 0 && row < rows && col < cols ? { row, col } : null;
  }

  function pairs({ row, col }) {
    const named = [
      [title("rows"), nameOf(axis("rows"), row)],
      [title("cols"), nameOf(axis("cols"), col)],
    ];
    const what = model.get("scale").label;
    const [rowStep, colStep] = cells.steps;
    if (rowStep * colStep === 1) {
      return [...named, [what, exact(cells.values[row * cells.cols + col])]];
    }
    const known = asked && asked.row === row && asked.col === col && "value" in asked;
    if (known) return [...named, [what, exact(asked.value)]];
    ask(row, col);
    const about = cells.values[Math.floor(row / rowStep) * cells.cols + Math.floor(col / colStep)];
    return [...named, [what, frame.label(`near_${model.get("binning")}`, { value: formatShort(about) })]];
  }

  function exact(value) {
    return formatExact(value, frame.label("missing"));
  }

  /** Ask Python for a value that was binned away, once the pointer rests for a moment. */
  function ask(row, col) {
    if (asked && asked.row === row && asked.col === col) return;
    asked = { row, col };
    clearTimeout(timer);
    timer = setTimeout(() => model.send({ kind: "value", row, col }), 40);
  }

  function answered(message, buffers) {
    if (message.kind === "values") {
      wholes.get(message.serial)?.(floats(buffers[0]));
      wholes.delete(message.serial);
      return;
    }
    if (message.kind !== "value" || !asked || message.row !== asked.row || message.col !== asked.col) return;
    asked.value = floats(buffers[0])[0];
    tell();
  }

  function tell() {
    const about = subject();
    frame.setReadout(about ? pairs(about) : frame.label("matrix_hint"));
  }

  function describe() {
    const [rows, cols] = shape();
    const { title: heading } = model.get("heading");
    const label = frame.label("matrix_aria", { title: heading, rows, cols, row: title("rows"), col: title("cols") });
    stage.setAttribute("aria-label", label.replace(/^[.。]\s*/, ""));
    stage.setAttribute("aria-roledescription", frame.label("matrix_role"));
  }

  function cellAt(event) {
    if (!layout) return null;
    const { x, y } = frame.point(event);
    const { plot, cell } = layout;
    const row = Math.floor((y - plot.y) / cell.height);
    const col = Math.floor((x - plot.x) / cell.width);
    const [rows, cols] = shape();
    return row >= 0 && col >= 0 && row < rows && col < cols ? { row, col } : null;
  }

  function point(place) {
    if (place?.row === hover?.row && place?.col === hover?.col) return;
    hover = place;
    redrawOver();
  }

  function select(row, col) {
    hover = null;
    model.set("selected_row", row);
    model.set("selected_col", col);
    model.save_changes();
    redrawOver();
    const about = subject();
    if (about) frame.say(pairs(about).map(([name, what]) => `${name} ${what}`.trim()).join(", "));
  }

  stage.addEventListener("pointermove", (event) => point(cellAt(event)));
  stage.addEventListener("pointerleave", () => point(null));
  stage.addEventListener("click", (event) => {
    const place = cellAt(event);
    if (place) select(place.row, place.col);
  });
  stage.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && subject()) {
      select(-1, -1);
      event.stopPropagation();
      return;
    }
    const place = stepped(event, model.get("selected_row"), model.get("selected_col"), ...shape());
    if (!place) return;
    event.preventDefault();
    event.stopPropagation();
    select(...place);
  });

  const kinds = {
    values: "values", shape: "values", bins: "values", binning: "values", scale: "colors",
    rows: "draw", cols: "draw", heading: "draw", aspect: "draw", max_size: "draw", max_width: "draw", labels: "draw",
    selected_row: "over", selected_col: "over",
  };
  const stop = watch(model, kinds, update, answered);

  function update(dirty) {
    if (dirty.has("values")) {
      readValues();
      asked = null;
      hover = inside(hover);
    }
    if (dirty.has("colors")) drawn.key = "";
    if (dirty.has("values") || dirty.has("colors") || dirty.has("draw")) redraw();
    else if (dirty.has("over")) redrawOver();
  }

  function inside(place) {
    const [rows, cols] = shape();
    return place && place.row < rows && place.col < cols ? place : null;
  }

  readValues();
  frame.setTexts();
  redraw();
  return () => {
    clearTimeout(timer);
    stop();
    frame.destroy();
  };
}

export default { render };
