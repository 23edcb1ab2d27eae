"""The browser that draws: where it is looked for, and what is said when there is none."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from explorer.drawing import Browser, find_browser
from explorer.errors import ExplorerError


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any browser."""
    for name in ("BROWSER_PATH", "PLAYWRIGHT_BROWSERS_PATH", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    (tmp_path / "bin").mkdir()
    return tmp_path


def program(path: Path, text: str = "#!/bin/sh\nexit 3\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_none_is_found_where_there_is_none(bare: Path) -> None:
    assert find_browser() is None
    with pytest.raises(ExplorerError) as caught:
        Browser()
    assert caught.value.code == "browser-missing"
    assert "apt install chromium" in str(caught.value)
    assert "playwright install chromium" in str(caught.value)


def test_one_is_found_on_the_path_by_name_and_where_playwright_keeps_it(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = program(bare / ".cache" / "ms-playwright" / "chromium-1000" / "chrome-linux" / "chrome")
    assert find_browser() == older
    newer = program(bare / ".cache" / "ms-playwright" / "chromium-1200" / "chrome-linux64" / "chrome")
    assert find_browser() == newer
    on_path = program(bare / "bin" / "google-chrome")
    assert find_browser() == on_path
    named = program(bare / "mine")
    monkeypatch.setenv("BROWSER_PATH", str(named))
    assert find_browser() == named
    # A wrong name is not silently made up for with another browser.
    monkeypatch.setenv("BROWSER_PATH", str(bare / "nowhere"))
    assert find_browser() is None


def test_what_lies_in_the_current_folder_is_not_run_on_windows(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads = bare / "downloads"
    planted = program(downloads / "chrome.exe")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(bare / "local"))
    monkeypatch.setattr("explorer.drawing.browser.shutil.which", lambda name: str(planted))
    monkeypatch.chdir(downloads)
    assert find_browser() is None
    monkeypatch.chdir(bare)
    assert find_browser() == planted


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script as a program")
def test_nothing_of_the_folder_where_we_were_started_is_imported(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare / "fcntl.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(bare)
    program(bare / "bin" / "chromium")
    with pytest.raises(ExplorerError) as caught, Browser():
        pass
    # The browser's own, which has been started.
    assert "exit status 3" in str(caught.value.values["detail"])


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script as a program")
def test_a_browser_that_ends_at_once_is_a_failure_with_its_name(bare: Path) -> None:
    broken = program(bare / "bin" / "chromium")
    with pytest.raises(ExplorerError) as caught, Browser():
        pass
    assert caught.value.code == "browser-failed"
    assert str(broken) in str(caught.value)
    assert "exit status 3" in str(caught.value)
