// A button that has the kernel make a file, and hands it to the browser as a download.

import { element } from "./js/frame.js";
import { byteArray } from "./js/numbers.js";
import { download } from "./js/save.js";

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const button = element("button", "vx-button vx-file-button");
  button.type = "button";
  const hint = element("span", "vx-file-hint");
  hint.setAttribute("role", "status");
  el.append(button, hint);
  let making = false;

  const show = () => {
    const texts = model.get("texts");
    button.textContent = texts.label ?? "";
    hint.textContent = (making ? texts.making : texts.hint) ?? "";
    // Not disabled: that would take the focus from whoever works by keyboard.
    button.setAttribute("aria-disabled", String(making));
  };
  const answered = (message, buffers) => {
    making = false;
    show();
    if (message.kind === "file") download(new Blob([byteArray(buffers[0])], { type: message.mime }), message.stem, message.ending);
  };
  button.addEventListener("click", () => {
    if (making) return;
    making = true;
    show();
    model.send({ kind: "make" });
  });
  model.on("change:texts", show);
  model.on("msg:custom", answered);
  show();
  return () => {
    model.off("change:texts", show);
    model.off("msg:custom", answered);
  };
}

export default { render };
