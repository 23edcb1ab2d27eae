// The network as a row of layers, the open layer as a row of steps with its two residual paths, and the way on.

import { element, watch } from "./js/frame.js";

// Columns of the row of steps: 𝒛 in, eight steps, 𝒛′, three steps, 𝒛 out; how wide each is for its words.
const FIRST = 8;
const WIDTHS = [0.8, 0.85, 0.95, 0.95, 1.4, 0.9, 1.25, 1.1, 0.75, 0.8, 0.85, 0.95, 0.75, 0.8];

/** What stands behind an underscore is set lower: z_l. */
function written(node, text) {
  const parts = text.split(/_([A-Za-z0-9−]+)/);
  node.replaceChildren(...parts.map((part, place) => (place % 2 ? element("sub", "", part) : part)));
  return node;
}

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const root = element("div", "vx-encmap");
  const network = element("div", "vx-encmap-network");
  const rail = element("div", "vx-encmap-rail");
  rail.tabIndex = 0;
  const foot = element("div", "vx-encmap-foot");
  const back = element("button", "vx-button vx-encoder-back");
  const next = element("button", "vx-button vx-encoder-next");
  const where = element("div", "vx-encmap-where");
  where.setAttribute("aria-live", "polite");
  for (const button of [back, next]) button.type = "button";
  foot.append(back, where, next);
  if (model.get("part") === "stepper") root.append(foot);
  else root.append(network, rail);
  el.append(root);

  const write = (name, value, limit) => {
    const clamped = Math.min(limit - 1, Math.max(0, value));
    if (clamped === model.get(name)) return;
    model.set(name, clamped);
    model.save_changes();
    mark();
  };
  const go = (step) => {
    if (model.get("every")) {
      // All steps stand below: go to it.
      root.closest(".vx-stage")?.querySelectorAll(".vx-encoder-step")[step]?.scrollIntoView({ block: "start" });
      return;
    }
    write("step", step, model.get("steps").length);
    // The buttons stay in view while a long step is read; the next step is then read from its beginning.
    const walk = root.closest(".vx-encoder-walk");
    if (walk && walk.getBoundingClientRect().top < foot.getBoundingClientRect().top - 24) walk.scrollIntoView({ block: "start" });
  };
  back.addEventListener("click", () => go(model.get("step") - 1));
  next.addEventListener("click", () => go(model.get("step") + 1));
  root.addEventListener("keydown", (event) => {
    if (event.altKey || event.metaKey || event.ctrlKey || event.target.closest(".vx-encmap-network")) return;
    const step = model.get("step");
    const places = { ArrowLeft: step - 1, ArrowRight: step + 1, Home: 0, End: model.get("steps").length - 1 };
    if (!(event.key in places)) return;
    event.preventDefault();
    event.stopPropagation();
    go(Math.min(model.get("steps").length - 1, Math.max(0, places[event.key])));
  });

  function build() {
    const words = model.get("words");
    if (!words.input) return;
    const layers = model.get("layers");
    network.setAttribute("role", "group");
    network.setAttribute("aria-label", words.layers);
    const many = layers > 16;
    const boxes = Array.from({ length: layers }, (_, layer) => {
      const button = element("button", "vx-encmap-layer", many ? "" : String(layer + 1));
      button.type = "button";
      button.title = `${words.layer} ${layer + 1}`;
      button.setAttribute("aria-label", button.title);
      button.addEventListener("click", () => write("layer", layer, layers));
      return button;
    });
    const line = element("div", many ? "vx-encmap-layers vx-encmap-many" : "vx-encmap-layers");
    line.append(...boxes);
    network.replaceChildren(written(element("span", "vx-encmap-end"), words.input), line, written(element("span", "vx-encmap-end"), words.output));

    rail.style.gridTemplateColumns = WIDTHS.map((width) => `minmax(0, ${width}fr)`).join(" ");
    rail.setAttribute("role", "group");
    rail.setAttribute("aria-label", words.steps);
    const steps = model.get("steps");
    const nodes = steps.map(({ symbol, name }, step) => {
      const button = written(element("button", "vx-encmap-step"), symbol);
      button.type = "button";
      button.tabIndex = -1; // the row as a whole answers the arrow keys
      button.title = `${step + 1}. ${name}`;
      button.setAttribute("aria-label", button.title);
      button.style.gridColumn = String(step + (step < FIRST ? 2 : 3));
      button.addEventListener("click", () => {
        go(step);
        // On a small screen the step begins below it: who clicks here wants to see it.
        const walk = root.closest(".vx-stage")?.querySelector(".vx-encoder-walk");
        if (!model.get("every") && walk?.getBoundingClientRect().top > 0.6 * window.innerHeight) walk.scrollIntoView({ block: "start" });
      });
      return button;
    });
    const end = (text, column) => {
      const node = written(element("span", "vx-encmap-z"), text);
      node.style.gridColumn = String(column);
      return node;
    };
    // A residual path leaves the row at one column and comes down on the sum.
    const path = (from, to) => {
      const arc = element("span", "vx-encmap-arc");
      arc.style.gridColumn = `${from} / ${to + 1}`;
      const span = WIDTHS.slice(from - 1, to);
      const half = (width) => (50 * width) / span.reduce((sum, each) => sum + each, 0);
      arc.style.marginLeft = `${half(span[0])}%`;
      arc.style.marginRight = `${half(span[span.length - 1])}%`;
      return arc;
    };
    const group = (text, from, to) => {
      const bracket = element("span", "vx-encmap-group", text);
      bracket.style.gridColumn = `${from} / ${to + 1}`;
      return bracket;
    };
    rail.replaceChildren(
      path(1, FIRST + 1),
      path(FIRST + 2, steps.length + 2),
      end(words.zIn, 1),
      ...nodes,
      end(words.zMid, FIRST + 2),
      end(words.zOut, steps.length + 3),
      group(words.msa, 3, FIRST),
      group(words.mlp, FIRST + 4, FIRST + 4),
    );
    back.textContent = `‹ ${words.back}`;
    next.textContent = `${words.next} ›`;
    mark();
  }

  function mark() {
    const [step, layer, every] = [model.get("step"), model.get("layer"), model.get("every")];
    network.querySelectorAll(".vx-encmap-layer").forEach((button, place) => {
      if (place === layer) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
    rail.querySelectorAll(".vx-encmap-step").forEach((button, place) => {
      button.classList.toggle("vx-encmap-done", !every && place < step);
      if (!every && place === step) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
    const names = model.get("steps");
    if (!names.length) return;
    const held = document.activeElement;
    back.disabled = every || step === 0;
    next.disabled = every || step === names.length - 1;
    // A disabled button hears no keys: at either end the arrow keys go on from the other one.
    if (held === next && next.disabled) back.focus({ preventScroll: true });
    else if (held === back && back.disabled) next.focus({ preventScroll: true });
    written(where, every ? model.get("words").every : `${step + 1} / ${names.length}  ${names[step].name}`);
  }

  const stop = watch(model, { layers: "all", steps: "all", words: "all", layer: "mark", step: "mark", every: "mark" }, (work) =>
    work.has("all") ? build() : mark(),
  );
  build();
  return stop;
}

export default { render };
