// An element with its class and its text.

/**
 * @param {string} tag
 * @param {string} css
 * @param {string} text
 * @returns {HTMLElement}
 */
export function made(tag, css, text = "") {
  const item = document.createElement(tag);
  if (item instanceof HTMLButtonElement) item.type = "button";
  item.className = css;
  item.textContent = text;
  return item;
}
