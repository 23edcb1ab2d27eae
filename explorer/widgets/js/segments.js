// A choice of one among a few, as radio buttons that are drawn side by side; and a box to tick.

import { element } from "./frame.js";

// Every widget brings its own copy of this module; radio buttons of two of them must not share a name.
const COPY = Math.random().toString(36).slice(2);
let serial = 0;

/**
 * @param {HTMLElement} parent
 * @param {string} className
 * @param {(string | boolean)[]} values
 * @param {(value: string | boolean) => void} choose
 */
export function segments(parent, className, values, choose) {
  serial += 1;
  const id = `vxa-${COPY}-${serial}`;
  const root = element("div", `vxa-choice ${className}`);
  const caption = element("span", "vxa-choice-label");
  caption.id = id;
  const body = element("div", "vxa-segments");
  body.setAttribute("role", "radiogroup");
  body.setAttribute("aria-labelledby", id);
  const parts = values.map((value, index) => {
    const label = element("label", "vxa-segment");
    const input = document.createElement("input");
    input.type = "radio";
    input.name = `${id}-group`;
    input.value = String(index);
    input.addEventListener("change", () => choose(value));
    const text = element("span", "");
    label.append(input, text);
    body.append(label);
    return { value, input, text };
  });
  root.append(caption, body);
  parent.append(root);
  return {
    /**
     * @param {string} name
     * @param {string[]} labels One for each value.
     * @param {string | boolean} value
     */
    set(name, labels, value) {
      caption.textContent = name;
      parts.forEach((part, index) => {
        part.text.textContent = labels[index];
        part.input.checked = part.value === value;
      });
    },
  };
}
