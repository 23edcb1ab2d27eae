"""Record which scripts of Voilà's front end the page loads: writes explorer/serving/page/frontend.json.

To be run after an upgrade of voila, ipywidgets or anywidget; a page test fails until it has been::

    python tools/record_frontend.py
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.page.browser import launch_browser  # noqa: E402

TARGET = ROOT / "explorer" / "serving" / "page" / "frontend.json"
VERSIONS = ("voila", "jupyterlab_widgets", "anywidget")
SERVE = """
import sys
from explorer.serving import ServeOptions, serve_page
serve_page(ServeOptions(port=0, ready_kernels=0, open_browser=False, bundled=False, notebook=sys.argv[1] or None),
           lambda addresses: print(addresses.here, flush=True))
"""


def main() -> None:
    """Open the page once and write down what it asked for."""
    notebook = sys.argv[1] if len(sys.argv) > 1 else ""
    server = subprocess.Popen([sys.executable, "-c", SERVE, notebook], stdout=subprocess.PIPE, text=True)
    scripts: dict[str, list[str]] = {"static": [], "labextensions": []}
    try:
        address = next(iter(server.stdout or [])).strip()
        with sync_playwright() as playwright:
            browser = launch_browser(playwright)
            page = browser.new_page()

            def note(url: str) -> None:
                found = re.search(r"/voila/(static|labextensions)/([^?]+\.js)", url)
                # The entries stay on their own: the front end puts them into the page by their addresses.
                if found and not re.search(r"remoteEntry|(^|/)voila\.js$", found[2]):
                    scripts[found[1]].append(found[2])

            page.on("request", lambda request: note(request.url))
            page.goto(address)
            page.wait_for_function("performance.getEntriesByName('vx-dashboard-shown').length", timeout=120_000)
            page.wait_for_load_state("networkidle")
            browser.close()
    finally:
        server.terminate()
        server.wait()
    content = {"versions": {name: version(name) for name in VERSIONS}, "scripts": scripts}
    TARGET.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)}: {sum(map(len, scripts.values()))} scripts")


if __name__ == "__main__":
    main()
