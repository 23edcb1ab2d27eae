// Tells the kernel when the marker's stage comes into view, with half a screen to spare so that it is ready in time; and
// the page when its first stage is drawn. Until a stage is there, it keeps its place.

/** What a stage that is built has, and one that is not has not. */
const DRAWING = ".vx-stage-body :is(canvas, svg)";

/**
 * Tell the page whether all stages in view have a drawing; until then it says that it is being drawn.
 * @param {Element} stage One of its stages.
 */
function tellPage(stage) {
  const page = stage.closest(".vx-page");
  page?.classList.toggle("vx-drawn", !page.querySelector(".vx-awaited") && page.querySelector(DRAWING) !== null);
}

/**
 * Mark a stage that is in view as awaited until it has a drawing.
 * @param {Element} stage
 * @returns {(visible: boolean) => void} To be told when it comes into view or leaves it.
 */
function awaitDrawing(stage) {
  const observer = new MutationObserver(() => {
    if (stage.querySelector(DRAWING)) look(false);
  });
  const look = (visible) => {
    const awaited = visible && !stage.querySelector(DRAWING);
    stage.classList.toggle("vx-awaited", awaited);
    if (awaited) observer.observe(stage, { childList: true, subtree: true });
    else observer.disconnect();
    tellPage(stage);
  };
  return look;
}

/** How long nothing has been added to a stage when it counts as whole, in milliseconds. */
const QUIET = 600;

/**
 * Keep a stage that is not built yet about as high as it will be (the page's style sheet says how high), so that what
 * is below it stays in its place; once it is whole, it is as high as it is.
 * @param {Element} stage
 * @returns {() => void} Stops it.
 */
function keepItsPlace(stage) {
  if (stage.querySelector(DRAWING)) return () => {};
  let timer;
  const observer = new MutationObserver(() => {
    if (!stage.querySelector(DRAWING)) return;
    clearTimeout(timer);
    timer = setTimeout(end, QUIET);
  });
  const end = () => {
    clearTimeout(timer);
    observer.disconnect();
    stage.classList.remove("vx-expected");
  };
  stage.classList.add("vx-expected");
  observer.observe(stage, { childList: true, subtree: true });
  return end;
}

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  el.classList.add("vx-marker");
  let observer;
  let stop = () => {};
  const start = requestAnimationFrame(() => {
    const stage = el.closest(".vx-stage") ?? el;
    const look = awaitDrawing(stage);
    const end = keepItsPlace(stage);
    stop = () => (look(false), end());
    observer = new IntersectionObserver(
      (entries) => {
        const visible = entries[entries.length - 1].isIntersecting;
        if (visible !== model.get("visible")) {
          model.set("visible", visible);
          model.save_changes();
        }
        look(visible);
      },
      { rootMargin: "50% 0px" },
    );
    observer.observe(stage);
  });
  return () => {
    cancelAnimationFrame(start);
    observer?.disconnect();
    stop();
  };
}

export default { render };
