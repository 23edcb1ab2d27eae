// Copies a link to what the page shows: what the kernel says of it, the stage that is being read, and the guided tour.
import { copyText } from "./js/copy.js";

const SAID = 4000;
const ICON = '<svg viewBox="0 0 16 16" width="18" height="18" aria-hidden="true"><path d="M6.5 9.5l3-3M7 4.5l1.6-1.6a2.9 2.9 0 0 1 4.1 4.1L11 8.6M9 11.5l-1.6 1.6a2.9 2.9 0 0 1-4.1-4.1L5 7.4" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round"/></svg>';

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "vx-link-button";
  const said = document.createElement("span");
  said.className = "vx-link-said";
  said.setAttribute("role", "status");
  el.append(button, said);
  let timer = 0;

  const label = () => {
    button.innerHTML = ICON;
    button.setAttribute("aria-label", model.get("texts").label ?? "");
    button.title = model.get("texts").hint ?? "";
  };
  const say = (text) => {
    clearTimeout(timer);
    said.textContent = text;
    said.classList.toggle("vx-link-shown", text !== "");
    if (text) timer = setTimeout(say, SAID, "");
  };
  // What of the page is not in the link is said before anything else.
  const leftOut = () => {
    if (!model.get("own_model")) return model.get("own_picture") ? "own" : null;
    return model.get("own_picture") ? "own-both" : "own-model";
  };
  button.addEventListener("click", async () => {
    const stage = (el.closest(".vx") ?? document).querySelector(".vx-nav [aria-current]")?.getAttribute("data-stage");
    const tour = el.closest(".vx-touring") ? "&tour=1" : "";
    const query = model.get("query") + (stage ? `&stage=${encodeURIComponent(stage)}` : "") + tour;
    // In JupyterLab the window's address is the user's own: what opens the same page there is a line of Python.
    const ours = document.documentElement.hasAttribute("data-vit-explorer");
    const link = ours ? `${location.origin}${location.pathname}?${query}` : `Dashboard(link="?${query}")`;
    const copied = await copyText(link, el);
    say(copied ? model.get("texts")[leftOut() ?? (ours ? "copied" : "line")] : link);
  });
  model.on("change:texts", label);
  label();
  return () => clearTimeout(timer);
}

export default { render };
