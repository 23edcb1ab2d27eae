// A plotly chart in the page's look.

import { PAPER, element, saveButtons, themeOf } from "./js/frame.js";
import { fill } from "./js/numbers.js";
import { dressed, loadPlotly } from "./js/plotly.js";
import { download } from "./js/save.js";

const SETTINGS = { displayModeBar: false, responsive: false, doubleClick: false, scrollZoom: false, showTips: false };

/** A title that holds none of plotly's markup stands where the titles of all drawings do. */
function plainTitle(figure) {
  const title = figure?.layout?.title;
  const text = typeof title === "string" ? title : title?.text;
  return text && !title.subtitle && !/[<&]/.test(text) ? text : "";
}

/** A figure without what is marked in it. */
function unmarked(figure) {
  return JSON.stringify({ ...figure, layout: { ...figure.layout, shapes: [] } });
}

function render({ model, el }) {
  const root = element("div", "vxw vxw-chart");
  const head = element("div", "vxw-head");
  const title = element("div", "vxw-title");
  const tools = element("div", "vxw-tools");
  const plot = element("div", "vxw-plot");
  const message = element("div", "vxw-waiting");
  plot.setAttribute("role", "img");
  head.append(title, tools);
  root.append(head, plot, message);
  el.append(root);
  const label = (key, values) => fill(model.get("labels")[key], values);

  const buttons = saveButtons(tools, save);

  const style = getComputedStyle(root);
  let plotly = null;
  const closing = new AbortController();
  let failure = "";
  let drawing = Promise.resolve();
  let width = 0;
  let seen = false;

  function figure() {
    const text = model.get("figure_json");
    return text ? JSON.parse(text) : null;
  }

  function place() {
    return { font: style.fontFamily, height: model.get("height"), width };
  }

  function setTexts() {
    plot.setAttribute("aria-label", model.get("alt"));
    title.textContent = plainTitle(figure());
    buttons.name(label, model.get("stem"), plotly !== null && figure() !== null);
    message.textContent = failure ? label("chart_failed", { reason: failure }) : label("chart_loading");
    message.hidden = plotly !== null && !failure;
    const height = figure()?.layout?.height ?? model.get("height");
    root.style.setProperty("--vxw-height", `${height}px`);
  }

  /** Draw the newest figure; one drawing at a time, since plotly's are asynchronous. */
  function draw() {
    setTexts();
    if (!plotly || !width || closing.signal.aborted) return;
    drawing = drawing.then(async () => {
      const newest = figure();
      if (closing.signal.aborted || !newest || plot.vxShown === `${width} ${model.get("figure_json")}`) return;
      if (plainTitle(newest)) delete newest.layout.title;
      const { data, layout } = dressed(newest, themeOf(style), place());
      const first = !plot.classList.contains("js-plotly-plot");
      const plain = `${width} ${unmarked(newest)}`;
      try {
        // Where only marks have moved, plotly need not work out the whole chart again, which takes it some twenty times
        // as long.
        if (plain === plot.vxPlain) await plotly.relayout(plot, { shapes: layout.shapes ?? [] });
        else await plotly.react(plot, data, layout, SETTINGS);
        plot.vxPlain = plain;
        failure = "";
        plot.vxShown = `${width} ${model.get("figure_json")}`;
        if (first) plot.on("plotly_click", clicked);
      } catch (error) {
        console.error("plotly", error);
        failure = String(error?.message ?? error);
      }
      setTexts();
    });
  }

  function clicked(event) {
    const [point] = event.points ?? [];
    if (!point) return;
    const n = (model.get("clicked").n ?? 0) + 1;
    model.set("clicked", { curve: point.curveNumber, point: point.pointIndex ?? point.pointNumber, n });
    model.save_changes();
  }

  async function save(format) {
    const newest = figure();
    if (!plotly || !newest) return;
    const { data, layout } = dressed(newest, { ...PAPER, accent: themeOf(style).accent }, place());
    const paper = { ...layout, paper_bgcolor: "#ffffff" };
    const size = { width: layout.width, height: layout.height };
    const address = await plotly.toImage({ data, layout: paper }, { format, scale: format === "png" ? 2 : 1, ...size });
    const blob = await (await fetch(address)).blob();
    download(blob, model.get("stem"), format);
  }

  function load() {
    failure = "";
    loadPlotly(model, model.get("version"), closing.signal).then(
      (library) => {
        plotly = library;
        draw();
      },
      (error) => {
        failure = String(error?.message ?? error);
        setTexts();
      },
    );
  }

  const resize = new ResizeObserver(() => {
    const now = Math.floor(plot.clientWidth);
    if (now > 0 && now !== width) {
      width = now;
      draw();
    }
  });
  resize.observe(plot);
  // The library is asked for when a chart comes near the screen, not when the page is opened.
  const sight = new IntersectionObserver(
    (entries) => {
      if (seen || !entries.some((entry) => entry.isIntersecting)) return;
      seen = true;
      sight.disconnect();
      load();
    },
    { rootMargin: "600px" },
  );
  sight.observe(root);

  const events = ["figure_json", "height", "stem", "alt", "labels"].map((trait) => `change:${trait}`);
  const redraw = () => {
    if (failure && !plotly && seen) load();
    draw();
  };
  for (const event of events) model.on(event, redraw);
  draw();
  return () => {
    closing.abort();
    resize.disconnect();
    sight.disconnect();
    for (const event of events) model.off(event, redraw);
    plotly?.purge(plot);
    root.remove();
  };
}

export default { render };
