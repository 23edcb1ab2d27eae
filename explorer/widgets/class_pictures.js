// Cards: one for each class, with its name and pictures, and one for new pictures.

import { element } from "./js/frame.js";
import { download } from "./js/save.js";
import { PICTURE_FILES, Uploader, filled, holdsFile } from "./js/upload.js";

const NEW = -1;
const FILE = -2;

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const label = (key, values = {}) => filled(model.get("labels")[key] ?? "", values);
  const root = element("div", "vx-class-pictures");
  // JupyterLab's shortcuts would take letters away from the names.
  root.dataset.lmSuppressShortcuts = "true";
  const grid = element("div", "vx-class-grid");
  const more = element("button", "vx-plain-button vx-class-add");
  more.type = "button";
  more.addEventListener("click", () => {
    wanted = model.get("cards").length;
    model.send({ kind: "add-class" });
  });
  const files = element("div", "vx-class-files");
  const save = element("button", "vx-plain-button vx-class-save");
  save.type = "button";
  save.addEventListener("click", () => model.send({ kind: "save" }));
  const load = element("label", "vx-plain-button vx-class-upload vx-class-load");
  const chosen = element("input", "");
  chosen.type = "file";
  chosen.accept = ".safetensors";
  chosen.addEventListener("change", () => {
    take(FILE, chosen.files);
    chosen.value = "";
  });
  const loadText = element("span", "");
  load.append(chosen, loadText);
  files.append(save, load);
  root.append(grid, files);
  el.append(root);

  // Files wait for each other: the kernel takes one at a time.
  let queue = [];
  let target = 0;
  const uploader = new Uploader(
    (message, buffers) => model.send({ ...message, class: target }, undefined, buffers ?? []),
    { maxBytes: model.get("max_bytes"), pieceBytes: model.get("piece_bytes") },
  );

  function take(where, files) {
    for (const file of files ?? []) queue.push([where, file]);
    next();
  }

  function next() {
    while (!uploader.underWay && queue.length) {
      const [where, file] = queue.shift();
      target = where;
      uploader.start(file);
    }
  }

  const onMessage = (message, buffers) => {
    if (message.kind === "file") {
      const [stem, ending] = message.name.split(/\.(?=\w+$)/);
      download(new Blob([buffers[0]], { type: "application/octet-stream" }), stem, ending);
    } else uploader.answer(message).then(next);
  };
  model.on("msg:custom", onMessage);

  let cards = [];
  /** The place of the card whose name is to be written next. */
  let wanted = -1;

  /** @param {number} where the class's id: other than its place, it stays the same when another class is removed */
  function card(where) {
    const box = element("section", where === NEW ? "vx-class-card vx-class-new" : "vx-class-card");
    box.tabIndex = -1;
    const head = element("div", "vx-class-head");
    const list = element("ul", "vx-class-list");
    const foot = element("div", "vx-class-foot");
    const name = element(where === NEW ? "h4" : "input", where === NEW ? "" : "vx-text vx-class-name");
    head.append(name);
    let remove = null;
    if (where !== NEW) {
      name.type = "text";
      name.maxLength = 40;
      name.autocomplete = "off";
      name.addEventListener("change", () => model.send({ kind: "name", class: where, name: name.value }));
      name.addEventListener("keydown", (event) => event.key === "Enter" && name.blur());
      remove = element("button", "vx-class-remove", "×");
      remove.type = "button";
      remove.addEventListener("click", () => model.send({ kind: "remove-class", class: where }));
      head.append(remove);
    }
    const upload = element("label", "vx-plain-button vx-class-upload");
    const input = element("input", "");
    input.type = "file";
    input.multiple = true;
    input.accept = PICTURE_FILES;
    const uploadText = element("span", "");
    upload.append(input, uploadText);
    input.addEventListener("change", () => {
      take(where, input.files);
      input.value = "";
    });
    const current = element("button", "vx-plain-button vx-class-current");
    current.type = "button";
    current.addEventListener("click", () => model.send({ kind: "current", class: where }));
    foot.append(upload, current);
    box.append(head, list, foot);

    const over = (event) => {
      if (!holdsFile(event.dataTransfer)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      box.classList.add("vx-is-over");
    };
    box.addEventListener("dragenter", over);
    box.addEventListener("dragover", over);
    box.addEventListener("dragleave", (event) => {
      if (!box.contains(event.relatedTarget)) box.classList.remove("vx-is-over");
    });
    box.addEventListener("drop", (event) => {
      box.classList.remove("vx-is-over");
      if (!holdsFile(event.dataTransfer)) return;
      event.preventDefault();
      take(where, event.dataTransfer.files);
    });
    box.addEventListener("paste", (event) => {
      const { files } = event.clipboardData ?? {};
      if (!files?.length) return;
      event.preventDefault();
      take(where, files);
    });
    return { box, name, remove, list, uploadText, upload, current, where };
  }

  /** @param {number} number the class's place, counted from 1 */
  function fill(part, content, number) {
    const { where } = part;
    const title = where === NEW ? label("new-title") : content.name || label("class-number", { number });
    part.box.setAttribute("aria-label", title);
    if (where === NEW) part.name.textContent = title;
    else {
      if (document.activeElement !== part.name) part.name.value = content.name;
      part.name.placeholder = label("name-hint", { number });
      part.name.setAttribute("aria-label", label("name"));
      part.remove.title = label("remove-class", { name: title });
      part.remove.setAttribute("aria-label", part.remove.title);
    }
    part.uploadText.textContent = label("add-files");
    part.upload.title = label("add-hint");
    part.current.textContent = label("add-current");
    part.current.disabled = !model.get("can_add");
    const held = [...part.list.children].findIndex((item) => item.contains(document.activeElement));
    part.list.replaceChildren(
      ...content.pictures.map((picture) => {
        const item = element("li", "");
        const photo = element("img", "");
        photo.src = picture.thumbnail;
        photo.alt = photo.title = picture.name;
        const gone = element("button", "vx-class-remove", "×");
        gone.type = "button";
        gone.title = label("remove-picture", { name: picture.name });
        gone.setAttribute("aria-label", gone.title);
        gone.addEventListener("click", () => model.send({ kind: "remove", class: where, picture: picture.id }));
        item.append(photo, gone);
        if (where === NEW || picture.note) item.append(element("span", "vx-class-note", picture.note));
        return item;
      }),
    );
    part.list.dataset.empty = label("empty");
    // The keyboard stays where a picture was removed.
    if (held >= 0) {
      const next = part.list.children[Math.min(held, part.list.children.length - 1)];
      (next?.querySelector("button") ?? part.box).focus();
    }
  }

  function draw() {
    const contents = model.get("cards").map((content) => ({ where: content.id, content }));
    if (model.get("takes_new")) contents.push({ where: NEW, content: { pictures: model.get("new") } });
    cards = contents.map(({ where }) => cards.find((part) => part.where === where) ?? card(where));
    const boxes = cards.map(({ box }) => box);
    boxes.splice(model.get("cards").length, 0, more);
    const children = [...grid.children];
    const left = children.findIndex((child) => !boxes.includes(child) && child.contains(document.activeElement));
    for (const child of children) if (!boxes.includes(child)) child.remove();
    // What is in its place stays there: whoever is moved loses the keyboard.
    boxes.forEach((box, index) => {
      if (grid.children[index] !== box) grid.insertBefore(box, grid.children[index] ?? null);
    });
    cards.forEach((part, index) => fill(part, contents[index].content, index + 1));
    // Files for a card that has gone have nowhere to go.
    queue = queue.filter(([where]) => where === FILE || cards.some((part) => part.where === where));
    more.textContent = label("add-class");
    more.hidden = model.get("cards").length >= model.get("max_classes");
    save.textContent = label("save");
    save.disabled = !model.get("can_save");
    loadText.textContent = label("load");
    grid.setAttribute("aria-busy", String(model.get("busy")));
    if (wanted >= 0 && model.get("cards").length > wanted) {
      cards[wanted].name.focus();
      wanted = -1;
    } else if (left >= 0) (cards[left]?.remove ?? more).focus();
  }

  const traits = ["cards", "new", "takes_new", "labels", "can_add", "can_save", "busy"].map((trait) => `change:${trait}`);
  for (const event of traits) model.on(event, draw);
  draw();
  return () => {
    model.off("msg:custom", onMessage);
    for (const event of traits) model.off(event, draw);
    queue = [];
    uploader.cancel();
  };
}

export default { render };
