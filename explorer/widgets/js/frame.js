// What stands around every drawing: title, buttons, readout, caption; its size, its colours, its keyboard.

import { csvButton } from "./csv_button.js";
import { fill } from "./numbers.js";
import { measurer, paint, wrapped } from "./scene.js";
import { savePicture } from "./save.js";

/**
 * @typedef {{ink: string, muted: string, line: string, surface: string, accent: string}} Theme
 */

/** Colours of saved pictures, whatever the page's own are: slides are mostly white. */
export const PAPER = { ink: "#1b1f24", muted: "#57606a", line: "#d3d9e0", surface: "#ffffff", accent: "#0b6bcb" };

const DOWN =
  '<svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" fill="none" stroke="currentColor" ' +
  'stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round">' +
  '<path d="M8 2v8M4.5 6.8 8 10.3l3.5-3.5M3 13.5h10"/></svg>';

/** So long it stays, what a button did. */
const SAID = 4000;

/** The widest number that a readout can hold. */
export const WIDEST = "−1.23456789×10⁻¹⁰";

const READOUT_LINE = 27;
const READOUT_GAP = 16;

/**
 * The longest of some texts, by what is about its width: wide characters count twice.
 * @param {string[]} texts
 * @returns {string}
 */
export function longestOf(texts) {
  let [longest, most] = ["", -1];
  for (const text of texts) {
    let size = 0;
    for (const sign of text) size += sign > "\u2e80" ? 2 : 1;
    if (size > most) [longest, most] = [text, size];
  }
  return longest;
}

/**
 * How many lines some boxes of these widths take.
 * @param {number[]} widths
 * @param {number} room
 * @returns {number}
 */
export function linesOf(widths, room) {
  let [lines, used] = [1, 0];
  for (const width of widths) {
    if (used > 0 && used + READOUT_GAP + width > room) [lines, used] = [lines + 1, width];
    else used += (used > 0 ? READOUT_GAP : 0) + width;
    // One that is wider than the room is broken itself.
    if (width > room) lines += Math.ceil(width / room) - 1;
  }
  return lines;
}

let serial = 0;

/**
 * @param {string} tag
 * @param {string} className
 * @param {string} [text]
 */
export function element(tag, className, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  if (text) node.textContent = text;
  return node;
}

/**
 * The buttons that save a picture.
 * @param {HTMLElement} tools Where they go.
 * @param {(format: "png" | "svg") => void} save
 * @returns {{name: (label: (key: string) => string, what: string, enabled?: boolean) => void}}
 */
export function saveButtons(tools, save) {
  const buttons = ["png", "svg"].map((format) => {
    const button = element("button", `vxw-button vxw-save-${format}`);
    button.type = "button";
    button.innerHTML = DOWN;
    button.append(element("span", "", format.toUpperCase()));
    button.addEventListener("click", () => save(format));
    tools.append(button);
    return [format, button];
  });
  return {
    name(label, what, enabled = true) {
      for (const [format, button] of buttons) {
        button.title = label(`save_${format}`);
        button.setAttribute("aria-label", `${button.title}: ${what}`);
        button.disabled = !enabled;
      }
    },
  };
}

/**
 * Give the drawing to whoever asks for it, to put it together with others: what they get is what the buttons save.
 * @param {HTMLElement} root Where the event `vxw-scene` arrives; its detail is called with what there is.
 * @param {() => [import("./scene.js").Scene, object]} saved
 */
export function answerScene(root, saved) {
  root.addEventListener("vxw-scene", ({ detail }) => detail(...saved()));
}

/**
 * The page's colours, as the style sheet gives them to a widget.
 * @param {CSSStyleDeclaration} style
 * @returns {Theme}
 */
export function themeOf(style) {
  const colors = Object.entries(PAPER).map(([name, otherwise]) => [
    name,
    style.getPropertyValue(`--vxw-${name}`).trim() || otherwise,
  ]);
  return Object.fromEntries(colors);
}

/**
 * Call `update` once for each message, with the kinds of work that its changes ask for.
 *
 * A message may change several traits; what they need is done when all of them are there.
 * @param {object} model
 * @param {Record<string, string>} kinds Trait to kind of work.
 * @param {(dirty: Set<string>) => void} update
 * @param {(message: object, buffers: DataView[]) => void} [answered] Custom messages from Python.
 * @returns {() => void} Stops listening.
 */
export function watch(model, kinds, update, answered) {
  const dirty = new Set();
  const listeners = Object.entries(kinds).map(([trait, kind]) => [`change:${trait}`, () => dirty.add(kind)]);
  listeners.push([
    "change",
    () => {
      const work = new Set(dirty);
      dirty.clear();
      if (work.size) update(work);
    },
  ]);
  if (answered) listeners.push(["msg:custom", answered]);
  for (const [event, listener] of listeners) model.on(event, listener);
  return () => {
    for (const [event, listener] of listeners) model.off(event, listener);
  };
}

/**
 * Build the frame of a widget inside `el`.
 *
 * @param {HTMLElement} el
 * @param {object} model
 * @param {object} parts
 * @param {string} parts.kind Class name of the widget.
 * @param {(width: number) => void} parts.resized Draw anew at this width.
 * @param {(theme: Theme) => import("./scene.js").Scene} parts.scene The drawing as it is saved.
 * @param {() => {title: string, caption: string, notes: string[], aside?: string, stem: string}} parts.texts
 * @param {() => Promise<object | null>} [parts.table] Of a matrix, its values and names; see `csvButton`.
 */
export function createFrame(el, model, parts) {
  serial += 1;
  const root = element("div", `vxw vxw-${parts.kind}`);
  const head = element("div", "vxw-head");
  const title = element("div", "vxw-title");
  title.id = `vxw-title-${serial}`;
  const tools = element("div", "vxw-tools");
  const stage = element("div", "vxw-stage");
  const base = element("canvas", "vxw-canvas");
  const over = element("canvas", "vxw-canvas vxw-over");
  const readout = element("div", "vxw-readout");
  const live = element("div", "vxw-live");
  live.setAttribute("aria-live", "polite");
  const notes = element("div", "vxw-notes");
  const caption = element("div", "vxw-caption");
  for (const canvas of [base, over]) canvas.setAttribute("aria-hidden", "true");
  stage.append(base, over);
  head.append(title, tools);
  root.append(head, stage, readout, notes, caption, live);
  el.append(root);

  const said = element("span", "vxw-said");
  said.setAttribute("role", "status");
  if (parts.table) tools.append(said);
  let telling = 0;

  const saved = () => [parts.scene({ ...PAPER, accent: frame.theme().accent }), { ...parts.texts(), font: font() }];
  const buttons = saveButtons(tools, (format) => savePicture(format, ...saved()));
  answerScene(root, saved);
  const csv = parts.table ? csvButton(tools, () => parts.table(), told) : null;
  const style = getComputedStyle(root);
  const font = () => style.fontFamily || "sans-serif";
  let measure = measurer(font());
  let measured = font();
  let width = 0;

  const frame = {
    root,
    stage,
    /** @returns {Theme} */
    theme: () => themeOf(style),
    measure(...given) {
      if (font() !== measured) {
        measured = font();
        measure = measurer(measured);
      }
      return measure(...given);
    },
    get width() {
      return width;
    },
    get ratio() {
      // Enlarged by the page (in teaching mode), a drawing gets more pixels, not larger ones.
      return (window.devicePixelRatio || 1) * (stage.currentCSSZoom ?? 1);
    },
    label(key, values) {
      return fill(model.get("labels")[key], values);
    },
    /** Paint the drawing itself. */
    draw(scene) {
      sized(base, scene);
      sized(over, scene);
      stage.style.width = `${scene.width}px`;
      stage.style.height = `${scene.height}px`;
      // The buttons stay with the drawing, however wide the page is.
      head.style.maxWidth = `${Math.max(scene.width, 380)}px`;
      painted(base, scene.items);
    },
    /** Paint what changes under the pointer and with the selection. */
    drawOver(items) {
      painted(over, items);
    },
    /** Texts around the drawing; none of them is ever read as HTML. */
    setTexts() {
      const texts = parts.texts();
      title.textContent = texts.title;
      caption.textContent = texts.caption;
      caption.hidden = !texts.caption;
      const said = texts.notes.filter(Boolean);
      // What is said of the readout belongs to the page only, not to a saved picture.
      notes.replaceChildren(...said.map((note) => element("div", "", [note, texts.aside].filter(Boolean).join(" "))));
      notes.hidden = said.length === 0;
      const what = texts.title || texts.stem;
      buttons.name(frame.label, what);
      if (csv) {
        csv.title = frame.label("copy_csv");
        csv.setAttribute("aria-label", `${csv.title}: ${what}`);
      }
    },
    /**
     * Show what is under the pointer: pairs of a name and what it is, or a plain sentence.
     * @param {[string, string][] | string} pairs
     */
    setReadout(pairs) {
      if (typeof pairs === "string") {
        readout.classList.add("vxw-hint");
        readout.replaceChildren(element("span", "vxw-hint-text", pairs));
        return;
      }
      readout.classList.remove("vxw-hint");
      readout.replaceChildren(
        ...pairs.map(([name, what], index) => {
          const last = index === pairs.length - 1;
          const pair = element("span", last ? "vxw-pair vxw-value" : "vxw-pair");
          if (name) pair.append(element("span", "vxw-name", name), " ");
          pair.append(element("span", "vxw-what", what));
          return pair;
        }),
      );
    },
    /**
     * Keep the room free that the readout may take, so that nothing below it moves under the pointer.
     * @param {[string, string][]} pairs The longest that there can be.
     * @param {string} hint
     */
    reserveReadout(pairs, hint) {
      const widths = pairs.map(([name, what], index) => {
        const value = index === pairs.length - 1;
        return (name ? frame.measure(`${name} `) : 0) + frame.measure(what, value ? 18 : 16, 600);
      });
      const lines = Math.max(linesOf(widths, width), wrapped(hint, width, frame.measure).length);
      readout.style.minHeight = `${lines * READOUT_LINE}px`;
    },
    /** Say something to a screen reader. */
    say(text) {
      live.textContent = text;
    },
    /** Where a pointer is in the drawing. */
    point(event) {
      const box = stage.getBoundingClientRect();
      // What the window shows of the stage may be larger than what the stage itself reckons with.
      const scale = box.width > 0 ? stage.offsetWidth / box.width : 1;
      return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
    },
    destroy() {
      clearTimeout(telling);
      observer.disconnect();
      screen.removeEventListener("change", watchScreen);
      root.remove();
    },
  };

  /** Say what a button did, beside it and to a screen reader, without moving anything. */
  function told(key, values) {
    clearTimeout(telling);
    said.textContent = frame.label(key, values);
    telling = setTimeout(() => said.replaceChildren(), SAID);
  }

  function sized(canvas, scene) {
    const ratio = frame.ratio;
    const [pixelsWide, pixelsHigh] = [Math.round(scene.width * ratio), Math.round(scene.height * ratio)];
    if (canvas.width !== pixelsWide || canvas.height !== pixelsHigh) {
      canvas.width = pixelsWide;
      canvas.height = pixelsHigh;
      canvas.style.width = `${scene.width}px`;
      canvas.style.height = `${scene.height}px`;
    }
  }

  function painted(canvas, items) {
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.scale(frame.ratio, frame.ratio);
    paint(context, items, font());
  }

  function resized() {
    const now = Math.floor(root.clientWidth);
    if (now > 0 && (now !== width || frame.ratio !== ratio)) {
      width = now;
      ratio = frame.ratio;
      parts.resized(width);
    }
  }

  let ratio = frame.ratio;
  const observer = new ResizeObserver(resized);
  observer.observe(root);
  // A window that is moved to a projector keeps its size, but not its pixels.
  let screen = null;
  function watchScreen() {
    screen?.removeEventListener("change", watchScreen);
    screen = window.matchMedia(`(resolution: ${frame.ratio}dppx)`);
    screen.addEventListener("change", watchScreen);
    if (width > 0) resized();
  }
  watchScreen();
  return frame;
}

/**
 * Arrow keys and their like as a step through rows and columns.
 * @param {KeyboardEvent} event
 * @param {number} row
 * @param {number} col
 * @param {number} rows
 * @param {number} cols
 * @returns {[number, number] | null} The new place, or null for any other key.
 */
export function stepped(event, row, col, rows, cols) {
  if (event.altKey || event.metaKey) return null;
  // A presenter's remote sends these: in teaching mode they lead to the next stage, wherever one has clicked.
  if (event.key.startsWith("Page") && event.target?.closest?.(".vx-teaching")) return null;
  const [lastRow, lastCol] = [rows - 1, cols - 1];
  const places = {
    ArrowUp: [row - 1, col],
    ArrowDown: [row + 1, col],
    ArrowLeft: [row, col - 1],
    ArrowRight: [row, col + 1],
    PageUp: [row - 10, col],
    PageDown: [row + 10, col],
    Home: event.ctrlKey ? [0, 0] : [row, 0],
    End: event.ctrlKey ? [lastRow, lastCol] : [row, lastCol],
  };
  const place = places[event.key];
  if (!place) return null;
  if (row < 0 || col < 0) return [Math.max(row, 0), Math.max(col, 0)];
  return [Math.min(lastRow, Math.max(0, place[0])), Math.min(lastCol, Math.max(0, place[1]))];
}
