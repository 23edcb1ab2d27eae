// A button that opens a few choices below itself; Escape, leaving it and pressing elsewhere close them.

/**
 * @param {HTMLElement} host Holds both.
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} choices
 * @returns {{close: () => void, destroy: () => void}}
 */
export function menu(host, button, choices) {
  const show = (open) => {
    choices.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
  };
  const elsewhere = (event) => {
    if (!choices.hidden && !host.contains(event.target)) show(false);
  };
  const onKey = (event) => {
    if (event.key !== "Escape" || choices.hidden) return;
    // Not what Escape means to the page around.
    event.stopPropagation();
    event.preventDefault();
    show(false);
    button.focus();
  };
  button.addEventListener("click", () => show(choices.hidden));
  host.addEventListener("keydown", onKey);
  document.addEventListener("pointerdown", elsewhere);
  document.addEventListener("focusin", elsewhere);
  show(false);
  return {
    close: () => show(false),
    destroy() {
      document.removeEventListener("pointerdown", elsewhere);
      document.removeEventListener("focusin", elsewhere);
    },
  };
}

/** An arrow down onto a line: save. */
export const SAVE =
  '<svg viewBox="0 0 16 16" width="18" height="18" aria-hidden="true" fill="none" stroke="currentColor" ' +
  'stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round">' +
  '<path d="M8 2v8M4.5 6.8 8 10.3l3.5-3.5M3 13.5h10"/></svg>';
