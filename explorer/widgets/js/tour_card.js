// One question of the guided tour: its card, what became of it, and the way to the next one.

import { made } from "./made.js";

/** @typedef {{ id: string, question: string, choices: string[], right: number, failed: boolean, why: string,
 *   look: string }} Card */
/** @typedef {{ answer(choice: number): void, step(by: number): void, leave(): void }} Actions */

/** The choice of those who want to be shown. */
export const SHOWN = -1;
const SIGNS = { right: "✓", wrong: "✗", shown: "→", open: "–" };

let serial = 0;

/**
 * What became of a question.
 * @param {Card | undefined} card
 * @param {number | undefined} choice
 */
export function outcome(card, choice) {
  if (!card || choice === undefined) return "open";
  if (choice === SHOWN) return "shown";
  return choice === card.right ? "right" : "wrong";
}

/**
 * @param {string} template
 * @param {Record<string, any>} values
 */
export function filled(template, values) {
  return (template ?? "").replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/**
 * @param {Actions} actions
 */
export function tourCard(actions) {
  serial += 1;
  const root = made("section", "vx-tour-card");
  root.tabIndex = -1;
  // JupyterLab takes number keys from whatever has the focus in a cell's output.
  root.dataset.lmSuppressShortcuts = "true";
  const place = made("p", "vx-tour-place");
  const question = made("h3", "vx-tour-question");
  question.id = `vx-tour-${serial}-${Math.random().toString(36).slice(2)}`;
  const choices = made("div", "vx-tour-choices");
  choices.setAttribute("role", "group");
  choices.setAttribute("aria-labelledby", question.id);
  const show = made("button", "vx-tour-show");
  show.dataset.lmSuppressShortcuts = "true";
  const asked = made("div", "vx-tour-asked");
  asked.append(place, question, choices);

  const promise = made("p", "");
  const offer = made("div", "vx-tour-promise");
  offer.append(promise, show);
  const result = made("div", "vx-tour-result");
  const verdict = made("p", "vx-tour-verdict");
  const why = made("p", "vx-tour-why");
  const look = made("p", "vx-tour-look");
  result.append(verdict, why, look);
  const told = made("div", "vx-tour-told");
  told.append(offer, result);
  const live = made("p", "vx-tour-live");
  live.setAttribute("role", "status");
  root.append(asked, told, live);

  const steps = made("div", "vx-tour-steps");
  steps.setAttribute("role", "group");
  const back = made("button", "vx-tour-step");
  const progress = made("span", "vx-tour-progress");
  const next = made("button", "vx-tour-step vx-tour-next");
  const leave = made("button", "vx-tour-leave");
  steps.append(back, progress, next, leave);

  /** @type {Card | undefined} */
  let card;
  let chosen;
  let drawn = "";
  const answer = (choice) => {
    if (!card || chosen !== undefined || choice >= card.choices.length) return;
    actions.answer(choice);
    // What is said of the answer is read out; the next thing that a reader wants is the next question.
    next.focus({ preventScroll: true });
  };
  show.addEventListener("click", () => answer(SHOWN));
  back.addEventListener("click", () => actions.step(-1));
  next.addEventListener("click", () => actions.step(1));
  leave.addEventListener("click", () => actions.leave());
  for (const part of [root, steps]) {
    part.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (/^[1-9]$/.test(event.key) && part === root) answer(Number(event.key) - 1);
      else if (event.key === "ArrowRight" && !next.hasAttribute("disabled")) actions.step(1);
      else if (event.key === "ArrowLeft" && !back.hasAttribute("disabled")) actions.step(-1);
      else return;
      event.preventDefault();
    });
  }

  const line = (item, name, words) => {
    item.replaceChildren(made("b", "", name), document.createTextNode(` ${words}`));
  };

  return {
    root,
    steps,
    answer,
    /**
     * @param {Card | undefined} given
     * @param {number | undefined} choice
     * @param {Record<string, string>} texts
     * @param {{ number: number, total: number, stage: number, name: string }} at
     */
    show(given, choice, texts, at) {
      const before = chosen;
      [card, chosen] = [given, choice];
      const answered = choice !== undefined;
      root.setAttribute("aria-label", filled(texts.region, at));
      root.classList.toggle("vx-tour-answered", answered);
      place.textContent = filled(texts.place, at);
      question.textContent = given?.question ?? texts.waiting ?? "";
      show.textContent = texts.show ?? "";
      show.style.visibility = given ? "" : "hidden";
      promise.textContent = texts.promise ?? "";
      const known = given !== undefined && given.right >= 0;
      const kind = outcome(given, choice);
      // Only what is new is made anew: whatever has the focus keeps it.
      const looks = JSON.stringify([given?.choices, known && given.right, choice, texts["mark-right"]]);
      if (looks !== drawn) {
        drawn = looks;
        choices.replaceChildren(
          ...(given?.choices ?? []).map((words, index) => {
            const mark = !answered || !known ? "" : index === given.right ? "right" : index === choice ? "wrong" : "";
            const item = choiceButton(index + 1, words, mark, texts);
            item.setAttribute("aria-disabled", String(answered));
            item.addEventListener("click", () => answer(index));
            return item;
          }),
        );
      }
      const said = known
        ? `${SIGNS[kind]} ${texts[kind] ?? ""}`
        : `… ${(given?.failed ? texts.failed : texts.working) ?? ""}`;
      result.dataset.outcome = known ? kind : "";
      verdict.replaceChildren(made("b", "", said));
      if (known) verdict.append(` ${filled(texts.answer, { choice: given.choices[given.right] })}`);
      line(why, texts.why, given?.why ?? "");
      line(look, texts.look, given?.look ?? "");
      why.style.visibility = known ? "" : "hidden";
      const words = answered ? [verdict, known && why, look].map((item) => (item ? item.textContent : "")).join(" ") : "";
      // Of a card that opens with its answer, the card itself is read.
      if (!answered || before !== undefined || live.textContent) live.textContent = words;
      else queueMicrotask(() => (live.textContent = words));

      steps.setAttribute("aria-label", texts.button ?? "");
      back.textContent = `‹ ${texts.back ?? ""}`;
      back.toggleAttribute("disabled", at.number === 1);
      next.textContent = at.number === at.total ? (texts.finish ?? "") : `${texts.next ?? ""} ›`;
      next.classList.toggle("vx-tour-onward", answered);
      progress.textContent = filled(texts.progress, at);
      leave.textContent = texts.leave ?? "";
    },
  };
}

/**
 * @param {number} number
 * @param {string} words
 * @param {string} mark What became of it: a sign and a word, colour is not enough.
 * @param {Record<string, string>} texts
 */
function choiceButton(number, words, mark, texts) {
  const item = made("button", "vx-tour-choice");
  item.dataset.lmSuppressShortcuts = "true";
  item.append(made("span", "vx-tour-key", String(number)), made("span", "vx-tour-words", words));
  item.append(made("span", "vx-tour-mark", mark ? `${SIGNS[mark]} ${texts[`mark-${mark}`] ?? ""}` : ""));
  if (mark) item.dataset.mark = mark;
  return item;
}

/**
 * How the tour went, a line a stage that leads there.
 * @param {(index: number) => void} go
 * @param {() => void} again
 */
export function tourSummary(go, again) {
  const root = made("section", "vx-tour-card vx-tour-summary");
  root.tabIndex = -1;
  const title = made("h3", "vx-tour-question");
  const hint = made("p", "vx-tour-place");
  const list = made("ul", "vx-tour-list");
  const anew = made("button", "vx-tour-show");
  anew.addEventListener("click", again);
  root.append(title, hint, list, anew);
  return {
    root,
    /**
     * @param {{ number: number, name: string, outcome: string }[]} stages
     * @param {Record<string, string>} texts
     */
    show(stages, texts) {
      root.setAttribute("aria-label", texts["summary-region"] ?? "");
      const right = stages.filter((stage) => stage.outcome === "right").length;
      title.textContent = filled(texts.summary, { right, total: stages.length });
      hint.textContent = texts["summary-hint"] ?? "";
      anew.textContent = texts.again ?? "";
      list.replaceChildren(
        ...stages.map((stage, index) => {
          const item = made("li", "");
          const link = choiceButton(stage.number, stage.name, stage.outcome, texts);
          link.addEventListener("click", () => go(index));
          item.append(link);
          return item;
        }),
      );
    },
  };
}
