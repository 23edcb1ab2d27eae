// A slider over a few things that have names, with a button for one step to either side.

/**
 * @param {HTMLElement} body
 * @param {string} labelId What names it.
 * @param {object} parts
 * @param {() => number} parts.count
 * @param {(index: number) => string} parts.name
 * @param {(index: number) => void} parts.choose
 */
export function slider(body, labelId, { count, name, choose }) {
  const button = (text, step) => {
    const item = document.createElement("button");
    item.type = "button";
    item.className = "vx-step";
    item.textContent = text;
    item.setAttribute("aria-labelledby", labelId);
    item.tabIndex = -1; // the slider itself answers the arrow keys
    item.addEventListener("click", () => move(Number(input.value) + step));
    return item;
  };
  const input = document.createElement("input");
  input.type = "range";
  input.min = "0";
  input.step = "1";
  input.setAttribute("aria-labelledby", labelId);
  const output = document.createElement("output");
  output.className = "vx-slider-value";
  body.append(button("‹", -1), input, button("›", 1), output);
  const say = (index) => {
    const text = index >= 0 && index < count() ? name(index) : "";
    output.textContent = text;
    input.setAttribute("aria-valuetext", text);
  };
  const move = (index) => {
    if (index < 0 || index >= count()) return;
    input.value = String(index);
    say(index);
    choose(index);
  };
  input.addEventListener("input", () => move(Number(input.value)));
  return {
    /** Other things, or other names of them. */
    fill() {
      input.max = String(Math.max(count() - 1, 0));
      // As wide as the longest name, so that nothing moves while sliding.
      let widest = 0;
      for (let index = 0; index < count(); index += 1) widest = Math.max(widest, digits(name(index)));
      output.style.minWidth = `${widest}ch`;
    },
    /** @param {number} index */
    mark(index) {
      input.value = String(Math.max(index, 0));
      say(index);
    },
  };
}

/** How many digits are as wide as a text: Japanese characters are twice as wide. */
function digits(text) {
  let count = 0;
  for (const sign of text) count += sign > "\u2e7f" ? 2 : 1;
  return count;
}
