"""A page that holds the widgets' real front ends, with a stand-in for the models that a kernel would give them.

So the drawings are tested in a browser without a kernel or a server: set a trait, look at the canvas; click, look at
the trait.
"""

from __future__ import annotations

import base64
from typing import Any

from playwright.sync_api import Locator, Page

__all__ = ["FrontEnd"]

_SCRIPT = """
class Signal {
  constructor() { this.slots = []; }
  connect(slot) { this.slots.push(slot); }
  disconnect(slot) { this.slots = this.slots.filter((one) => one !== slot); }
  emit(...given) { for (const slot of [...this.slots]) slot(this, ...given); }
}
class Model {
  constructor(state) {
    Object.assign(this, { state, listeners: {}, sent: [], saved: [] });
    this.widget_manager = { kernel: { disposed: new Signal(), statusChanged: new Signal() } };
  }
  get(name) { return this.state[name]; }
  set(name, value) {
    const changes = typeof name === "string" ? { [name]: value } : name;
    const changed = Object.keys(changes).filter((key) => this.state[key] !== changes[key]);
    Object.assign(this.state, changes);
    for (const key of changed) this.fire(`change:${key}`);
    if (changed.length) this.fire("change");
  }
  save_changes() { this.saved.push({ ...this.state }); }
  on(event, listener) { (this.listeners[event] ??= []).push(listener); }
  off(event, listener) { this.listeners[event] = (this.listeners[event] ?? []).filter((one) => one !== listener); }
  fire(event, ...given) { for (const listener of [...(this.listeners[event] ?? [])]) listener(...given); }
  send(content) { this.sent.push(content); }
}
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer);
const revived = (value) => (value && typeof value === "object" && "base64" in value ? bytes(value.base64) : value);
const all = (state) => Object.fromEntries(Object.entries(state).map(([name, value]) => [name, revived(value)]));
window.models = {};
window.mount = async (name, state, source, css, width) => {
  const sheet = document.createElement("style");
  sheet.textContent = css;
  const el = document.createElement("div");
  el.id = name;
  el.style.width = `${width}px`;
  document.head.append(sheet);
  document.body.append(el);
  const model = (window.models[name] = new Model(all(state)));
  const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  model.close = await (await import(address)).default.render({ model, el });
};
window.change = (name, state) => window.models[name].set(all(state));
window.answer = (name, content, buffers) => {
  window.models[name].fire("msg:custom", content, buffers.map(revived));
};
// The colour of the drawing at a place, in CSS pixels from its corner.
window.colour = (name, x, y, layer) => {
  const canvas = document.querySelectorAll(`#${name} canvas`)[layer];
  const ratio = canvas.width / canvas.clientWidth;
  return Array.from(canvas.getContext("2d").getImageData(Math.floor(x * ratio), Math.floor(y * ratio), 1, 1).data);
};
"""


class FrontEnd:
    """Widgets of one page, by name."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.set_content("<!doctype html><html lang=en><body style='margin:8px'></body></html>")
        page.add_script_tag(content=_SCRIPT)

    def mount(self, name: str, widget: Any, width: int = 700) -> Locator:
        """Render a widget, with the state that it has now."""
        source, css = str(widget._esm), str(getattr(widget, "_css", ""))
        arguments = [name, _state(widget), source, css, width]
        self.page.evaluate("(given) => mount(...given)", arguments)
        return self.page.locator(f"#{name}")

    def update(self, name: str, widget: Any) -> None:
        """Bring the state of a widget to the page, in one message."""
        self.page.evaluate("(given) => change(...given)", [name, _state(widget)])

    def get(self, name: str, trait: str) -> Any:
        """A trait as the front end has it."""
        return self.page.evaluate("([name, trait]) => models[name].get(trait)", [name, trait])

    def saved(self, name: str, trait: str) -> list[Any]:
        """What the front end gave back for a trait, each time that it saved."""
        found: list[Any] = self.page.evaluate("([n, t]) => models[n].saved.map((state) => state[t])", [name, trait])
        return found

    def sent(self, name: str) -> list[Any]:
        """Custom messages to Python."""
        found: list[Any] = self.page.evaluate("(name) => models[name].sent", name)
        return found

    def answer(self, name: str, content: Any, *buffers: bytes) -> None:
        """A custom message from Python."""
        self.page.evaluate("(given) => answer(...given)", [name, content, [_revivable(data) for data in buffers]])

    def lose_kernel(self, name: str, how: str) -> None:
        """What a front end in JupyterLab hears of its kernel.

        Parameters
        ----------
        name : str
        how : {"restarted", "shut down", "restarted elsewhere"}
            The first also after the kernel died; the last is another client's doing.
        """
        told = {
            "restarted": "fire('comm_live_update')",
            "shut down": "widget_manager.kernel.disposed.emit()",
            "restarted elsewhere": "widget_manager.kernel.statusChanged.emit('starting')",
        }
        self.page.evaluate(f"(name) => models[name].{told[how]}", name)

    def colour(self, name: str, x: float, y: float, layer: int = 0) -> list[int]:
        """RGBA of the drawing (layer 0) or of what lies over it (1)."""
        found: list[int] = self.page.evaluate("(given) => colour(...given)", [name, x, y, layer])
        return found


def _state(widget: Any) -> dict[str, Any]:
    left_out = {"layout", "tabbable", "tooltip"}
    state = widget.get_state()
    return {name: _revivable(value) for name, value in state.items() if name[0] != "_" and name not in left_out}


def _revivable(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return {"base64": base64.b64encode(value).decode("ascii")}
    return value
