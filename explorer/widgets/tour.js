// The guided tour: in every stage a question, and its picture covered until it is answered. The kernel writes the
// questions of the stages that are looked at; which answer was given, and what is covered, is the browser's matter.

import { made } from "./js/made.js";
import { outcome, tourCard, tourSummary } from "./js/tour_card.js";
import { goTo } from "./js/travel.js";

const ICON = '<svg viewBox="0 0 20 20" width="21" height="21" aria-hidden="true"><g fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round"><path d="M3 2.5h14v11h-7l-4 4v-4H3z"/><path d="M8.2 6.4a1.9 1.9 0 1 1 2.6 1.8c-.6.3-.8.6-.8 1.2M10 11.3v.1"/></g></svg>';
/** What tells a question's answer: formulas and sizes, the picture, footnotes. */
const COVERED = [".vx-theory", ".vx-stage-body", ".vx-footnotes"];
const FIELDS = "input, select, textarea, [contenteditable]";
/** So many frames the page may take until all of its stages are there. */
const PATIENCE = 1200;

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const button = made("button", "vx-link-button vx-tour-open");
  button.innerHTML = ICON;
  el.append(button);

  /** @type {{ id: string, number: number, name: string, section: Element, card: any }[]} */
  let parts = [];
  let summary;
  let observer;
  let onScreen = null;

  const root = () => el.closest(".vx");
  const sectionOf = (id) => root()?.querySelector(`.vx-stages > .vx-stage-${CSS.escape(id)}`);
  const chosen = (part) => {
    const [card, given] = [model.get("cards")[part.id], model.get("answers")[part.id]];
    return card && given && given.id === card.id ? given.choice : undefined;
  };

  // -- what is seen -------------------------------------------------------------------------------------------------

  const want = (ids) => {
    const wanted = model.get("wanted");
    const more = ids.filter((id) => id && !wanted.includes(id));
    if (!more.length) return;
    model.set("wanted", [...wanted, ...more]);
    model.save_changes();
  };
  const cover = (section, covered) => {
    section.toggleAttribute("data-tour-covered", covered);
    for (const part of COVERED) {
      const item = section.querySelector(`:scope > ${part}`);
      // Not to be seen, not to be reached by the keyboard, and not to be read out.
      item?.toggleAttribute("inert", covered);
      if (covered) item?.setAttribute("data-tour-cover", model.get("texts").cover ?? "");
      else item?.removeAttribute("data-tour-cover");
    }
  };
  const draw = () => {
    const texts = model.get("texts");
    button.title = texts.hint ?? "";
    button.setAttribute("aria-label", texts.button ?? "");
    button.setAttribute("aria-pressed", String(parts.length > 0));
    const names = Object.fromEntries(model.get("stages").map((stage) => [stage.id, stage.name]));
    parts.forEach((part, index) => {
      part.name = names[part.id] ?? part.id;
      const choice = chosen(part);
      const at = { number: index + 1, total: parts.length, stage: part.number, name: part.name };
      part.card.show(model.get("cards")[part.id], choice, texts, at);
      cover(part.section, choice === undefined);
    });
    const cards = model.get("cards");
    summary?.show(
      parts.map((part) => ({ ...part, outcome: outcome(cards[part.id], chosen(part)) })),
      texts,
    );
  };

  // -- where one is -------------------------------------------------------------------------------------------------

  const go = (index) => {
    const part = parts[index];
    if (!part) return;
    fold(true);
    onScreen = part.section;
    want([part.id, parts[index + 1]?.id]);
    goTo(part.section);
    part.card.root.focus({ preventScroll: true });
  };
  /** The last card, or what comes after it. */
  const fold = (folded) => {
    const last = parts[parts.length - 1];
    if (!last || !summary) return;
    summary.root.hidden = folded;
    last.card.root.hidden = !folded;
    last.card.steps.classList.toggle("vx-tour-done", !folded);
  };
  const step = (index, by) => {
    // Back from how it went is back to the last question.
    if (summary && !summary.root.hidden && by < 0) return go(index);
    if (index + by < parts.length) return go(index + by);
    fold(false);
    goTo(parts[index].section);
    summary.root.focus({ preventScroll: true });
  };
  /** Keys of teaching mode, the contents, a link: they lead through the tour, too. */
  const onShown = () => {
    const section = root()?.querySelector(".vx-teaching .vx-on-screen, .vx-stages > .vx-on-screen") ?? null;
    if (section && section !== onScreen) {
      const part = parts.find((one) => one.section === section);
      fold(true);
      part?.card.root.focus({ preventScroll: true });
    }
    onScreen = section;
  };

  /** On a page of our own a number answers the question that is in view, wherever the focus was left. */
  const onKey = (event) => {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || !/^[1-9]$/.test(event.key)) return;
    if (!document.documentElement.hasAttribute("data-vit-explorer")) return;
    if (event.target instanceof Element && event.target.closest(FIELDS)) return;
    const part = parts.find((one) => one.id === readNow());
    if (!part || part.card.root.hidden || chosen(part) !== undefined) return;
    part.card.answer(Number(event.key) - 1);
    event.preventDefault();
  };
  const readNow = () => root()?.querySelector(".vx-nav [aria-current]")?.getAttribute("data-stage");

  // -- beginning and end --------------------------------------------------------------------------------------------

  const start = (patience = PATIENCE) => {
    const stages = model.get("stages");
    if (parts.length || !model.get("running")) return;
    if (!root() || !stages.every((stage) => sectionOf(stage.id))) {
      if (patience) requestAnimationFrame(() => start(patience - 1));
      return;
    }
    parts = stages.map((stage, index) => {
      const card = tourCard({
        answer: (choice) => {
          const id = model.get("cards")[stage.id]?.id;
          model.set("answers", { ...model.get("answers"), [stage.id]: { id, choice } });
          model.save_changes();
        },
        step: (by) => step(index, by),
        leave: () => finish(),
      });
      const section = sectionOf(stage.id);
      section.querySelector(":scope > .vx-stage-head").after(card.root);
      section.append(card.steps);
      return { id: stage.id, number: stage.number, name: stage.name, section, card };
    });
    summary = tourSummary(go, () => {
      model.set("answers", {});
      model.save_changes();
      go(0);
    });
    parts[parts.length - 1].card.root.after(summary.root);
    fold(true);
    root().classList.add("vx-touring");
    observer = new IntersectionObserver(
      (entries) => want(entries.filter((one) => one.isIntersecting).map((one) => partOf(one.target)?.id)),
      { rootMargin: "50% 0px" },
    );
    for (const part of parts) observer.observe(part.section);
    document.addEventListener("vx-shown", onShown);
    document.addEventListener("keydown", onKey);
    // What costs next to nothing is there before it is wanted, and before the kernel builds a stage; the last question
    // takes runs of the model.
    want(parts.slice(0, -1).map((part) => part.id));
    draw();
  };
  const partOf = (section) => parts.find((one) => one.section === section);
  const stop = () => {
    observer?.disconnect();
    document.removeEventListener("vx-shown", onShown);
    document.removeEventListener("keydown", onKey);
    root()?.classList.remove("vx-touring");
    for (const part of parts) {
      cover(part.section, false);
      part.card.root.remove();
      part.card.steps.remove();
    }
    summary?.root.remove();
    [parts, summary, onScreen] = [[], undefined, null];
  };
  const run = (running) => {
    model.set("running", running);
    model.save_changes();
  };
  const finish = () => {
    // The card above the picture is gone: the stage that was looked at stays.
    const read = readNow();
    run(false);
    const section = read && sectionOf(read);
    if (section) goTo(section);
    button.focus({ preventScroll: true });
  };
  const follow = () => {
    if (!model.get("running")) stop();
    else start();
    draw();
  };

  button.addEventListener("click", () => {
    if (parts.length) return finish();
    run(true);
    go(Math.max(0, parts.findIndex((part) => chosen(part) === undefined)));
  });
  model.on("change:running", follow);
  for (const trait of ["texts", "stages", "cards", "answers"]) model.on(`change:${trait}`, draw);
  follow();
  return () => {
    stop();
    for (const trait of ["texts", "stages", "cards", "answers"]) model.off(`change:${trait}`, draw);
    model.off("change:running", follow);
  };
}

export default { render };
