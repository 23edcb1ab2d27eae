// Nothing to see: the style sheet comes with the widget. It is the first widget of a page, so it also sees to it that
// the others have the time and the keys that they need.

// anywidget gives each widget two seconds to load its module, and leaves it empty for good where that was too short:
// on a busy machine a page of fifty widgets then has holes. Under Voilà the page's shell has done this already.
if (!AbortSignal.timeout.patient) {
  const plain = AbortSignal.timeout.bind(AbortSignal);
  AbortSignal.timeout = Object.assign((delay) => plain(delay === 2000 ? 120_000 : delay), { patient: true });
}

// JupyterLab takes arrow keys from whatever has the focus in a cell's output, unless that element itself says no.
const KEYED = "input[type=range], input[type=radio], select, [tabindex]:not(button)";
/** @param {FocusEvent} event */
function keepKeys(event) {
  if (event.target instanceof HTMLElement || event.target instanceof SVGElement) {
    if (event.target.matches(KEYED) && event.target.closest(".vx")) event.target.dataset.lmSuppressShortcuts = "true";
  }
}

/** @param {{ el: HTMLElement }} context */
function render({ el }) {
  el.style.display = "none";
  document.addEventListener("focusin", keepKeys, { capture: true });
  // It stays: a notebook may show more than one panel, and to mark an element twice does no harm.
}

export default { render };
