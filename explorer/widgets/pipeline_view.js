// The drawing of the whole pipeline: each part leads to its stage.

import { answerScene, element } from "./js/frame.js";
import { byteArray, fill, floats } from "./js/numbers.js";
import { HEIGHT, WIDTH, pipelineSvg } from "./js/pipeline.js";
import { download } from "./js/save.js";
import { measurer } from "./js/scene.js";
import { goTo } from "./js/travel.js";

const PAPER = {
  ink: "#131c2e", muted: "#526077", line: "#d8deea", surface: "#ffffff", page: "#f3f5fa", accent: "#c4006a", soft: "#fbe6f1",
};
const DOWN = '<svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"><path d="M8 2v8M4.5 6.8 8 10.3l3.5-3.5M3 13.5h10" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round"/></svg>';

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const root = element("div", "vx-pipe");
  const tools = element("div", "vxw-tools vx-pipe-tools");
  const scroller = element("div", "vx-pipe-scroll");
  const note = element("p", "vx-pipe-note");
  const foot = element("div", "vx-pipe-foot");
  foot.append(note, tools);
  root.append(scroller, foot);
  el.append(root);

  const style = getComputedStyle(root);
  const font = () => style.fontFamily || "sans-serif";
  const section = (stage) => root.closest(".vx")?.querySelector(`.vx-stage-${CSS.escape(stage)}`) ?? null;
  const theme = () => {
    const names = { ink: "ink", muted: "muted", line: "line", surface: "surface", page: "page", accent: "accent", soft: "accent-soft" };
    return Object.fromEntries(Object.entries(names).map(([key, name]) => [key, style.getPropertyValue(`--vx-${name}`).trim() || PAPER[key]]));
  };

  const address = (value, type) => (byteArray(value).length ? `data:${type};base64,${base64(byteArray(value))}` : "");
  const pictures = () => ({
    photo: address(model.get("photo"), "image/jpeg"),
    pieces: address(model.get("pieces"), "image/png"),
    thumbnails: model.get("thumbnails"),
    strips: floats(model.get("strips")),
  });
  const drawn = (colors, leads) => pipelineSvg(model.get("drawing"), pictures(), colors, measurer(font()), font(), leads);

  const buttons = ["png", "svg"].map((format) => {
    const button = element("button", `vxw-button vxw-save-${format}`);
    button.type = "button";
    button.innerHTML = DOWN;
    button.append(element("span", "", format.toUpperCase()));
    button.addEventListener("click", () => save(format));
    tools.append(button);
    return [format, button];
  });

  let links = "";
  let focused = null;
  const show = () => {
    const drawing = model.get("drawing");
    if (!drawing.rows) return;
    focused = root.contains(document.activeElement) ? document.activeElement.dataset?.stage : null;
    links = present();
    // Every text in it went through escapeXml, every picture was encoded by us.
    scroller.innerHTML = drawn(theme(), (stage) => section(stage) !== null);
    if (focused) scroller.querySelector(`[data-stage="${CSS.escape(focused)}"]`)?.focus();
    const gap = model.get("language") === "ja" ? "" : " ";
    note.textContent = links ? `${drawing.texts.note}${gap}${drawing.texts.links}` : drawing.texts.note;
    for (const [format, button] of buttons) {
      const label = fill(model.get("labels")[`save_${format}`]);
      button.title = label;
      button.setAttribute("aria-label", `${label}: ${drawing.texts.alt}`);
    }
  };
  const present = () => Object.keys(model.get("drawing").stages ?? {}).filter((stage) => section(stage)).join(" ");

  const paper = () => drawn(PAPER, () => false).replace("<g transform", `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/><g transform`);
  // A whole SVG in place of a scene's items.
  const saved = () => [{ width: WIDTH, height: HEIGHT, items: [], svg: paper() }, { title: "", caption: note.textContent, notes: [] }];
  answerScene(root, saved);

  async function save(format) {
    const { stem } = model.get("drawing");
    const svg = paper();
    if (format === "svg") return download(new Blob([svg], { type: "image/svg+xml" }), stem, "svg");
    const picture = new Image();
    picture.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
    try {
      await picture.decode();
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [WIDTH * 2, HEIGHT * 2];
      canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
      download(await new Promise((resolve) => canvas.toBlob(resolve, "image/png")), stem, "png");
    } finally {
      URL.revokeObjectURL(picture.src);
    }
  }

  const go = (event) => {
    const part = event.target.closest?.("[data-stage]");
    if (!part || (event.type === "keydown" && event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    const target = section(part.dataset.stage);
    if (target) goTo(target);
  };
  scroller.addEventListener("click", go);
  scroller.addEventListener("keydown", go);

  for (const name of ["drawing", "photo", "pieces", "strips", "labels"]) model.on(`change:${name}`, later);
  let waiting = 0;
  function later() {
    // Several traits change together: one drawing for all of them.
    if (!waiting) waiting = requestAnimationFrame(() => ((waiting = 0), show()));
  }
  // Stages join the page while it is built; what leads where is looked at again when the drawing comes into view.
  const seen = new IntersectionObserver(() => {
    if (present() !== links) later();
  });
  seen.observe(root);
  later();
  return () => {
    seen.disconnect();
    cancelAnimationFrame(waiting);
  };
}

/** @param {Uint8Array} data */
function base64(data) {
  let text = "";
  for (let from = 0; from < data.length; from += 0x8000) text += String.fromCharCode(...data.subarray(from, from + 0x8000));
  return btoa(text);
}

export default { render };
