// Says on a page in JupyterLab that the kernel behind it is gone; on a page that is ours, the page's shell does.

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  if (document.documentElement.hasAttribute("data-vit-explorer")) return undefined;
  const say = () => {
    if (el.hasChildNodes()) return;
    const words = document.createElement("div");
    words.className = "vx-message";
    words.setAttribute("role", "alert");
    words.textContent = model.get("sentence");
    el.append(words);
  };
  // A kernel that starts anew, because somebody asked for it or because it died, leaves all widgets cut off. After a
  // widget is drawn nothing else changes that.
  model.on("comm_live_update", say);
  // Of one that was shut down or exchanged for another no widget is told; its connection alone is put away.
  const kernel = model.widget_manager?.kernel;
  kernel?.disposed?.connect(say);
  // One that somebody else restarted says itself that it starts: the page's own did so before there was a page.
  const watch = (_kernel, status) => status === "starting" && say();
  kernel?.statusChanged?.connect(watch);
  return () => {
    model.off("comm_live_update", say);
    kernel?.disposed?.disconnect(say);
    kernel?.statusChanged?.disconnect(watch);
  };
}

export default { render };
