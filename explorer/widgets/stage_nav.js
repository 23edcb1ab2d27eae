// The page's contents: links to the stages, with the one that is read marked.

import { goTo } from "./js/travel.js";

// How much of the bar's first row has room, widest first.
const FITS = ["all", "tight", "names", "numbers"];

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const nav = document.createElement("nav");
  nav.className = "vx-nav";
  el.append(nav);
  /** @type {Map<string, HTMLElement>} */
  const links = new Map();
  const section = (id) => (el.closest(".vx") ?? document).querySelector(`.vx-stage-${id}`);

  const fill = () => {
    nav.setAttribute("aria-label", model.get("label"));
    nav.replaceChildren();
    links.clear();
    for (const { id, number, name } of model.get("stages")) {
      const link = document.createElement("button");
      link.type = "button";
      link.className = "vx-nav-link";
      link.dataset.stage = id;
      const digit = document.createElement("span");
      digit.className = "vx-nav-number";
      digit.textContent = String(number);
      const label = document.createElement("span");
      label.textContent = name;
      link.append(digit, label);
      link.addEventListener("click", () => {
        const target = section(id);
        if (target) goTo(target);
      });
      nav.append(link);
      links.set(id, link);
    }
    mark();
  };

  // The stage that is read is the last one whose top has passed the upper third of the window, or a bar that reaches
  // below that (in JupyterLab, or with much to say).
  const mark = () => {
    const bar = el.closest(".vx-bar")?.getBoundingClientRect().bottom ?? 0;
    const line = Math.max(window.innerHeight / 3, bar + 24);
    let current = "";
    for (const id of links.keys()) {
      const place = section(id);
      // In teaching mode all but one are hidden.
      const top = place?.getClientRects().length ? place.getBoundingClientRect().top : undefined;
      if (top !== undefined && (current === "" || top < line)) current = id;
    }
    for (const [id, link] of links) {
      if (id !== current) link.removeAttribute("aria-current");
      else if (!link.hasAttribute("aria-current")) {
        link.setAttribute("aria-current", "true");
        fit();
        reveal(link);
      }
    }
  };

  // Beside a notebook's file browser not all names have room: first they move together, then the page's own name goes,
  // then those of the stages but for the one that is read.
  const fit = () => {
    const row = nav.closest(".vx-top");
    for (const level of row ? FITS : []) {
      row.dataset.fit = level;
      if (nav.scrollWidth <= nav.clientWidth) break;
    }
    for (const link of links.values()) link.title = row?.dataset.fit === "numbers" ? link.lastChild.textContent : "";
  };

  // Where not even the numbers have room the contents scroll on their own; scrollIntoView would stop the page's gliding.
  const reveal = (link) => {
    const [before, within] = [link.offsetLeft - nav.offsetLeft, nav.clientWidth - link.offsetWidth];
    nav.scrollLeft = Math.max(Math.min(nav.scrollLeft, before), before - within);
  };

  let waiting = 0;
  const later = () => {
    if (!waiting) waiting = requestAnimationFrame(() => ((waiting = 0), mark()));
  };
  model.on("change:stages", fill);
  model.on("change:label", fill);
  document.addEventListener("scroll", later, { capture: true, passive: true });
  document.addEventListener("vx-shown", later);
  const wide = new ResizeObserver(fit);
  wide.observe(el);
  fill();
  later();
  return () => {
    document.removeEventListener("scroll", later, { capture: true });
    document.removeEventListener("vx-shown", later);
    wide.disconnect();
    cancelAnimationFrame(waiting);
  };
}

export default { render };
