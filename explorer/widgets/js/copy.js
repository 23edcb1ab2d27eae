// The clipboard.

/**
 * Whether a text is on the clipboard now. Browsers give the newer interface to pages of this machine or with https
 * only, so that a page in a lecture hall needs the older one.
 * @param {string} text
 * @param {HTMLElement} el Where a field may stand for a moment.
 * @returns {Promise<boolean>}
 */
export async function copyText(text, el) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const before = document.activeElement;
    const field = document.createElement("textarea");
    field.value = text;
    Object.assign(field.style, { position: "fixed", left: "-9999px", top: "0" });
    el.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    before?.focus?.();
    return done;
  }
}
