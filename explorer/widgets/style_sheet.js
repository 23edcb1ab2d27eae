// Nothing to see: the style sheet comes with the widget. It is the first widget of a page, so it also sees to it that
// the others have the time that they need.

// anywidget gives each widget two seconds to load its module, and leaves it empty for good where that was too short:
// on a busy machine a page of fifty widgets then has holes. Under Voilà the page's shell has done this already.
if (!AbortSignal.timeout.patient) {
  const plain = AbortSignal.timeout.bind(AbortSignal);
  AbortSignal.timeout = Object.assign((delay) => plain(delay === 2000 ? 120_000 : delay), { patient: true });
}

/** @param {{ el: HTMLElement }} context */
function render({ el }) {
  el.style.display = "none";
}

export default { render };
