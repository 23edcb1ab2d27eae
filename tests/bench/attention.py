"""How fast attention follows the hand: ``python -m tests.bench.attention``.

For each of several sizes one page is opened, with the dashboard and, below it, what a plain notebook has for it: a
``FigureWidget`` with the open head's matrix, and sliders for layer and head. Both stand in the same page, and the same
kernel answers them. Measured is from the event, as the page's first listener sees it, to the last change of the
picture: the last call of a canvas of the attention view, or the last change of the plot. While hovering, what the page
sends is counted.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page, sync_playwright

from explorer.resources import assets_path
from tests.bench.watch import PATIENCE
from tests.page.browser import launch_browser
from tests.page.harness import start_command, wait_ready

SERVE = """
import sys
from explorer.serving import ServeOptions, serve_page
serve_page(ServeOptions(port=0, ready_kernels=0, open_browser=False, notebook=sys.argv[1]),
           lambda addresses: print(addresses.here, flush=True))
"""

NOTEBOOK = """
import ipywidgets as W
import plotly.graph_objects as go
import explorer
from explorer.dashboard import Dashboard
from explorer.figures.attention import head_attention
from explorer.samples import open_sample
from explorer.state import ExplorerState

picture = open_sample("chelsea")
model = explorer.load_model({name!r}, pretrained={pretrained})
trace = explorer.trace_image(model, picture)
layer = W.IntSlider(min=1, max=len(trace.blocks), description="layer")
head = W.IntSlider(min=1, max=trace.q.shape[1], description="head")
for slider, name in ((layer, "plain-layer"), (head, "plain-head")):
    slider.add_class(name)
figure = go.FigureWidget(go.Heatmap(z=head_attention(trace, 0, 0), colorscale="Cividis"), dict(height=560, width=640))

def show(_):
    figure.data[0].z = head_attention(trace, layer.value - 1, head.value - 1)

layer.observe(show, "value")
head.observe(show, "value")
dashboard = Dashboard(ExplorerState(picture=picture, model={name!r}, random_weights=not {pretrained}))
W.VBox([dashboard, layer, head, figure])
"""

#: Notes when the first listener heard of an event, when a picture changed last, and what the page sends.
WATCH = """
window.bench = { event: 0, ours: 0, plain: 0, sent: 0 };
// The layer that is drawn, which may not be the one that was asked for yet.
window.shownLayer = () => document.querySelector(".vxa-photo .vxw-title").textContent.match(/Layer (\\d+)/)?.[1];
for (const name of ["drawImage", "fillRect", "strokeRect", "fillText", "stroke", "fill", "putImageData", "clearRect"]) {
  const plain = CanvasRenderingContext2D.prototype[name];
  CanvasRenderingContext2D.prototype[name] = function (...given) {
    const result = plain.apply(this, given);
    if (this.canvas.closest?.(".vxa")) bench.ours = performance.now();
    return result;
  };
}
document.addEventListener("DOMContentLoaded", () =>
  new MutationObserver((records) => {
    const element = ({ target }) => (target.closest ? target : target.parentElement);
    if (records.some((record) => element(record)?.closest(".js-plotly-plot"))) bench.plain = performance.now();
  }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true }));
for (const kind of ["keydown", "pointermove", "input"]) {
  window.addEventListener(kind, () => { bench.event = performance.now(); }, true);
}
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (...given) { bench.sent += 1; return send.apply(this, given); };
"""

#: Nothing has changed for a while, and something has since the event.
SETTLED = """([what, quiet]) => bench[what] > bench.event && performance.now() - bench[what] > quiet
    && (what === "plain" || shownLayer() === document.querySelector(".vx-layer output").textContent)"""
QUIET = 500


@dataclass(frozen=True)
class Run:
    """A size, and the milliseconds that a hover may take."""

    name: str
    pretrained: bool
    tokens: int
    hover: float


RUNS = (
    Run("bundled", True, 65, 8),
    Run("vit_base_patch16_224.augreg_in21k_ft_in1k", False, 197, 8),
    Run("vit_small_patch14_reg4_dinov2.lvd142m", False, 1374, 16),
)
#: Goals for a change of layer that was there already, of one that was not, and of the head.
SEEN, UNSEEN, HEAD = 50, 150, 60


def changed(page: Page, what: str) -> float:
    """Milliseconds from the event to the last change of a picture, once it has changed and come to rest."""
    page.wait_for_function(SETTLED, arg=[what, QUIET], timeout=60_000)
    elapsed: float = page.evaluate(f"bench.{what} - bench.event")
    return elapsed


def to_and_fro(page: Page, slider: Locator, what: str, presses: int) -> list[float]:
    """A slider moved by its arrow keys between two places; the first times are left out."""
    slider.scroll_into_view_if_needed()
    slider.focus()
    times = []
    for number in range(presses):
        page.keyboard.press("ArrowRight" if number % 2 == 0 else "ArrowLeft")
        times.append(changed(page, what))
    return times[2:]


def jumps(page: Page, slider: Locator) -> list[float]:
    """The layer's slider put to layers that were never shown and are no neighbours of such, for two pictures."""
    last = int(slider.get_attribute("max") or "0")
    times = []
    for layers in (range(3, last + 1, 2), range(last - 3, -1, -2)):
        for layer in layers:
            slider.evaluate(
                """(input, layer) => {
                    input.value = String(layer);
                    input.dispatchEvent(new Event("input", { bubbles: true }));
                }""",
                layer,
            )
            times.append(changed(page, "ours"))
        if layers[0] == 3:
            # Another picture: nothing of its run was seen.
            slider.evaluate("input => { input.value = input.max; input.dispatchEvent(new Event('input')); }")
            page.locator(".vx-upload input[type=file]").set_input_files(assets_path("samples", "coffee.jpg"))
            page.wait_for_function("performance.now() - bench.ours > 3000", timeout=120_000)
            wait_ready(page, timeout=300_000)
            page.wait_for_function("performance.now() - bench.ours > 3000", timeout=120_000)
    return times


def hover(page: Page, stage: Locator) -> tuple[list[float], int]:
    """The pointer moved over the photo; and how often the page said something meanwhile."""
    photo = stage.locator(".vxa-photo .vxw-stage")
    photo.scroll_into_view_if_needed()
    inside, box = json.loads(photo.get_attribute("data-photo") or ""), photo.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + inside["x"] + 1, box["y"] + inside["y"] + 1)
    page.wait_for_function("performance.now() - bench.ours > 1000")
    sent = page.evaluate("bench.sent")
    times = []
    for number in range(60):
        x = box["x"] + inside["x"] + ((number * 37) % 100 + 0.5) / 100 * inside["width"]
        y = box["y"] + inside["y"] + ((number * 53) % 100 + 0.5) / 100 * inside["height"]
        page.mouse.move(x, y)
        # Past a frame, when what the move asked for is painted.
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        times.append(page.evaluate("bench.ours - bench.event"))
    return [time for time in times if time > 0], page.evaluate("bench.sent") - sent


def measure(page: Page, run: Run) -> int:
    """Print what one size takes; how many goals were missed."""
    wait_ready(page, timeout=300_000)
    stage = page.locator(".vx-stage-attention")
    stage.scroll_into_view_if_needed()
    stage.locator(".vxa-photo .vxw-stage[data-photo]").wait_for(timeout=120_000)
    slider = {name: stage.locator(f".vx-{name} input[type=range]") for name in ("layer", "head")}
    page.wait_for_function("performance.now() - bench.ours > 3000", timeout=120_000)
    unseen = jumps(page, slider["layer"])
    seen = to_and_fro(page, slider["layer"], "ours", 16)
    head = to_and_fro(page, slider["head"], "ours", 16)
    hovered, sent = hover(page, stage)
    plain = {}
    for name in ("layer", "head"):
        handle = page.locator(f".plain-{name} .noUi-handle")
        plain[name] = statistics.median(to_and_fro(page, handle, "plain", 10))
    print(f"T = {run.tokens} ({run.name}), medians", flush=True)
    missed = sent > 0
    rows = (
        ("hover, all heads", hovered, run.hover, None),
        ("layer, seen before", seen, SEEN, plain["layer"]),
        ("layer, not seen before", unseen, UNSEEN, None),
        ("head", head, HEAD, plain["head"]),
    )
    for what, times, goal, other in rows:
        middle = statistics.median(times)
        missed += middle > goal
        beside = "" if other is None else f"   FigureWidget {other:7.1f} ms, ratio {middle / other:.3f}"
        print(
            f"  {what:24}{middle:7.1f} ms of {len(times):2d} (worst {max(times):6.1f}, goal {goal:3.0f}){beside}",
            flush=True,
        )
    print(f"  messages while hovering: {sent}", flush=True)
    return int(missed)


def main() -> int:
    """Print medians; 1 if a goal was missed."""
    missed = 0
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores" if hasattr(os, "getloadavg") else "")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = launch_browser(playwright)
        for run in RUNS:
            notebook = Path(folder) / f"{run.tokens}.ipynb"
            notebook.write_text(
                json.dumps(_notebook(NOTEBOOK.format(name=run.name, pretrained=run.pretrained))), "utf-8"
            )
            with start_command([sys.executable, "-c", SERVE, str(notebook)], Path(folder)) as server:
                page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-US")
                page.add_init_script(PATIENCE + WATCH)
                page.goto(server.url, wait_until="commit")
                missed += measure(page, run)
                page.close()
        browser.close()
    return int(missed > 0)


def _notebook(source: str) -> dict[str, object]:
    cell = {"cell_type": "code", "id": "a", "execution_count": None, "metadata": {}, "outputs": [], "source": source}
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    return {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


if __name__ == "__main__":
    raise SystemExit(main())
