// The bar's menu of files that the kernel makes of what the page shows. What a file needs drawn is drawn here.

import { made } from "./js/made.js";
import { SAVE, menu } from "./js/menu.js";
import { byteArray } from "./js/numbers.js";
import { download } from "./js/save.js";
import { bytesOf, drawnSheets } from "./js/sheet_frame.js";

/** Most bytes in a message: JupyterLab's server drops what is above 10 MB without a word. */
const PIECE = 4 * 1024 * 1024;

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const button = made("button", "vx-link-button vx-export-open");
  button.innerHTML = SAVE;
  const choices = made("div", "vx-export-choices");
  choices.setAttribute("role", "group");
  const stop = made("button", "vx-button vx-export-stop");
  stop.addEventListener("click", () => model.send({ kind: "stop" }));
  el.append(button, choices);
  const opened = menu(el, button, choices);
  /** Whether this view has asked: a page may be open in two. */
  let asking = false;
  let rows = [];

  const build = () => {
    rows = Object.keys(model.get("files")).map((id) => {
      const row = made("div", "vx-export-row");
      const make = made("button", `vx-button vx-export-${id}`);
      const hint = made("span", "vx-export-hint");
      hint.setAttribute("role", "status");
      make.addEventListener("click", () => {
        // That one is being made is known here only when the kernel has said so; a second click may come sooner.
        if (asking || model.get("making").file) return;
        asking = true;
        model.send({ kind: "make", file: id });
      });
      row.append(make, hint);
      return { id, row, make, hint };
    });
    choices.replaceChildren(...rows.map(({ row }) => row));
  };
  const show = () => {
    const { files, texts, making } = Object.fromEntries(["files", "texts", "making"].map((key) => [key, model.get(key)]));
    if (rows.map(({ id }) => id).join() !== Object.keys(files).join()) build();
    for (const { id, row, make, hint } of rows) {
      make.textContent = files[id].label;
      // Not disabled: that would take the focus from whoever works by keyboard.
      make.setAttribute("aria-disabled", String(Boolean(making.file)));
      const mine = making.file === id;
      hint.textContent = mine ? making.words : files[id].hint;
      hint.classList.toggle("vx-export-making", mine);
      if (mine && stop.parentElement !== row) row.append(stop);
    }
    if (!making.file) {
      // Whoever pressed it goes on from the button beside it.
      if (stop === document.activeElement) stop.parentElement.querySelector("button").focus();
      stop.remove();
    }
    stop.textContent = texts.stop ?? "";
    button.title = (making.file && making.words) || (texts.hint ?? "");
    button.setAttribute("aria-label", texts.button ?? "");
    button.classList.toggle("vx-export-busy", Boolean(making.file));
    choices.setAttribute("aria-label", texts.button ?? "");
  };
  const draw = async ({ number, script }) => {
    try {
      const [{ png }] = await drawnSheets(script);
      const data = bytesOf(png);
      for (let at = 0; at < data.length; at += PIECE) {
        const piece = data.slice(at, at + PIECE);
        const last = at + PIECE >= data.length;
        model.send({ kind: "drawn", number, offset: at, last }, undefined, [piece.buffer]);
      }
    } catch (error) {
      model.send({ kind: "undrawn", number, problem: String(error?.message ?? error) });
    }
  };
  const answered = (message, buffers) => {
    if (!asking) return;
    if (message.kind === "draw") draw(message);
    else asking = false;
    if (message.kind === "file") {
      download(new Blob([byteArray(buffers[0])], { type: message.mime }), message.stem, message.ending);
      opened.close();
    }
  };
  for (const trait of ["files", "texts", "making"]) model.on(`change:${trait}`, show);
  model.on("msg:custom", answered);
  show();
  return () => {
    opened.destroy();
    for (const trait of ["files", "texts", "making"]) model.off(`change:${trait}`, show);
    model.off("msg:custom", answered);
  };
}

export default { render };
