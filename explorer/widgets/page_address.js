// Reads the page's address once, and keeps the page's language and title in step with the kernel's.

/** @typedef {{ get(name: string): any, set(name: string, value: any): void, save_changes(): void,
 *   on(event: string, call: () => void): void }} Model */

/** @param {{ model: Model }} context */
function initialize({ model }) {
  const parameters = Object.fromEntries(new URLSearchParams(window.location.search));
  // Where nothing is asked for, a page of our own goes on in the language that the browser was greeted in.
  const page = document.documentElement;
  if (!("lang" in parameters) && page.hasAttribute("data-vit-explorer")) parameters.lang = page.lang;
  model.set("parameters", parameters);
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
    }
  };
  model.on("change:language", apply);
  model.on("change:title", apply);
  // The widget is put into the page after it is rendered.
  requestAnimationFrame(apply);
}

export default { initialize, render };
