"""A Chromium for the tests: the machine's own where there is one, else Playwright's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Browser, Playwright

__all__ = ["find_chromium", "launch_browser"]

#: The shell without windows first: it draws the same, and opens a page in half the time.
NAMES = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)


def find_chromium() -> str | None:
    """Path of a Chromium or Chrome on PATH, or what ``CHROMIUM`` names."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def launch_browser(playwright: Playwright, args: Sequence[str] = (), **options: Any) -> Browser:
    """Start it without a window. As root (in a container) Chromium runs only without its sandbox."""
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=find_chromium(), args=[*sandbox, *args], **options)
