// The button that copies a matrix as CSV.

import { copyText } from "./copy.js";
import { matrixCsv } from "./csv.js";
import { download } from "./save.js";

const COPY =
  '<svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" fill="none" stroke="currentColor" ' +
  'stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round">' +
  '<path d="M5.5 5.5h8v8h-8zM3 10.5H2.5v-8h8V3"/></svg>';

/** A longer text is saved as a file: no clipboard is made for it, and no spreadsheet takes it. */
const MOST_COPIED = 4_000_000;

/**
 * The button that copies a matrix as CSV, or saves it as a file where it is too large to be copied.
 * @param {HTMLElement} tools Where it goes.
 * @param {() => Promise<(object & {stem: string, large?: boolean}) | null>} table What `matrixCsv` takes; null where it
 *   cannot be had. `large` where it was waited for: by then a browser no longer lets a page copy.
 * @param {(key: string, values: object) => void} said Told what happened, and how many rows and columns it had.
 * @returns {HTMLButtonElement}
 */
export function csvButton(tools, table, said) {
  const button = document.createElement("button");
  button.className = "vxw-button vxw-copy-csv";
  button.type = "button";
  button.innerHTML = `${COPY}<span>CSV</span>`;
  button.addEventListener("click", async () => {
    const given = await table();
    if (!given) {
      said("csv_failed", {});
      return;
    }
    const text = matrixCsv(given);
    const size = { rows: given.rows.length, cols: given.cols.length };
    if (!given.large && text.length <= MOST_COPIED && (await copyText(text, tools))) {
      said("csv_copied", size);
      return;
    }
    // Spreadsheets take a file for UTF-8 when it says so.
    download(new Blob(["\ufeff", text], { type: "text/csv" }), given.stem, "csv");
    said("csv_saved", size);
  });
  tools.append(button);
  return button;
}
