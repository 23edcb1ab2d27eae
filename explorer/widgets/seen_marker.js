// Tells the kernel when the marker's stage comes into view, with half a screen to spare so that it is ready in time.

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  el.classList.add("vx-marker");
  let observer;
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
  });
  return () => {
    cancelAnimationFrame(start);
    observer?.disconnect();
  };
}

export default { render };
