"""The page is light in a dark JupyterLab, too: nothing of ours takes its colours from the theme around it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import sync_playwright

import explorer
from tests.color_vision import custom_properties
from tests.page.browser import launch_browser

WIDGETS = Path(explorer.__file__).parent / "widgets"

#: What a dark theme sets, and how ipywidgets and JupyterLab use it.
DARK = """
:root { --jp-content-font-color1: #fff; --jp-ui-font-color1: #fff; --jp-layout-color0: #111; --jp-border-radius: 2px;
  --jp-widgets-color: var(--jp-content-font-color1); --jp-widgets-label-color: var(--jp-widgets-color);
  --jp-widgets-input-color: var(--jp-ui-font-color1); --jp-widgets-input-background-color: var(--jp-layout-color0); }
.jupyter-widgets { color: var(--jp-widgets-color); }
.widget-text input { color: var(--jp-widgets-input-color); background: var(--jp-widgets-input-background-color); }
.jp-ThemedContainer button { border-radius: var(--jp-border-radius); }
"""
PAGE = """
<body class="jp-ThemedContainer"><div class="vx vx-page jupyter-widgets"><div class="jupyter-widgets"><h2>A</h2></div>
<div class="jupyter-widgets widget-text"><input value="x"></div>
<div class="vx-tour-steps"><button class="vx-tour-step">B</button></div><button class="vx-link-button">C</button>
</div></body>
"""


def test_text_and_corners_are_the_pages_own_in_a_dark_theme() -> None:
    ink = custom_properties(WIDGETS / "explorer.css")["--vx-ink"]
    expected = f"rgb({int(ink[1:3], 16)}, {int(ink[3:5], 16)}, {int(ink[5:7], 16)})"
    with sync_playwright() as playwright:
        browser = launch_browser(playwright, args=["--host-resolver-rules=MAP * ~NOTFOUND"])
        page = browser.new_page()
        page.set_content(PAGE)
        for sheet in (DARK, *(path.read_text("utf-8") for path in sorted(WIDGETS.glob("*.css")))):
            page.add_style_tag(content=sheet)

        def style(selector: str, name: str) -> str:
            return str(page.eval_on_selector(selector, f"(item) => getComputedStyle(item).{name}"))

        assert style("h2", "color") == expected
        assert style("input", "color") == expected
        assert style("input", "backgroundColor") == "rgb(255, 255, 255)"
        assert style(".vx-tour-step", "borderRadius") == "999px"
        assert style(".vx-link-button", "borderRadius") == "8px"
        browser.close()
