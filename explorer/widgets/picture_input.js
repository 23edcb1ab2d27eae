// Sample photos, an upload button, drop and paste; one line in the bar.
import { PICTURE_FILES, Uploader, pickPicture, holdsFile, filled } from "./js/upload.js";

/** @param {string} tag @param {string} className @param {Record<string, string>} attributes */
function make(tag, className, attributes = {}) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

/** Keep a popover below what opens it, or above where there is more room, and inside the window. */
function placeBeside(popover, opener) {
  const box = opener.getBoundingClientRect();
  const { clientWidth, clientHeight } = document.documentElement;
  const { offsetWidth: width, offsetHeight: height } = popover;
  const below = box.bottom + 6 + height <= clientHeight || box.top < clientHeight - box.bottom;
  popover.style.left = `${Math.max(8, Math.min(box.left, clientWidth - width - 8))}px`;
  popover.style.top = `${below ? box.bottom + 6 : Math.max(8, box.top - 6 - height)}px`;
}

/** Under Voilà the whole page; in JupyterLab only our own part of it, which has other things to drop and paste on. */
function ownPart(root) {
  if (!document.querySelector("#jp-main-dock-panel, body[data-notebook]")) return document.documentElement;
  return root.closest(".vx") ?? root.closest(".jp-OutputArea-output") ?? root;
}

function render({ model, el }) {
  const label = (name) => model.get("labels")[name] ?? "";
  const listening = new AbortController();
  const { signal } = listening;
  const uploader = new Uploader((message, buffers) => model.send(message, undefined, buffers ?? []), {
    maxBytes: model.get("max_bytes"),
    pieceBytes: model.get("piece_bytes"),
  });

  const root = make("div", "vx-picture");
  // JupyterLab's shortcuts would take arrow keys and letters away from the menu.
  root.dataset.lmSuppressShortcuts = "true";
  const caption = make("span", "vx-choice-label");
  const line = make("div", "vx-picture-line");
  root.append(caption, line);
  el.style.overflow = "visible"; // else the focus rings are cut off
  el.append(root);

  // ---- samples ----
  const sampleBox = make("div", "vx-sample");
  const opener = make("button", "vx-picture-button", { type: "button" });
  const openerPhoto = make("img", "vx-picture-photo", { alt: "" });
  const openerText = make("span", "");
  opener.append(openerPhoto, openerText, icon("M5 9l7 7 7-7"));
  const menu = make("div", "vx-picture-menu", { popover: "auto" });
  // Itself, not by a name: every widget brings its own copy of this module, and all would count from one.
  opener.popoverTargetElement = menu;
  sampleBox.append(opener, menu);

  function choose(id) {
    menu.hidePopover();
    model.send({ kind: "sample", id });
  }

  function fillSamples() {
    const focused = menu.contains(document.activeElement) ? document.activeElement.dataset.sample : null;
    menu.replaceChildren(
      ...model.get("samples").map((sample) => {
        const item = make("button", "vx-sample-item", { type: "button", title: sample.credit });
        item.dataset.sample = sample.id;
        const title = make("span", "");
        title.textContent = sample.title;
        item.append(make("img", "", { src: sample.thumbnail, alt: "" }), title);
        item.addEventListener("click", () => choose(sample.id));
        return item;
      }),
    );
    if (focused) menu.querySelector(`[data-sample="${CSS.escape(focused)}"]`)?.focus();
    mark();
  }

  function mark() {
    const selected = model.get("selected_sample");
    for (const item of menu.children) {
      item.setAttribute("aria-current", String(item.dataset.sample === selected));
    }
    const current = model.get("current");
    const sample = model.get("samples").find((entry) => entry.id === selected);
    const photo = current.thumbnail || sample?.thumbnail;
    openerPhoto.hidden = !photo;
    if (photo) openerPhoto.src = photo;
    opener.title = sample?.title ?? current.name ?? "";
  }

  menu.addEventListener("toggle", (event) => {
    if (event.newState !== "open") return;
    placeBeside(menu, opener);
    (menu.querySelector('[aria-current="true"]') ?? menu.firstElementChild)?.focus();
  });
  menu.addEventListener("keydown", (event) => {
    const items = [...menu.children];
    const at = items.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const to = event.key === "Home" ? 0 : event.key === "End" ? items.length - 1 : step ? at + step : null;
    if (to === null || at < 0) return;
    event.preventDefault();
    items[(to + items.length) % items.length].focus();
  });
  // The menu does not travel with its button.
  addEventListener("scroll", (event) => menu.contains(event.target) || hideOpen(menu), { capture: true, signal });
  addEventListener("resize", () => hideOpen(menu), { signal });

  // ---- upload ----
  const uploadBox = make("label", "vx-upload vx-picture-button");
  const input = make("input", "", { type: "file", accept: PICTURE_FILES });
  const uploadText = make("span", "");
  uploadBox.append(input, icon("M12 16V5M7 9.5l5-5 5 5M5 19.5h14"), uploadText);
  line.append(sampleBox, uploadBox);
  input.addEventListener("change", () => {
    const file = pickPicture(input.files);
    if (file) uploader.start(file);
    input.value = ""; // so that the same file can be chosen again
  });

  // ---- progress ----
  const progress = make("div", "vx-picture-progress", { popover: "manual" });
  const progressText = make("span", "vx-picture-name", { role: "status" });
  const progressBar = make("progress", "", { max: "1" });
  const cancel = make("button", "vx-picture-button", { type: "button" });
  cancel.addEventListener("click", () => uploader.cancel());
  progress.append(progressText, progressBar, cancel);
  root.append(progress);

  function showProgress() {
    const busy = model.get("busy");
    const part = model.get("progress");
    root.setAttribute("aria-busy", String(busy));
    if (!busy) {
      hideOpen(progress);
      return;
    }
    const whole = part >= 1;
    const values = { name: model.get("file_name") || label("unnamed"), percent: Math.round(part * 100) };
    progressText.textContent = filled(label(whole ? "opening" : "sending"), values);
    progressText.title = values.name;
    progressBar.value = part;
    cancel.hidden = whole || !uploader.underWay;
    if (!progress.matches(":popover-open")) progress.showPopover();
    placeBeside(progress, uploadBox);
  }

  // ---- drop and paste ----
  const overlay = make("div", "vx-picture-drop", { popover: "manual" });
  const overlayText = make("strong", "");
  overlay.append(overlayText);
  root.append(overlay);

  function showOverlay(shown) {
    if (!shown) {
      hideOpen(overlay);
      return;
    }
    if (overlay.matches(":popover-open")) return;
    overlay.showPopover();
    const part = ownPart(root);
    const box = part === document.documentElement ? null : part.getBoundingClientRect();
    const { clientWidth: width, clientHeight: height } = document.documentElement;
    const left = Math.max(0, box?.left ?? 0);
    const top = Math.max(0, box?.top ?? 0);
    overlay.style.left = `${left}px`;
    overlay.style.top = `${top}px`;
    overlay.style.width = `${Math.min(width, box?.right ?? width) - left}px`;
    overlay.style.height = `${Math.min(height, box?.bottom ?? height) - top}px`;
  }

  const ours = (event) => !event.defaultPrevented && root.isConnected && ownPart(root).contains(event.target);
  const overUs = (event) => {
    // Something on the page takes this file itself.
    if (event.defaultPrevented) showOverlay(false);
    if (!holdsFile(event.dataTransfer) || !ours(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    showOverlay(true);
  };
  document.addEventListener("dragenter", overUs, { signal });
  document.addEventListener("dragover", overUs, { signal });
  document.addEventListener(
    "dragleave",
    (event) => {
      if (!event.relatedTarget || !ownPart(root).contains(event.relatedTarget)) showOverlay(false);
    },
    { signal },
  );
  document.addEventListener("dragend", () => showOverlay(false), { signal });
  document.addEventListener(
    "drop",
    (event) => {
      showOverlay(false);
      if (!holdsFile(event.dataTransfer) || !ours(event)) return;
      event.preventDefault(); // the browser would leave the page for the file
      const file = pickPicture(event.dataTransfer.files);
      if (file) uploader.start(file);
    },
    { signal },
  );
  document.addEventListener(
    "paste",
    (event) => {
      const file = pickPicture(event.clipboardData?.files);
      if (!file || !ours(event) || event.target.closest?.("[contenteditable=true], textarea, .cm-editor")) return;
      event.preventDefault();
      uploader.start(file);
    },
    { signal },
  );

  function fillLabels() {
    caption.textContent = label("picture");
    openerText.textContent = label("samples");
    uploadText.textContent = label("upload");
    uploadBox.title = label("hint");
    overlayText.textContent = label("drop");
    cancel.textContent = label("cancel");
    progressBar.setAttribute("aria-label", label("progress"));
    menu.setAttribute("aria-label", label("samples"));
    showProgress();
  }

  model.on("msg:custom", onMessage);
  function onMessage(message) {
    uploader.answer(message).then(showProgress);
  }
  const watched = [
    ["change:labels", fillLabels],
    ["change:samples", fillSamples],
    ["change:selected_sample change:current", mark],
    ["change:busy change:progress change:file_name", showProgress],
  ];
  for (const [events, react] of watched) model.on(events, react);
  fillSamples();
  fillLabels();
  return () => {
    listening.abort();
    model.off("msg:custom", onMessage);
    for (const [events, react] of watched) model.off(events, react);
  };
}

function hideOpen(popover) {
  if (popover.matches(":popover-open")) popover.hidePopover();
}

export default { render };
