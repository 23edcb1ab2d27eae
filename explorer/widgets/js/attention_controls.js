// The controls of the attention view. They stand in the view itself: a change is drawn at once, and told to the kernel.

import { MEAN, ROLLOUT } from "./attention.js";
import { element } from "./frame.js";
import { segments } from "./segments.js";
import { slider } from "./slider.js";

// Every widget brings its own copy of this module; labels of two of them must not share a name.
const COPY = Math.random().toString(36).slice(2);

/**
 * Sliders for layer, head and token.
 * @param {HTMLElement} parent
 * @param {object} view
 */
export function openControls(parent, view) {
  /** The heads as the slider has them: the mean before the first one, the rollout after the last. */
  const headAt = (index) => (index > view.run.heads ? ROLLOUT : index + MEAN);
  const indexOf = (head) => (head === ROLLOUT ? view.run.heads + 1 : head - MEAN);
  const one = (trait, caption, parts, index) => {
    const root = parent.appendChild(element("div", `vxa-choice vx-${trait}`));
    const label = root.appendChild(element("span", "vxa-choice-label"));
    label.id = `vxa-${trait}-${COPY}`;
    const body = root.appendChild(element("div", "vxa-slider"));
    return { ...slider(body, label.id, parts), index, name: () => (label.textContent = view.label(caption())) };
  };
  const all = [
    one(
      "layer",
      () => "layer",
      {
        count: () => view.run.layers,
        name: (layer) => String(layer + 1),
        choose: (layer) => view.choose({ layer }),
      },
      () => view.wantedLayer(),
    ),
    one(
      "head",
      () => "head",
      {
        count: () => view.run.heads + (view.run.rollout ? 2 : 1),
        name: (index) => view.headName(headAt(index)),
        choose: (index) => view.choose({ head: headAt(index) }),
      },
      () => indexOf(view.head),
    ),
    one(
      "query",
      () => (view.direction === "looks" ? "query" : "key"),
      {
        count: () => view.run.tokens,
        name: (token) => view.name(token),
        choose: (token) => view.choose({ token }),
      },
      () => view.chosen(),
    ),
  ];
  return {
    /** Another run, or other words. */
    fill() {
      for (const part of all) part.fill();
    },
    mark() {
      for (const part of all) {
        part.name();
        part.mark(part.index());
      }
    },
  };
}

/**
 * Switches: which way one looks, and how the colours are scaled; and, further down, what the wall shows.
 * @param {HTMLElement} top
 * @param {HTMLElement} below
 * @param {object} view
 */
export function switches(top, below, view) {
  const { model, label } = view;
  const one = (parent, trait, name, values) => {
    const part = segments(parent, `vxa-${name}`, Object.values(values), (value) => view.choose({ [trait]: value }));
    const words = () => Object.keys(values).map((key) => label(`${name}-${key}`));
    return () => part.set(label(name), words(), model.get(trait));
  };
  const all = [
    one(top, "direction", "direction", { looks: "looks", seen: "seen" }),
    one(top, "log", "scale", { linear: false, log: true }),
    one(top, "per_head", "common", { one: false, own: true }),
    one(below, "wall_kind", "wall-kind", { token: "token", matrix: "matrix" }),
    one(below, "wall_order", "wall-order", { head: "head", distance: "distance" }),
  ];
  const warning = top.appendChild(element("div", "vxa-warning"));
  warning.setAttribute("role", "status");
  return () => {
    for (const mark of all) mark();
    warning.textContent = model.get("per_head") ? label("scale-note-own") : "";
  };
}
