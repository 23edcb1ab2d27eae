// The whole picture under the square that the model sees, which is dragged or moved by arrow keys.
import { clamp, edge, centerAt, moved } from "./js/square.js";
import { filled } from "./js/upload.js";

function render({ model, el }) {
  const label = (name) => model.get("labels")[name] ?? "";
  const root = document.createElement("div");
  root.className = "vx-crop";
  root.dataset.lmSuppressShortcuts = "true";
  const caption = document.createElement("span");
  caption.className = "vx-choice-label";
  const stage = document.createElement("div");
  stage.className = "vx-crop-stage";
  const photo = document.createElement("img");
  photo.alt = "";
  photo.draggable = false;
  const square = document.createElement("div");
  square.className = "vx-crop-square";
  square.tabIndex = 0;
  square.setAttribute("role", "slider");
  square.setAttribute("aria-valuemin", "0");
  square.setAttribute("aria-valuemax", "100");
  const reset = document.createElement("button");
  reset.type = "button";
  reset.className = "vx-picture-button";
  stage.append(photo, square);
  root.append(caption, stage, reset);
  el.style.overflow = "visible"; // else the focus rings are cut off
  el.append(root);

  // While it is dragged the square follows at once; the kernel is told when it comes to rest.
  let center = { x: 0.5, y: 0.5 };
  let grip = null;

  function place() {
    const [wide, high] = [model.get("box_width"), model.get("box_height")];
    square.style.left = `${edge(center.x, wide) * 100}%`;
    square.style.top = `${edge(center.y, high) * 100}%`;
    square.style.width = `${wide * 100}%`;
    square.style.height = `${high * 100}%`;
    const values = { across: Math.round(center.x * 100), down: Math.round(center.y * 100) };
    square.setAttribute("aria-valuenow", String(wide <= high ? values.across : values.down));
    square.setAttribute("aria-valuetext", filled(label("crop-position"), values));
    reset.disabled = center.x === 0.5 && center.y === 0.5;
  }

  function tell() {
    const { x, y } = center; // setting the one already makes `take` read both
    if (x === model.get("center_x") && y === model.get("center_y")) return;
    model.set("center_x", x);
    model.set("center_y", y);
    model.save_changes();
  }

  /** The pointer's place as parts of the picture. */
  function pointed(event) {
    const box = stage.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    const at = pointed(event);
    const [wide, high] = [model.get("box_width"), model.get("box_height")];
    const left = edge(center.x, wide);
    const top = edge(center.y, high);
    const inside = at.x >= left && at.x <= left + wide && at.y >= top && at.y <= top + high;
    // Beside the square: its middle comes to where the picture was pressed.
    grip = inside ? { x: at.x - left, y: at.y - top } : { x: wide / 2, y: high / 2 };
    stage.setPointerCapture(event.pointerId);
    square.focus({ preventScroll: true });
    drag(event);
  });
  function drag(event) {
    if (!grip) return;
    const at = pointed(event);
    center = {
      x: centerAt(at.x - grip.x, model.get("box_width"), center.x),
      y: centerAt(at.y - grip.y, model.get("box_height"), center.y),
    };
    place();
  }
  stage.addEventListener("pointermove", drag);
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, () => {
      if (!grip) return;
      grip = null;
      tell();
    });
  }
  square.addEventListener("keydown", (event) => {
    const to = event.ctrlKey || event.metaKey || event.altKey ? null : moved(event.key, event.shiftKey, center);
    if (!to) return;
    event.preventDefault();
    event.stopPropagation();
    // Where the square fills the picture there is nothing to move.
    center = { x: model.get("box_width") < 1 ? to.x : center.x, y: model.get("box_height") < 1 ? to.y : center.y };
    place();
    tell();
  });
  reset.addEventListener("click", () => {
    center = { x: 0.5, y: 0.5 };
    place();
    tell();
    square.focus(); // the button goes to rest and would lose the focus
  });

  function take() {
    if (!grip) center = { x: clamp(model.get("center_x")), y: clamp(model.get("center_y")) };
    place();
  }
  function fill() {
    root.hidden = !model.get("shown");
    if (model.get("photo")) photo.src = model.get("photo");
    stage.style.aspectRatio = `${model.get("width")} / ${model.get("height")}`;
    // Wide or tall, about the same area.
    stage.style.width = `min(100%, ${Math.round(300 * Math.min(1.6, Math.sqrt(model.get("width") / model.get("height"))))}px)`;
    caption.textContent = label("crop");
    stage.title = label("crop-hint");
    square.setAttribute("aria-label", `${label("crop")}. ${label("crop-hint")}`);
    reset.textContent = label("crop-center");
    take();
  }
  const watched = [
    ["change:labels change:photo change:shown change:width change:height", fill],
    ["change:center_x change:center_y change:box_width change:box_height", take],
  ];
  for (const [events, react] of watched) model.on(events, react);
  fill();
  return () => {
    for (const [events, react] of watched) model.off(events, react);
  };
}

export default { render };
