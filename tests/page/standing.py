"""Pages that stay open from test to test: each test gets a dashboard of its own in them.

Opening a page costs a kernel's start, the imports of torch and timm, and the browser's reading of the front end: ten
seconds and more of two cores, for most tests several times what they look at. A dashboard that takes another's place
starts from the same state, as it does when a notebook's cell is run again. What opening does is looked at by tests that
open a page themselves.

Tests of one file that set all that they look at may go on with one dashboard, as its reader does: another one costs
more than most of them do.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.page.harness import Guard, wait_ready, write_notebook

__all__ = ["SIZE", "Standing", "dashboard_notebook", "renew_in_lab", "renew_in_voila"]

#: A window where a test asks for no other.
SIZE = (1600, 1000)

#: The first cell of the notebook that is open in JupyterLab.
_LAB_CELL = ".jp-NotebookPanel:visible .jp-CodeCell .jp-InputArea-editor"

#: What a standing page under Voilà shows: the dashboard, and a button out of the way that makes another.
_AGAIN = """
import ipywidgets
from explorer import Dashboard

place = ipywidgets.VBox([Dashboard()])
again = ipywidgets.Button(description="again")
again.add_class("test-again")

def renew(_button):
    before = place.children[0]
    place.children = [Dashboard()]
    before.close()

again.on_click(renew)
whole = ipywidgets.VBox([place, again])
# A box of ipywidgets scrolls what is in it, and nothing in a box that scrolls sticks to the window's edge.
place.layout.overflow = whole.layout.overflow = "visible"
whole
"""


class Standing:
    """One page that stays open, and how it gets another dashboard.

    Parameters
    ----------
    open_page : callable
        Opens it with a query, ready, and with its guard.
    renew : callable
        Puts another dashboard in the place of the one that is there.
    """

    def __init__(self, open_page: Callable[[str], tuple[Page, Guard]], renew: Callable[[Page], None]) -> None:
        self._open_page = open_page
        self._renew = renew
        self._addressed = renew is renew_in_voila
        self._opened: tuple[Page, Guard] | None = None
        #: Who shares the dashboard that is there, and its address; None if nobody may.
        self._shared: tuple[str, str] | None = None

    def take(self, query: str = "", size: tuple[int, int] = SIZE, owner: str | None = None) -> tuple[Page, Guard]:
        """The page with a dashboard that nobody has touched, and its guard, which has seen nothing yet.

        Parameters
        ----------
        query : str
            What the page's address ends in; the dashboard looks there for what to show.
        size : (int, int)
            Of the window.
        owner : str, optional
            Who may get the same dashboard again, at the same address, as it was left.
        """
        width, height = size
        kept, self._shared = self._shared, None if owner is None else (owner, query)
        if self._opened is None:
            self._opened = self._open_page(query)
            self._opened[0].set_viewport_size({"width": width, "height": height})
            return self._opened
        page, guard = self._opened
        guard.begin()
        page.emulate_media(reduced_motion="reduce")
        page.evaluate("document.activeElement?.blur()")
        page.mouse.move(0, 0)
        # Whoever touches the page ends its way to a stage, which would go on while the dashboards change places.
        page.keyboard.press("Shift")
        page.set_viewport_size({"width": width, "height": height})
        if kept is None or kept != self._shared:
            self._put_another(page, query)
        wait_ready(page)
        if self._addressed:
            page.evaluate("scrollTo(0, 0)")
            expect(page.locator(".vx-nav [aria-current]")).to_have_attribute("data-stage", "overview")
        return page, guard

    def _put_another(self, page: Page, query: str) -> None:
        """A new dashboard in the place of the one that is there."""
        page.evaluate(
            """(query) => {
                document.querySelector(".vx-page").dataset.old = "";
                if (query !== null) {
                    history.replaceState(null, "", query || location.pathname);
                    // As the server writes it for this address and this browser.
                    document.documentElement.lang = new URLSearchParams(query).get("lang") ?? "en";
                }
                scrollTo(0, 0);
            }""",
            query if self._addressed else None,
        )
        self._renew(page)
        expect(page.locator(".vx-page[data-old]")).to_have_count(0, timeout=60_000)

    def drop(self) -> None:
        """Close it: after a test that failed nobody knows what it left behind."""
        if self._opened is not None:
            page, self._opened = self._opened[0], None
            if not page.is_closed():
                page.goto("about:blank")
            page.context.close()


def renew_in_lab(page: Page) -> None:
    """Run the notebook's cell again."""
    page.locator(_LAB_CELL).first.click()
    page.keyboard.press("Control+Enter")


def renew_in_voila(page: Page) -> None:
    """Press the button that :func:`dashboard_notebook` has below its dashboard."""
    page.locator(".test-again").dispatch_event("click")


def dashboard_notebook(path: Path) -> Path:
    """Write the notebook of a standing page under Voilà.

    Parameters
    ----------
    path : Path
        Where.
    """
    return write_notebook(path, _AGAIN)
