// Tells the kernel when the marker's stage comes into view, with half a screen to spare so that it is ready in time; and
// the page when its first stage is drawn.

/**
 * Mark the page as drawn once a stage of it has a drawing; until then it says that it is still being drawn.
 * @param {Element} stage
 * @returns {() => void} Stops looking.
 */
function whenDrawn(stage) {
  const page = stage.closest(".vx-page");
  const look = () => {
    const drawn = page?.classList.contains("vx-drawn") || stage.querySelector(".vx-stage-body :is(canvas, svg)");
    if (drawn) observer.disconnect();
    if (drawn) page?.classList.add("vx-drawn");
  };
  const observer = new MutationObserver(look);
  if (page) {
    observer.observe(stage, { childList: true, subtree: true });
    look();
  }
  return () => observer.disconnect();
}

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  el.classList.add("vx-marker");
  let observer;
  let stop = () => {};
  const start = requestAnimationFrame(() => {
    const stage = el.closest(".vx-stage") ?? el;
    observer = new IntersectionObserver(
      (entries) => {
        const visible = entries[entries.length - 1].isIntersecting;
        if (visible !== model.get("visible")) {
          model.set("visible", visible);
          model.save_changes();
        }
      },
      { rootMargin: "50% 0px" },
    );
    observer.observe(stage);
    stop = whenDrawn(stage);
  });
  return () => {
    cancelAnimationFrame(start);
    observer?.disconnect();
    stop();
  };
}

export default { render };
