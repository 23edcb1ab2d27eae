"""The server's parts, without a kernel and without a browser."""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import subprocess
from importlib.resources import files
from pathlib import Path

import nbformat
import pytest
import segno
import tornado.httpclient
import tornado.web
from jupyter_core.paths import jupyter_path
from jupyter_server.services.config.manager import ConfigManager
from tornado.httpserver import HTTPServer
from voila.execute import VoilaExecutor

from explorer.errors import ExplorerError
from explorer.serving import frontend
from explorer.serving.addresses import Addresses, bind, qr_code
from explorer.serving.frontend import FrontEnd, build_bundle, recorded_scripts
from explorer.serving.handlers import PackedFileHandler
from explorer.serving.lab import START, copy_notebooks, lab_command, lab_environment
from explorer.serving.server import ServeOptions, _config
from explorer.serving.shell import STAGES, choose_language, shell_html
from explorer.texts import LANGUAGES, catalogue


@pytest.mark.parametrize(
    ("asked", "accepted", "expected"),
    [
        ("ja", "en-US,en;q=0.9", "ja"),
        ("en", "ja", "en"),
        (None, "ja-JP,ja;q=0.9,en;q=0.8", "ja"),
        (None, "de-DE,de;q=0.9,en;q=0.5,ja;q=0.7", "ja"),
        (None, "fr,en;q=0.4", "en"),
        (None, "ja;q=0,en;q=0.1", "en"),
        (None, "", "en"),
        (None, "*;q=x, ;;", "en"),
        ("<script>", "ja", "ja"),
        ("tlh", "", "en"),
    ],
)
def test_language_of_the_page(asked: str | None, accepted: str, expected: str) -> None:
    assert choose_language(asked, accepted) == expected


def test_the_servers_own_language_is_the_last_resort() -> None:
    assert choose_language(None, "fr", default="ja") == "ja"
    assert choose_language(None, "en", default="ja") == "en"


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_shell_shows_the_stages_and_brings_all_that_it_needs(language: str) -> None:
    html = shell_html(language, "/voila/frontend.js?v=1")
    assert f'<html lang="{language}"' in html
    assert catalogue(language)["shell.starting"] in html
    for stage in STAGES:
        if f"{stage}.name" in catalogue(language):
            assert f'data-stage="{stage}"' in html
    assert "{{" not in html
    # Everything is in it but the one script, which is the server's own.
    assert re.findall(r'(?:src|href)="(?!data:)([^"]*)"', html) == ["/voila/frontend.js?v=1"]
    assert not re.search(r"url\((?!\s*[\"']?data:)", html)
    assert "@import" not in html


def test_shell_brings_its_messages_in_all_languages() -> None:
    html = shell_html("en")
    found = re.search(r'<script id="vx-texts" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    messages = json.loads(found[1])
    assert set(messages) == set(LANGUAGES)
    script = re.sub(r"//.*", "", html)
    for key in re.findall(r'(?:say|alertWith|progress)\("([a-z-]+)"', script):
        assert all(key in texts for texts in messages.values()), key


def test_port_in_use_is_said_with_another_to_try() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ExplorerError) as caught:
            bind("127.0.0.1", port)
    assert caught.value.code == "port-in-use"
    assert caught.value.values == {"port": port, "other": port + 1}


def test_hosts_that_are_not_ours_are_refused() -> None:
    for host in ("no.such.host.invalid", "192.0.2.7"):
        with pytest.raises(ExplorerError) as caught:
            bind(host, 0)
        assert caught.value.code == "host-unknown"


def test_impossible_ports_are_refused() -> None:
    with pytest.raises(ExplorerError) as caught:
        bind("127.0.0.1", 65_536)
    assert caught.value.code == "port-denied"


def test_addresses_of_a_page_for_this_machine() -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        assert Addresses.of(host, 8866) == Addresses(here="http://localhost:8866", room=None)


def test_addresses_of_a_page_for_a_room() -> None:
    assert Addresses.of("192.168.7.20", 80) == Addresses("http://192.168.7.20:80", "http://192.168.7.20:80")
    assert Addresses.of("2001:db8::5", 80).room == "http://[2001:db8::5]:80"
    everywhere = Addresses.of("0.0.0.0", 8866)
    assert everywhere.here == "http://localhost:8866"
    # What a machine without any network prints is tested by its text; with one the address is a real one.
    assert everywhere.room is None or re.fullmatch(r"http://[\d.]+:8866|http://\[.*\]:8866", everywhere.room)
    assert everywhere.room != everywhere.here
    # Bound to all addresses of the newer kind, a server does not answer on those of the older.
    newer = Addresses.of("::", 8866)
    assert newer.here == "http://[::1]:8866"
    assert newer.room is None or re.fullmatch(r"http://\[.*:.*\]:8866", newer.room)


def test_qr_code_shows_exactly_the_modules_of_the_code() -> None:
    address = "http://192.168.7.20:8866"
    # Two rows of modules a line of text. Light modules are drawn: both, the upper, the lower, or none.
    halves = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
    rows: list[list[int]] = []
    for line in qr_code(address).splitlines():
        pairs = [halves[character] for character in line]
        rows += [[upper for upper, _ in pairs], [lower for _, lower in pairs]]
    expected = [[int(dark) for dark in row] for row in segno.make(address, micro=False).matrix_iter(border=4)]
    assert rows[: len(expected)] == expected


def test_a_room_gets_more_kernels_ready_than_one_reader() -> None:
    assert ServeOptions().kernels == 1
    assert ServeOptions(host="0.0.0.0").kernels == 3
    assert ServeOptions(host="0.0.0.0", ready_kernels=0).kernels == 0


def test_outputs_that_are_late_on_a_busy_machine_are_waited_for() -> None:
    # As Voilà runs a notebook; what comes later it leaves out, and the page stays empty.
    executor = VoilaExecutor(nbformat.v4.new_notebook(), config=_config(ServeOptions(), 8866))
    assert executor.iopub_timeout >= 60
    assert executor.startup_timeout >= 180


def test_scripts_are_joined_so_that_none_runs_into_the_next(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("globalThis.a = 1 // no line end, no semicolon")
    (tmp_path / "b.js").write_text("(() => { globalThis.b = 2 })()")
    bundle = build_bundle({"static": ["a.js", "missing.js", "b.js"]}, {"static": [str(tmp_path)]})
    assert bundle.plain == b"globalThis.a = 1 // no line end, no semicolon\n;(() => { globalThis.b = 2 })()"
    assert gzip.decompress(bundle.packed) == bundle.plain


def test_a_widget_on_its_way_is_waited_for() -> None:
    """The number is in the widget manager of the Voilà that is installed."""
    roots = {
        "static": [str(files("voila") / "static"), *jupyter_path("voila", "templates", "base", "static")],
        "labextensions": [*jupyter_path("labextensions"), *jupyter_path("voila", "labextensions")],
    }
    bundle = build_bundle(recorded_scripts(), roots)
    assert len(re.findall(rb"Date\.now\(\)-\w+<2e4;", bundle.plain)) == 1
    assert not re.search(rb"Date\.now\(\)-\w+<2e3;", bundle.plain)


def test_the_scripts_address_changes_with_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    roots: dict[str, list[str]] = {"static": [], "labextensions": []}
    before = FrontEnd(roots).tag
    assert FrontEnd(roots).tag == before
    # Voilà's scripts are named alike in all its versions, and a browser keeps them for a year.
    record = frontend._record().replace('"voila": "', '"voila": "9')
    monkeypatch.setattr(frontend, "_record", lambda: record)
    assert FrontEnd(roots).tag != before


async def test_files_are_packed_once_and_nothing_else_is_reached(tmp_path: Path) -> None:
    root = tmp_path / "static"
    root.mkdir()
    (root / "a.js").write_text("let a = 0;" * 1000)
    (tmp_path / "secret.js").write_text("secret")
    (root / "link.js").symlink_to(tmp_path / "secret.js")
    application = tornado.web.Application([(r"/static/(.*)", PackedFileHandler, {"roots": [str(root)]})])
    (listening,) = bind("127.0.0.1", 0)
    server = HTTPServer(application)
    server.add_sockets([listening])
    base = f"http://127.0.0.1:{listening.getsockname()[1]}/static"
    client = tornado.httpclient.AsyncHTTPClient()

    async def get(path: str, **headers: str) -> tornado.httpclient.HTTPResponse:
        request = tornado.httpclient.HTTPRequest(base + path, headers=headers, decompress_response=False)
        return await client.fetch(request, raise_error=False)

    try:
        packed = await get("/a.js", **{"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert len(packed.body) < 200
        assert gzip.decompress(packed.body) == b"let a = 0;" * 1000
        assert (await get("/a.js")).body == b"let a = 0;" * 1000
        assert (await get("/a.js", **{"If-None-Match": packed.headers["ETag"]})).code == 304
        (root / "a.js").write_text("let a = 1;")
        assert (await get("/a.js")).body == b"let a = 1;"
        for path in ("/../secret.js", "/%2e%2e/secret.js", "/..%2fsecret.js", "/link.js", "/", "/none.js"):
            assert (await get(path)).code == 404, path
    finally:
        server.stop()
        await server.close_all_connections()


def test_notebooks_of_the_user_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (first, *_) = copy_notebooks(folder)
    assert first.name == "explorer.ipynb"
    first.write_text("my own")
    assert copy_notebooks(folder)[0] == first
    assert first.read_text() == "my own"
    # The lessons as notebooks, for a reader to write in; not the texts that they are made from.
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".ipynb"}
    assert (folder / "lessons" / "ja" / "1-patches.ipynb").is_file()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExplorerError) as caught:
        copy_notebooks(tmp_path / "file")
    assert caught.value.code == "folder-not-writable"


def test_jupyterlab_is_told_not_to_ask_the_internet(tmp_path: Path) -> None:
    command = lab_command(tmp_path, ["--debug"], port=8999, browser=False)
    assert "--LabApp.news_url=None" in command
    assert "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate" in command
    assert command[-2:] == ["--no-browser", "--debug"]


def test_jupyterlab_imports_nothing_of_the_folder_where_it_is_started(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('imported')")
    command = lab_command(tmp_path)
    module = command.index("-m")
    subprocess.run([*command[:module], "-c", "import random"], cwd=tmp_path, check=True, timeout=60)


def test_jupyterlab_does_not_ask_whether_it_may_fetch_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """What JupyterLab reads for its settings' defaults, with our folder among its own; a place's own folders stay."""
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/of/this/place")
    path = lab_environment()["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert path[0] == "/of/this/place"
    manager = ConfigManager(read_config_path=[str(Path(path[1]) / "labconfig")])
    defaults = manager.get("default_setting_overrides")
    assert defaults["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"


def test_jupyterlab_opens_what_leads_to_the_lessons(tmp_path: Path) -> None:
    copied = copy_notebooks(tmp_path)
    assert str(tmp_path / START) in lab_command(tmp_path)
    prose = json.loads((tmp_path / START).read_text("utf-8"))["cells"][0]["source"]
    links = {tmp_path / link for link in re.findall(r"\]\(([^)]+)\)", "".join(prose))}
    assert links == {path for path in copied if path.name != START}
