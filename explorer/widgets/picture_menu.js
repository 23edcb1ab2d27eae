// Saves a stage as one picture, drawn in the page as the command line draws it.

import { made } from "./js/made.js";
import { SAVE, menu } from "./js/menu.js";
import { download } from "./js/save.js";
import { bytesOf, drawnSheets } from "./js/sheet_frame.js";

const TYPES = { png: "image/png", svg: "image/svg+xml" };

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const button = made("button", "vx-picture-open");
  const name = made("span", "");
  button.innerHTML = SAVE;
  button.append(name);
  const choices = made("div", "vx-picture-choices");
  choices.setAttribute("role", "group");
  const buttons = Object.keys(TYPES).map((format) => [format, made("button", "vx-button", format.toUpperCase())]);
  const caption = made("label", "vx-picture-caption");
  const box = made("input", "");
  box.type = "checkbox";
  box.checked = true;
  const captionName = made("span", "");
  caption.append(box, captionName);
  choices.append(...buttons.map(([, one]) => one), caption);
  const said = made("span", "vx-picture-said");
  said.setAttribute("role", "status");
  el.append(button, choices, said);
  const opened = menu(el, button, choices);

  let drawing = false;
  const show = () => {
    const texts = model.get("texts");
    name.textContent = texts.button ?? "";
    button.title = texts.hint ?? "";
    button.setAttribute("aria-label", texts.label ?? "");
    choices.setAttribute("aria-label", texts.label ?? "");
    captionName.textContent = texts.caption ?? "";
    for (const [format, one] of buttons) {
      one.setAttribute("aria-label", `${format.toUpperCase()}: ${texts.label ?? ""}`);
      // Not disabled: that would take the focus from whoever works by keyboard.
      one.setAttribute("aria-disabled", String(drawing));
    }
    said.textContent = (drawing && texts.making) || "";
  };
  const done = () => {
    drawing = false;
    show();
  };
  for (const [format, one] of buttons) {
    one.addEventListener("click", () => {
      if (drawing) return;
      drawing = true;
      show();
      model.send({ kind: "draw", format, caption: box.checked });
    });
  }
  const answered = async (message) => {
    // Another view of the same page may have asked.
    if (!drawing) return;
    if (message.kind !== "draw") return done();
    try {
      const [files] = await drawnSheets(message.script);
      const [[format, file]] = Object.entries(files);
      download(new Blob([format === "png" ? bytesOf(file) : file], { type: TYPES[format] }), message.stem, format);
      opened.close();
    } catch (error) {
      model.send({ kind: "undrawn", problem: String(error?.message ?? error) });
    }
    done();
  };
  model.on("change:texts", show);
  model.on("msg:custom", answered);
  show();
  return () => {
    opened.destroy();
    model.off("change:texts", show);
    model.off("msg:custom", answered);
  };
}

export default { render };
