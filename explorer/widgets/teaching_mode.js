// Teaching mode: one stage a screen, larger, the controls folded away. All of it happens in the browser.

import { made } from "./js/made.js";
import { goTo } from "./js/travel.js";

const OPEN = '<svg viewBox="0 0 20 16" width="21" height="18" aria-hidden="true"><path d="M1.5 1.5h17M3 1.5v9.5h14V1.5M10 11v1.5M6.5 15l3.5-2.5L13.5 15" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"/></svg>';
/** What takes every key that it is given; and what takes arrows alone: a picture, a matrix, a slider. */
const FIELDS = "input, select, textarea, [contenteditable]";
const ARROWS = "[role=slider], [role=grid], [role=application], summary, [tabindex='0']";
/** How long the steps stay in sight when nobody moves the pointer, in milliseconds: they lie over the stage. */
const IN_SIGHT = 3000;

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const button = made("button", "vx-link-button vx-teach-open");
  button.innerHTML = OPEN;
  const place = made("div", "vx-teach-place");
  place.hidden = true;
  const back = made("button", "vx-teach-step", "‹");
  const name = made("output", "vx-teach-name");
  const next = made("button", "vx-teach-step", "›");
  const leave = made("button", "vx-teach-leave");
  place.append(back, name, next, leave);
  el.append(button, place);

  // The widget is put into the page after it is rendered.
  const root = () => el.closest(".vx");
  const sections = () => [...(root()?.querySelectorAll(".vx-stages > .vx-stage") ?? [])];
  const teaching = () => root()?.classList.contains("vx-teaching") ?? false;
  const shown = () => sections().findIndex((section) => section.classList.contains("vx-on-screen"));

  const show = (index) => {
    const all = sections();
    const wanted = all[Math.max(0, Math.min(index, all.length - 1))];
    if (!wanted) return;
    for (const section of all) section.classList.toggle("vx-on-screen", section === wanted);
    const at = all.indexOf(wanted);
    [back.disabled, next.disabled] = [at === 0, at === all.length - 1];
    const id = [...wanted.classList].find((one) => one.startsWith("vx-stage-"))?.slice("vx-stage-".length);
    const link = root().querySelector(`.vx-nav-link[data-stage="${id}"]`);
    name.textContent = [...(link?.children ?? [])].map((part) => part.textContent).join("  ");
    window.scrollTo({ top: 0, behavior: "auto" });
    document.dispatchEvent(new CustomEvent("vx-shown"));
  };
  const enter = () => {
    const read = root().querySelector(".vx-nav [aria-current]")?.getAttribute("data-stage");
    const index = sections().findIndex((section) => section.classList.contains(`vx-stage-${read}`));
    root().classList.add("vx-teaching");
    place.hidden = false;
    comeInSight();
    show(Math.max(index, 0));
    label();
  };
  const quit = () => {
    const section = sections()[shown()];
    root().classList.remove("vx-teaching");
    for (const one of sections()) one.classList.remove("vx-on-screen");
    place.hidden = true;
    label();
    if (section) goTo(section);
  };
  const toggle = () => (teaching() ? quit() : enter());
  let resting;
  const comeInSight = () => {
    clearTimeout(resting);
    place.classList.remove("vx-teach-resting");
    if (teaching()) resting = setTimeout(() => place.classList.add("vx-teach-resting"), IN_SIGHT);
  };

  const label = () => {
    const texts = model.get("texts");
    button.title = texts.hint ?? "";
    button.setAttribute("aria-label", texts.button ?? "");
    button.setAttribute("aria-pressed", String(teaching()));
    leave.textContent = texts.leave ?? "";
    for (const [step, key] of [[back, "back"], [next, "next"]]) {
      step.setAttribute("aria-label", texts[key] ?? "");
      step.title = texts[key] ?? "";
    }
    if (teaching()) show(shown());
  };

  const onKey = (event) => {
    const within = event.target instanceof Element ? event.target : document.body;
    // What has used a key itself says so.
    if (within.closest(FIELDS) || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    const free = !within.closest(ARROWS) || within.closest("button");
    if (event.key === "t" || event.key === "T") toggle();
    else if (!teaching()) return;
    else if (event.key === "Escape") quit();
    else if (event.key === "ArrowRight" && free) show(shown() + 1);
    else if (event.key === "ArrowLeft" && free) show(shown() - 1);
    // What a presenter's remote sends: on through a long stage first, then to the next.
    else if (event.key === "PageDown" && atEnd()) show(shown() + 1);
    else if (event.key === "PageUp" && window.scrollY <= 0) show(shown() - 1);
    else return;
    event.preventDefault();
  };
  const atEnd = () => window.scrollY + window.innerHeight >= document.documentElement.scrollHeight - 2;
  /** Whatever leads to a stage (the contents, the overview, a link) leads to it here, too. */
  const onGo = (event) => {
    if (teaching()) show(sections().indexOf(event.detail));
  };

  button.addEventListener("click", toggle);
  leave.addEventListener("click", quit);
  back.addEventListener("click", () => show(shown() - 1));
  next.addEventListener("click", () => show(shown() + 1));
  model.on("change:texts", label);
  document.addEventListener("keydown", onKey);
  document.addEventListener("vx-go", onGo);
  document.addEventListener("pointermove", comeInSight);
  // In JupyterLab the page and its keys are the user's own.
  el.hidden = !document.documentElement.hasAttribute("data-vit-explorer");
  if (el.hidden) document.removeEventListener("keydown", onKey);
  label();
  return () => {
    clearTimeout(resting);
    document.removeEventListener("pointermove", comeInSight);
    document.removeEventListener("keydown", onKey);
    document.removeEventListener("vx-go", onGo);
  };
}

export default { render };
