// Copies a link to what the page shows: what the kernel says of it, the stage that is being read, and the guided tour.
import { copyText } from "./js/copy.js";

const SAID = 4000;
/** A kernel that says nothing for so long is gone; a busy one is waited for. */
const PATIENCE = 10_000;
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
  const leftOut = (shown) => {
    if (!shown.own_model) return shown.own_picture ? "own" : null;
    return shown.own_picture ? "own-both" : "own-model";
  };
  const waiting = new Map();
  let serial = 0;
  const ask = () =>
    new Promise((resolve) => {
      serial += 1;
      waiting.set(serial, resolve);
      setTimeout(resolve, PATIENCE, null);
      try {
        model.send({ kind: "link", serial });
      } catch {
        resolve(null); // without a kernel
      }
    });
  const onMessage = (message) => {
    if (message?.kind !== "link") return;
    waiting.get(message.serial)?.(message);
    waiting.delete(message.serial);
  };
  // What was chosen a moment ago may not have come back yet, so that the kernel is asked; twice, because a control
  // holds its next value back until the kernel is done with the one before, and that is so when the first answer comes.
  const shownNow = async () => {
    const first = await ask();
    const known = { query: model.get("query"), own_picture: model.get("own_picture"), own_model: model.get("own_model") };
    return first ? ((await ask()) ?? first) : known;
  };
  let clicks = 0;
  button.addEventListener("click", async () => {
    clicks += 1;
    const mine = clicks;
    button.setAttribute("aria-busy", "true");
    const shown = await shownNow();
    if (mine !== clicks) return;
    button.removeAttribute("aria-busy");
    const stage = (el.closest(".vx") ?? document).querySelector(".vx-nav [aria-current]")?.getAttribute("data-stage");
    const tour = el.closest(".vx-touring") ? "&tour=1" : "";
    const query = shown.query + (stage ? `&stage=${encodeURIComponent(stage)}` : "") + tour;
    // In JupyterLab the window's address is the user's own: what opens the same page there is a line of Python.
    const ours = document.documentElement.hasAttribute("data-vit-explorer");
    const link = ours ? `${location.origin}${location.pathname}?${query}` : `Dashboard(link="?${query}")`;
    const copied = await copyText(link, el);
    say(copied ? model.get("texts")[leftOut(shown) ?? (ours ? "copied" : "line")] : link);
  });
  model.on("change:texts", label);
  model.on("msg:custom", onMessage);
  label();
  return () => {
    clicks += 1;
    clearTimeout(timer);
    model.off("change:texts", label);
    model.off("msg:custom", onMessage);
  };
}

export default { render };
