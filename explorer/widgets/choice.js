// One of several options: a native menu, radio buttons drawn as segments, or a slider with steps to either side.

import { slider } from "./js/slider.js";

/** @typedef {{ value: string | number, label: string, short?: string, group?: string, note?: string, disabled?: boolean }} Option */

// Every widget brings its own copy of this module: a counter alone would give radio buttons of two of them one name,
// and the browser would let only one of all those be chosen.
const COPY = Math.random().toString(36).slice(2);
let names = 0;

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const root = document.createElement("div");
  const caption = document.createElement("span");
  caption.className = "vx-choice-label";
  caption.id = `vx-choice-${COPY}-${++names}`;
  const body = document.createElement("div");
  body.className = "vx-choice-body";
  root.append(caption, body);
  el.append(root);

  /** @returns {Option[]} */
  const options = () => model.get("options");
  const choose = (value) => {
    if (value === model.get("value")) return;
    model.set("value", value);
    model.save_changes();
  };
  let build;
  const fill = () => {
    caption.textContent = model.get("label");
    caption.hidden = !model.get("label");
    root.classList.toggle("vx-disabled", model.get("disabled"));
    root.inert = model.get("disabled");
    build.fill();
    build.mark();
  };
  const make = () => {
    const kind = model.get("kind");
    root.className = `vx-choice vx-choice-${kind}`;
    body.replaceChildren();
    for (const name of ["role", "aria-labelledby"]) body.removeAttribute(name);
    build = { menu, segments, slider: sliderOf }[kind](body, caption.id, options, choose, () => model.get("value"));
    fill();
  };
  model.on("change:kind", make);
  for (const name of ["options", "label", "disabled"]) model.on(`change:${name}`, fill);
  model.on("change:value", () => build.mark());
  make();
}

function menu(body, labelId, options, choose, value) {
  const select = document.createElement("select");
  select.className = "vx-select";
  select.setAttribute("aria-labelledby", labelId);
  // A closed menu shows the option's short name, where it has one; the open one its whole label.
  const short = document.createElement("span");
  short.className = "vx-select-short";
  short.setAttribute("aria-hidden", "true");
  body.append(select, short);
  select.addEventListener("change", () => {
    const option = options()[Number(select.value)];
    if (option) choose(option.value);
  });
  return {
    fill() {
      select.replaceChildren();
      let group = null;
      options().forEach((option, index) => {
        const item = new Option(option.label, String(index));
        item.disabled = Boolean(option.disabled);
        if (option.note) item.title = option.note;
        if (option.group && option.group !== group?.label) {
          group = document.createElement("optgroup");
          group.label = option.group;
          select.append(group);
        }
        (option.group ? group : select).append(item);
      });
    },
    mark() {
      const index = options().findIndex((option) => option.value === value());
      select.value = String(index);
      short.textContent = options()[index]?.short ?? "";
      select.classList.toggle("vx-select-shortened", short.textContent !== "");
    },
  };
}

function segments(body, labelId, options, choose, value) {
  body.setAttribute("role", "radiogroup");
  body.setAttribute("aria-labelledby", labelId);
  const name = `${labelId}-group`;
  return {
    fill() {
      body.replaceChildren();
      options().forEach((option, index) => {
        const label = document.createElement("label");
        label.className = "vx-segment";
        if (option.note) label.title = option.note;
        const input = document.createElement("input");
        input.type = "radio";
        input.name = name;
        input.value = String(index);
        input.disabled = Boolean(option.disabled);
        input.addEventListener("change", () => choose(option.value));
        const text = document.createElement("span");
        text.textContent = option.label;
        label.append(input, text);
        body.append(label);
      });
    },
    mark() {
      const index = options().findIndex((option) => option.value === value());
      for (const input of body.querySelectorAll("input")) input.checked = Number(input.value) === index;
    },
  };
}

function sliderOf(body, labelId, options, choose, value) {
  const parts = slider(body, labelId, {
    count: () => options().length,
    name: (index) => options()[index].label,
    choose: (index) => choose(options()[index].value),
  });
  return { fill: parts.fill, mark: () => parts.mark(options().findIndex((option) => option.value === value())) };
}

export default { render };
