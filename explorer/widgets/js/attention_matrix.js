// The whole T × T matrix of the open head. Large ones are worked out a few rows at a time, and drawn binned.

import { axisItems, matrixLayout, tickItems } from "./axes.js";
import { colorBar } from "./bar.js";
import { createFrame, stepped } from "./frame.js";
import { cellCanvas, colorize, enlargedPng } from "./heat.js";

/** How long the page's thread is taken at a time. */
const SLICE = 8;
/** How long the first piece may take, so that a matrix of ordinary size appears at once. */
const FIRST = 14;
/** At least this many CSS pixels are outlined. */
const VISIBLE = 7;

/**
 * @param {HTMLElement} el
 * @param {object} view
 */
export function matrixPane(el, view) {
  let layout = null;
  let cells = { name: "", canvas: null };
  let timer = 0;
  let hover = null;
  const frame = createFrame(el, view.model, {
    kind: "attention-matrix",
    resized: () => pane.redraw(),
    scene: (theme) => ({ width: layout.width, height: layout.height, items: [...still(theme), ...moving(theme)] }),
    texts: () => ({
      title: view.label("matrix-title", { head: view.headTitle() }),
      caption: "",
      stem: view.stem("matrix", { layer: true, head: true }),
      notes: notes(),
    }),
    table,
  });
  const { stage } = frame;
  stage.tabIndex = 0;
  stage.setAttribute("role", "application");

  const step = () => Math.max(1, Math.ceil(view.run.tokens / (layout.plot.width * Math.min(frame.ratio, 2)) - 0.01));

  /** Every weight of the open head, exactly, however few of them are drawn. */
  async function table() {
    const job = view.store.matrix(view.layer, view.head, 1);
    if (!job) return null;
    job.run();
    const names = Array.from({ length: view.run.tokens }, (_, token) => view.name(token));
    const axes = { rowAxis: view.label("axis-query"), colAxis: view.label("axis-key") };
    const title = view.label("matrix-title", { head: view.headTitle() });
    const stem = view.stem("matrix", { layer: true, head: true });
    return { title, stem, ...axes, rows: names, cols: names, values: job.values };
  }

  function notes() {
    const found = [view.label(view.head < -1 ? "rollout-caption" : "matrix-caption")];
    if (layout && step() > 1) found.push(view.label("matrix-binned", { step: step() }));
    return found;
  }

  /** The matrix as it is worked out so far; what is left goes on beside the page's other work. */
  function readCells(scale) {
    const { layer, head } = view;
    const job = view.store.matrix(layer, head, step());
    clearTimeout(timer);
    if (!job || !scale) {
      cells = { name: "", canvas: null };
      return;
    }
    if (!job.done) {
      const first = performance.now();
      job.run(() => performance.now() - first > FIRST);
      if (!job.done) timer = setTimeout(() => goOn(job), 0);
    }
    const name = `${view.run.key} ${layer} ${head} ${step()} ${scale.high} ${scale.log} ${job.done}`;
    if (name !== cells.name || !job.done) cells = { name, canvas: cellCanvas(pixelsOf(job, scale), job.side, job.side) };
  }

  function pixelsOf(job, scale) {
    const pixels = colorize(job.values, scale);
    // Rows that are not worked out yet stay empty.
    if (!job.done) for (let at = 0; at < job.values.length; at += 1) if (job.values[at] !== job.values[at]) pixels[at * 4 + 3] = 0;
    return pixels;
  }

  function goOn(job) {
    const start = performance.now();
    job.run(() => performance.now() - start > SLICE);
    if (job.done) {
      pane.redraw();
      return;
    }
    timer = setTimeout(() => goOn(job), 0);
  }

  function still(theme) {
    const { plot } = layout;
    const { tokens } = view.run;
    const items = [{ kind: "rect", ...plot, fill: theme.surface }];
    if (cells.canvas) {
      const { canvas } = cells;
      // The last cell may stand for fewer tokens than the others.
      const side = (canvas.width * step() * plot.width) / tokens;
      const shown = { x: plot.x, y: plot.y, width: Math.min(side, plot.width), height: Math.min(side, plot.height) };
      items.push({ kind: "image", ...shown, source: canvas, href: () => enlargedPng(canvas) });
    }
    items.push(...axisItems(layout, theme));
    const scale = view.scale(view.head);
    if (scale) {
      const { upright, labels, labelLine } = layout;
      items.push(
        ...colorBar({ scale, labels, upright, beside: plot, labelY: labelLine, theme, measure: frame.measure }),
      );
    }
    return items;
  }

  function moving(theme) {
    const { plot, cell } = layout;
    const line = view.direction === "looks" ? "row" : "col";
    const chosen = { row: -1, col: -1, rowText: "", colText: "" };
    chosen[line] = view.token;
    if (view.partner >= 0) chosen[line === "row" ? "col" : "row"] = view.partner;
    chosen.rowText = view.shortName(chosen.row);
    chosen.colText = view.shortName(chosen.col);
    const items = [];
    const mark = (box, color, width) => {
      const [growX, growY] = [Math.max(0, VISIBLE - box.width) / 2, Math.max(0, VISIBLE - box.height) / 2];
      const around = { x: box.x - growX, y: box.y - growY, width: box.width + 2 * growX, height: box.height + 2 * growY };
      items.push({ kind: "rect", ...around, stroke: "#ffffff", lineWidth: width + 2, alpha: 0.75 });
      items.push({ kind: "rect", ...around, stroke: color, lineWidth: width });
    };
    const [x, y] = [plot.x + chosen.col * cell.width, plot.y + chosen.row * cell.height];
    if (chosen.row >= 0) mark({ x: plot.x, y, width: plot.width, height: cell.height }, line === "row" ? theme.accent : "#10151b", 1.5);
    if (chosen.col >= 0) mark({ x, y: plot.y, width: cell.width, height: plot.height }, line === "col" ? theme.accent : "#10151b", 1.5);
    items.push(...tickItems(layout, theme, chosen, frame.measure));
    return items;
  }

  function cellUnder(event) {
    if (!layout) return null;
    const { x, y } = frame.point(event);
    const row = Math.floor((y - layout.plot.y) / layout.cell.height);
    const col = Math.floor((x - layout.plot.x) / layout.cell.width);
    const { tokens } = view.run;
    return row >= 0 && col >= 0 && row < tokens && col < tokens ? { row, col } : null;
  }

  function point(place) {
    hover = place;
    if (!place) view.preview(-1);
    else if (view.direction === "looks") view.preview(place.row, place.col);
    else view.preview(place.col, place.row);
  }

  const pane = {
    frame,
    redraw() {
      const { run } = view;
      if (!frame.width || run.tokens < 1) return;
      const scale = view.scale(view.head);
      const marks = Object.fromEntries(run.prefix.map((name, token) => [token, name]));
      const axis = (name) => ({ name: view.label(name), labels: [], marks, first: -run.prefix.length });
      layout = matrixLayout({
        width: frame.width,
        rows: run.tokens,
        cols: run.tokens,
        rowAxis: axis("axis-query"),
        colAxis: axis("axis-key"),
        aspect: "equal",
        maxSize: view.tall(),
        ratio: frame.ratio,
        scale: scale ?? { low: 0, high: 0.0123, colormap: "sequential", log: false, label: view.label("scale-label") },
        beyond: { below: view.log, above: true },
        measure: frame.measure,
      });
      readCells(scale);
      const theme = frame.theme();
      frame.draw({ width: layout.width, height: layout.height, items: still(theme) });
      frame.setTexts();
      stage.setAttribute("aria-label", view.label("matrix-aria-label", { head: view.headTitle(), tokens: run.tokens }));
      pane.paint();
    },
    paint() {
      if (layout) frame.drawOver(moving(frame.theme()));
    },
    destroy() {
      clearTimeout(timer);
      frame.destroy();
    },
  };

  stage.addEventListener("pointermove", (event) => point(cellUnder(event)));
  stage.addEventListener("pointerleave", () => point(null));
  stage.addEventListener("click", (event) => {
    const place = cellUnder(event);
    if (place) view.choose({ token: view.direction === "looks" ? place.row : place.col });
  });
  stage.addEventListener("keydown", (event) => {
    const { tokens } = view.run;
    const looks = view.direction === "looks";
    // What was pointed at last, unless another token was picked since.
    const near = hover && (looks ? hover.row : hover.col) === view.token;
    const at = near ? hover : { row: looks ? view.token : 0, col: looks ? 0 : view.token };
    const place = stepped(event, at.row, at.col, tokens, tokens);
    if (!place) return;
    event.preventDefault();
    event.stopPropagation();
    const [row, col] = place;
    hover = { row, col };
    view.walk(looks ? row : col, looks ? col : row);
    frame.say(view.spoken());
  });
  return pane;
}
