"""Speed of the page beside that of a plain notebook, measured in one run: ``make bench``.

Both show the same pictures of the same model (``plain.ipynb``: torch, timm, a ``FigureWidget`` each, sliders), both
are served by Voilà on this machine, and Chromium opens them in turn. What is printed is medians and their ratio; the
ratio is what carries over to other machines.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from explorer.resources import assets_path
from tests.bench.loading import loading
from tests.bench.watch import PATIENCE
from tests.page.browser import launch_browser
from tests.page.harness import Server, start_command

HERE = Path(__file__).parent
PICTURE = assets_path("samples", "chelsea.jpg")

#: Notes when the page changed last, and when a picture did (a canvas was drawn on, or a plot of plotly's changed): one
#: that is on the screen, and any.
WATCH = """
window.lastChange = 0;
window.lastDrawn = 0;
window.lastSeen = 0;
const changed = () => { window.lastChange = performance.now(); };
const drawn = (picture) => {
  window.lastDrawn = performance.now();
  const { top, bottom, width } = picture.getBoundingClientRect();
  if (picture.isConnected && width > 0 && bottom > 0 && top < innerHeight) window.lastSeen = window.lastDrawn;
  changed();
};
for (const name of ["putImageData", "drawImage", "fillRect"]) {
  const plain = CanvasRenderingContext2D.prototype[name];
  CanvasRenderingContext2D.prototype[name] = function (...given) {
    const result = plain.apply(this, given);
    drawn(this.canvas);
    return result;
  };
}
const note = (records) => {
  changed();
  const element = (node) => (node.closest ? node : node.parentElement);
  const plots = new Set(records.map(({ target }) => element(target)?.closest(".js-plotly-plot")));
  for (const plot of plots) if (plot) drawn(plot);
};
document.addEventListener("DOMContentLoaded", () =>
  new MutationObserver(note).observe(document.body,
    { subtree: true, childList: true, attributes: true, characterData: true }));
window.pressed = 0;
window.addEventListener("keydown", () => { window.pressed = performance.now(); }, true);
"""

#: Whether nothing has been drawn for a while, and something has since the key was pressed.
SETTLED = "quiet => window.lastDrawn > window.pressed && performance.now() - window.lastDrawn > quiet"

#: Pauses that count as quiet, in milliseconds; a plot of plotly's takes its time.
QUIET = 600


@dataclass
class Received:
    """Bytes that the browser got: over HTTP as sent (compressed or not), and over websockets."""

    http: int = 0
    websocket: int = 0

    @property
    def megabytes(self) -> float:
        return (self.http + self.websocket) / 1e6


@dataclass
class Opened:
    """A page that is open."""

    page: Page
    seconds: float
    received: Received


@dataclass(kw_only=True)
class Home:
    """One of the two that are compared."""

    name: str
    usable: str  # JavaScript that says whether the page can be used
    layer: str  # element that takes the arrow keys for the layer
    head: str
    upload: str  # an input, or a button that opens the browser's own dialog
    answer: str  # element whose text is the class
    stages: tuple[str, ...] = ()  # what is to be scrolled to until all has been seen
    results: dict[str, list[float]] = field(default_factory=dict)

    def note(self, what: str, value: float) -> None:
        """Keep a measured value."""
        self.results.setdefault(what, []).append(value)


OURS = Home(
    name="page",
    usable="/ready/.test(document.querySelector('.vx-status')?.textContent ?? '')"
    " && document.querySelector('.vx-stage-overview .vx-stage-body')?.getBoundingClientRect().height > 50",
    layer=".vx-stage-attention .vx-layer input[type=range]",
    head=".vx-stage-attention .vx-head input[type=range]",
    upload=".vx-upload input[type=file]",
    answer=".vx-stage-overview",
    stages=("overview", "patches", "embedding", "position", "encoder", "attention", "classification", "experiments"),
)
PLAIN = Home(
    name="plain",
    usable="document.querySelectorAll('.js-plotly-plot .main-svg').length >= 9"
    " && document.querySelector('.plain-class') !== null",
    layer=".plain-layer [role=slider], .plain-layer .noUi-handle",
    head=".plain-head [role=slider], .plain-head .noUi-handle",
    upload=".plain-upload",
    answer=".plain-answer",
)


def serve(home: Home, folder: Path, kernels: int) -> list[str]:
    """Command that serves a home."""
    if home is OURS:
        program = [sys.executable, "-m", "explorer.cli", "serve", "--no-browser", "--port", "0", "--lang", "en"]
        return [*program, "--ready-kernels", str(kernels)]
    notebook = folder / "plain.ipynb"
    notebook.write_text((HERE / "plain.ipynb").read_text("utf-8"), "utf-8")
    program = [sys.executable, "-m", "voila", str(notebook), "--no-browser", f"--port={_free_port()}"]
    return [*program, f"--preheat_kernel={kernels > 0}", f"--pool_size={kernels}"]


@contextmanager
def opened(browser: Browser, home: Home, server: Server) -> Iterator[Opened]:
    """A page, from the request until it can be used."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000}, locale="en-US")
    page = context.new_page()
    page.set_default_timeout(300_000)
    page.add_init_script(PATIENCE + WATCH)
    received = Received()
    session = context.new_cdp_session(page)
    session.send("Network.enable")

    def http(event: dict[str, float]) -> None:
        received.http += int(event["encodedDataLength"])

    def frame(payload: str | bytes) -> None:
        received.websocket += len(payload)

    session.on("Network.loadingFinished", http)
    page.on("websocket", lambda socket: socket.on("framereceived", frame))
    began = time.perf_counter()
    page.goto(server.url, wait_until="commit")
    page.wait_for_function(home.usable, polling=50)
    try:
        yield Opened(page, time.perf_counter() - began, received)
    finally:
        page.goto("about:blank")
        context.close()


def key_to_picture(page: Page, control: str, presses: int = 24) -> list[tuple[float, float]]:
    """Milliseconds from a key on a slider to the last change of what is on the screen, and of any picture."""
    slider = page.locator(control).first
    slider.scroll_into_view_if_needed()
    slider.focus()
    times = []
    for number in range(presses):
        page.wait_for_function("quiet => performance.now() - window.lastChange > quiet", arg=QUIET)
        # To and fro: few layers and heads, and no end to run into.
        slider.press("ArrowRight" if number % 2 == 0 else "ArrowLeft")
        try:
            page.wait_for_function(SETTLED, arg=QUIET, timeout=20_000)
        except PlaywrightTimeoutError:
            print(f"    no picture followed a key on {control}", flush=True)
            return []
        seen, drawn = page.evaluate("[window.lastSeen - window.pressed, window.lastDrawn - window.pressed]")
        # Where the picture is not beside its slider, the reader scrolls to find it drawn.
        times.append((seen if seen > 0 else drawn, drawn))
    return times[4:]


def photo_of(megabytes: float) -> bytes:
    """A photo with much fine detail, so that its JPEG is as large as a phone's."""
    with Image.open(assets_path("samples", "coffee.jpg")) as small:
        large = np.asarray(small.convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC), np.int16)
    noise = np.random.default_rng(0).integers(-28, 28, large.shape, np.int16)
    pixels = Image.fromarray(np.clip(large + noise, 0, 255).astype(np.uint8))
    data = b""
    for quality in range(30, 100, 5):
        stream = io.BytesIO()
        pixels.save(stream, "JPEG", quality=quality)
        data = stream.getvalue()
        if len(data) > megabytes * 1e6:
            break
    return data


def upload_to_class(page: Page, home: Home, data: bytes) -> float:
    """Seconds from the choice of a file to the class that the page names."""
    page.evaluate("window.scrollTo(0, 0)")
    before = page.locator(home.answer).inner_text()
    began = time.perf_counter()
    file: FilePayload = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": data}
    upload = page.locator(home.upload).first
    if upload.evaluate("element => element.matches('input')"):
        upload.set_input_files(file)
    else:
        with page.expect_file_chooser() as chooser:
            upload.click()
        began = time.perf_counter()
        chooser.value.set_files(file)
    page.wait_for_function(
        "([where, before]) => document.querySelector(where).innerText !== before", arg=[home.answer, before], polling=20
    )
    page.wait_for_function(home.usable, polling=20)
    return time.perf_counter() - began


def memory(server: Server) -> float:
    """Megabytes that the kernel of the open page has for itself; the largest, where others are kept ready."""
    return max(kernel.memory_full_info().uss for kernel in server.kernels()) / 1e6


def measure(browser: Browser, home: Home, kernels: int, rounds: int, photo: bytes) -> None:
    """All that is measured of one home, cold (without kernels kept ready) or preheated."""
    kind = "preheated" if kernels else "cold"
    with tempfile.TemporaryDirectory() as folder:
        surroundings = {
            "BENCH_MODEL": str(assets_path("models", "flexi").resolve()),
            "BENCH_PICTURE": str(PICTURE.resolve()),
        }
        command = serve(home, Path(folder), kernels)
        with start_command(command, Path(folder), r"(http://\S+)", surroundings) as server:
            for number in range(rounds):
                _rest(server)
                with opened(browser, home, server) as now:
                    home.note(f"request to usable page, {kind} (s)", now.seconds)
                    print(f"  {home.name}, {kind}: {now.seconds:.1f} s", flush=True)
                    if number or kernels:
                        continue
                    details(home, now, server, photo)
                    for what, values in home.results.items():
                        print(f"    {what}: {statistics.median(values):.2f}", flush=True)


def details(home: Home, now: Opened, server: Server, photo: bytes) -> None:
    """What is measured of a page that is open."""
    page = now.page
    page.wait_for_function("performance.now() - window.lastChange > 1000")
    home.note("bytes received until usable (MB)", now.received.megabytes)
    for stage in home.stages:
        page.locator(f".vx-stage-{stage}").scroll_into_view_if_needed()
        page.wait_for_function(home.usable)
        page.wait_for_function("performance.now() - window.lastChange > 1000")
    home.note("bytes received until all was seen (MB)", now.received.megabytes)
    home.note("memory of the kernel (MB)", memory(server))
    home.note("memory of the page's JavaScript (MB)", page.evaluate("performance.memory.usedJSHeapSize") / 1e6)
    for what, control in (("layer", home.layer), ("head", home.head)):
        for seen, drawn in key_to_picture(page, control):
            home.note(f"{what} key to picture (ms)", seen)
            home.note(f"{what} key to all pictures (ms)", drawn)
    for seed in range(3):
        # Another file each time, or there would be nothing to do.
        home.note("upload of 5 MB to class (s)", upload_to_class(page, home, photo + bytes([seed]) * (seed + 1)))
        page.wait_for_function("performance.now() - window.lastChange > 1000")
        if seed < 2:
            upload_to_class(page, home, PICTURE.read_bytes() + bytes(seed))
            page.wait_for_function("performance.now() - window.lastChange > 1000")


def trace_and_forward(names: tuple[str, ...], rounds: int = 15) -> dict[str, tuple[float, float]]:
    """Milliseconds of ``trace_image`` and of the plain forward pass with the same preparation, by turns."""
    import explorer
    from explorer.torch_compat import import_timm

    import_timm()
    import torch
    from timm.data.transforms_factory import create_transform

    from explorer.images import open_picture

    results = {}
    picture = open_picture(PICTURE.read_bytes())
    for name in names:
        model = explorer.load_model(name, pretrained=name == "bundled")
        spec = model.spec
        module = model.at(spec.patch_size, spec.image_size)[0]
        transform = create_transform(
            spec.image_size, interpolation=spec.interpolation, mean=spec.mean, std=spec.std, crop_pct=spec.crop_pct
        )

        def forward(module: Callable[..., object] = module, transform: Callable[..., torch.Tensor] = transform) -> None:
            with torch.inference_mode():
                module(transform(Image.fromarray(picture.pixels))[None])

        def trace(model: object = model) -> None:
            explorer.trace_image(model, picture)

        times: dict[str, list[float]] = {"trace": [], "forward": []}
        for number in range(rounds + 2):
            for what, run in (("trace", trace), ("forward", forward)):
                began = time.perf_counter()
                run()
                if number >= 2:
                    times[what].append(1000 * (time.perf_counter() - began))
        results[name] = (statistics.median(times["trace"]), statistics.median(times["forward"]))
    return results


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="page loads of each kind (default: 3)")
    parser.add_argument("--only", choices=["trace"], help="leave out the pages")
    options = parser.parse_args()
    rows: list[tuple[str, float, float]] = []
    if options.only is None:
        photo = photo_of(5)
        with sync_playwright() as playwright:
            browser = launch_browser(playwright, args=["--enable-precise-memory-info"])
            for kernels in (0, 1):
                for home in (OURS, PLAIN):
                    measure(browser, home, kernels, options.rounds, photo)
            browser.close()
        rows = [
            (what, statistics.median(values), statistics.median(PLAIN.results.get(what, [float("nan")])))
            for what, values in OURS.results.items()
        ]
    print(f"\n{'':42}{'page':>10}{'plain':>10}{'ratio':>8}")
    for what, ours, plain in rows:
        print(f"{what:42}{ours:10.2f}{plain:10.2f}{ours / plain:8.2f}")
    for name, (trace, forward) in trace_and_forward(("bundled", "vit_base_patch16_224")).items():
        what = f"trace / forward pass, {name} (ms)"
        print(f"{what:42}{trace:10.2f}{forward:10.2f}{trace / forward:8.2f}")
    loaded = loading()
    for number, what in enumerate(("import timm, torch being there (s)", "load the bundled model after it (s)")):
        ours, plain = loaded["page"][number], loaded["plain"][number]
        print(f"{what:42}{ours:10.2f}{plain:10.2f}{ours / plain:8.2f}")


def _rest(server: Server) -> None:
    """Wait until the kernels that are kept ready have nothing left to do."""
    process = psutil.Process(server.process.pid)
    quiet = 0
    for _ in range(120):
        time.sleep(0.5)
        busy = sum(child.cpu_percent() for child in _family(process))
        quiet = quiet + 1 if busy < 5 else 0
        if quiet >= 6:
            return


_SEEN: dict[int, psutil.Process] = {}


def _family(process: psutil.Process) -> list[psutil.Process]:
    """A process and its children, the same objects each time: their CPU time is counted from call to call."""
    found = [process, *process.children(recursive=True)]
    return [_SEEN.setdefault(child.pid, child) for child in found if child.is_running()]


def _free_port() -> int:
    from tests.page.harness import free_port

    return free_port()


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
