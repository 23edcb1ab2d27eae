// Reads the page's address once, and keeps the page's language, title and place in step with the kernel's.

import { askedOf } from "./js/asked.js";
import { goTo } from "./js/travel.js";

/** @typedef {{ get(name: string): any, set(name: string, value: any): void, save_changes(): void,
 *   on(event: string, call: () => void): void }} Model */

/** @param {{ model: Model }} context */
function initialize({ model }) {
  const page = document.documentElement;
  const parameters = askedOf({
    ours: page.hasAttribute("data-vit-explorer"),
    search: window.location.search,
    language: page.lang,
    browser: navigator.languages ?? [navigator.language],
    known: model.get("languages"),
    greet: model.get("greet"),
  });
  model.set("parameters", parameters);
  // A notebook that is opened again goes on in the language that it was left in.
  model.set("greet", false);
  model.save_changes();
}

/** @param {{ model: Model, el: HTMLElement }} context */
function render({ model, el }) {
  el.style.display = "none";
  const apply = () => {
    const language = model.get("language");
    el.closest(".vx")?.setAttribute("lang", language);
    // Only a page that is ours is renamed: in JupyterLab the window belongs to the user.
    if (document.documentElement.hasAttribute("data-vit-explorer")) {
      document.documentElement.lang = language;
      document.title = model.get("title");
      // The parts of the page, for those who jump between them.
      for (const [part, role] of [["bar", "banner"], ["stages", "main"]]) {
        el.closest(".vx")?.querySelector(`.vx-${part}`)?.setAttribute("role", role);
      }
    }
  };
  model.on("change:language", apply);
  model.on("change:title", apply);
  const go = () => {
    const section = (el.closest(".vx") ?? document).querySelector(`.vx-stage-${CSS.escape(model.get("stage"))}`);
    if (model.get("stage") && section) goTo(section);
  };
  model.on("change:stage", go);
  // The widget is put into the page after it is rendered.
  requestAnimationFrame(() => {
    apply();
    go();
  });
}

export default { initialize, render };
