// Draws sheets inside the page, in a frame of its own: what is drawn there neither sees nor disturbs what is shown.

const STYLE =
  "position:fixed;left:0;top:0;width:1920px;height:1080px;border:0;opacity:0;pointer-events:none;z-index:-1";

/**
 * @param {string} script An expression, as the kernel writes it for a browser without a window, too: a promise of files.
 * @returns {Promise<Record<string, string>[]>} For each sheet its files: SVG as it is, PNG in base64.
 */
export async function drawnSheets(script) {
  const frame = document.createElement("iframe");
  frame.style.cssText = STYLE;
  frame.setAttribute("aria-hidden", "true");
  frame.tabIndex = -1;
  frame.srcdoc = "<!doctype html><meta charset=utf-8><body></body>";
  try {
    await new Promise((resolve) => {
      frame.addEventListener("load", resolve, { once: true });
      document.body.append(frame);
    });
    const inside = frame.contentDocument.createElement("script");
    inside.textContent = `window.drawn = ${script};`;
    frame.contentDocument.body.append(inside);
    if (!frame.contentWindow.drawn) throw new Error("its script did not run");
    return await frame.contentWindow.drawn;
  } finally {
    frame.remove();
  }
}

/**
 * @param {string} base64
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
}
