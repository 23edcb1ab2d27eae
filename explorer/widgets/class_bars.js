// The most probable classes: name, bar, probability; a click or Enter chooses one.

import { PAPER, answerScene, element } from "./js/frame.js";
import { fill } from "./js/numbers.js";
import { savePicture } from "./js/save.js";
import { measurer, shortened } from "./js/scene.js";

const ACCENT = "#c4006a";
const DOWN = '<svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"><path d="M8 2v8M4.5 6.8 8 10.3l3.5-3.5M3 13.5h10" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round"/></svg>';

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const root = element("div", "vxw vx-bars");
  const head = element("div", "vxw-head");
  const title = element("div", "vxw-title");
  const tools = element("div", "vxw-tools");
  const list = element("div", "vx-bars-list");
  const hint = element("div", "vxw-caption");
  head.append(title, tools);
  root.append(head, list, hint);
  el.append(root);

  const font = () => getComputedStyle(root).fontFamily || "sans-serif";
  const buttons = ["png", "svg"].map((format) => {
    const button = element("button", `vxw-button vxw-save-${format}`);
    button.type = "button";
    button.innerHTML = DOWN;
    button.append(element("span", "", format.toUpperCase()));
    button.addEventListener("click", () => savePicture(format, ...saved()));
    tools.append(button);
    return [format, button];
  });

  const saved = () => {
    const heading = model.get("heading");
    return [scene(), { title: heading.title, caption: "", notes: [], stem: heading.stem, font: font() }];
  };
  answerScene(root, saved);

  const show = () => {
    const heading = model.get("heading");
    title.textContent = heading.title ?? "";
    hint.textContent = heading.hint ?? "";
    for (const [format, button] of buttons) {
      const label = fill(model.get("labels")[`save_${format}`]);
      button.title = label;
      button.setAttribute("aria-label", `${label}: ${heading.title ?? ""}`);
    }
    const rows = model.get("rows");
    while (list.children.length > rows.length) list.lastChild.remove();
    while (list.children.length < rows.length) list.append(bar());
    rows.forEach((row, place) => {
      const item = list.children[place];
      item.dataset.index = String(row.index);
      const [name, track, percent] = item.children;
      name.textContent = row.name;
      name.title = row.name;
      track.firstChild.style.width = `${Math.max(row.prob * 100, 0.4)}%`;
      percent.textContent = row.percent;
    });
    mark();
  };

  const bar = () => {
    const item = element("button", "vx-bar-row");
    item.type = "button";
    const track = element("span", "vx-bar-track");
    track.append(element("span", "vx-bar-fill"));
    item.append(element("span", "vx-bar-name"), track, element("span", "vx-bar-percent"));
    item.addEventListener("click", () => {
      model.set("selected", Number(item.dataset.index));
      model.save_changes();
      mark();
    });
    return item;
  };

  const mark = () => {
    for (const item of list.children) item.setAttribute("aria-pressed", String(Number(item.dataset.index) === model.get("selected")));
  };

  function scene() {
    const measure = measurer(font());
    const [numbers, step] = [90, 44];
    const width = Math.min(900, Math.max(560, root.clientWidth));
    const longest = Math.max(0, ...model.get("rows").map((row) => measure(row.name, 18, 700)));
    const names = Math.min(longest + 20, width / 2);
    const items = [];
    model.get("rows").forEach((row, place) => {
      const y = place * step + step / 2;
      const weight = place === 0 ? 700 : 400;
      items.push({ kind: "text", x: 0, y, text: shortened(row.name, names - 16, measure, 18, weight), size: 18, weight, fill: PAPER.ink });
      items.push({ kind: "rect", x: names, y: y - 12, width: width - names - numbers, height: 24, radius: 4, fill: "#eceff5" });
      items.push({ kind: "rect", x: names, y: y - 12, width: Math.max(2, (width - names - numbers) * row.prob), height: 24, radius: 4, fill: ACCENT });
      items.push({ kind: "text", x: width, y, text: row.percent, size: 18, weight, anchor: "end", fill: PAPER.ink });
    });
    return { width, height: model.get("rows").length * step, items };
  }

  model.on("change:rows", show);
  model.on("change:heading", show);
  model.on("change:labels", show);
  model.on("change:selected", mark);
  show();
}

export default { render };
