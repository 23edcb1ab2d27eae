"""The command line: languages, exit statuses, and no torch before it is needed."""

from __future__ import annotations

import argparse
import gettext
import inspect
import io
import logging
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from voila.configuration import VoilaConfiguration
from voila.execute import VoilaExecutor
from voila.voila_kernel_manager import voila_kernel_manager_factory

from explorer import cli
from explorer.cli import main, user_language
from explorer.files import named_file
from explorer.images import MAX_BYTES
from explorer.serving import Addresses, ServeOptions, server
from explorer.serving.addresses import qr_code
from explorer.texts import LANGUAGES, catalogue, text


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["--lang", "ja", "serve"], {}, "ja"),
        (["serve", "--lang=ja"], {"LANG": "en_US.UTF-8"}, "ja"),
        (["serve"], {"LANG": "ja_JP.UTF-8"}, "ja"),
        (["serve"], {"LANG": "ja_JP.UTF-8", "LC_ALL": "C"}, "en"),
        (["serve"], {"LANG": "de_DE.UTF-8"}, "en"),
        (["serve", "--lang"], {}, "en"),
        ([], {}, "en"),
    ],
)
def test_language_of_the_user(arguments: list[str], environment: dict[str, str], expected: str) -> None:
    assert user_language(arguments, environment) == expected


def test_expected_failures_are_one_sentence_with_status_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    missing = tmp_path / "none.jpg"
    assert main(["trace", str(missing), "--lang", "ja"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        f"ファイル「{missing}」を読み込めません。ファイル名と、開く権限があるかを確認してください。\n"
    )
    (tmp_path / "no.jpg").write_text("not a picture")
    assert main(["trace", str(tmp_path / "no.jpg"), "--lang", "en"]) == 2
    error = capsys.readouterr().err
    assert "is not a picture" in error
    assert error.count("\n") == 1


def test_a_picture_may_begin_with_a_hyphen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--lang", "en", "--", "-photo.jpg"]) == 2
    assert "The file “-photo.jpg” cannot be read." in capsys.readouterr().err


@pytest.mark.parametrize("language", [[], ["--lang", "ja"], ["--lang=ja"]])
def test_what_stands_behind_two_hyphens_is_for_jupyterlab(
    language: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[Path, list[str]]] = []

    def open_lab(folder: Path, extra: list[str], **_options: object) -> int:
        asked.append((folder, extra))
        return 0

    monkeypatch.setattr("explorer.serving.open_lab", open_lab)
    assert main([*language, "lab", str(tmp_path), "--", "--allow-root", "--", "x"]) == 0
    assert main([*language, "lab", "--no-browser"]) == 0
    assert asked == [(tmp_path, ["--allow-root", "--", "x"]), (Path("vit-explorer"), [])]


def test_a_port_in_use_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port), "--lang", "en"]) == 2
    assert capsys.readouterr().err.startswith(f"Port {port} is in use by another program")


def served(monkeypatch: pytest.MonkeyPatch, *arguments: str, room: str | None = None) -> ServeOptions:
    """What ``vit-explorer serve`` asks the server for, having been told that it listens."""
    asked: list[ServeOptions] = []

    def serve_page(options: ServeOptions, announce: Callable[[Addresses], None]) -> None:
        asked.append(options)
        announce(Addresses(here=f"http://localhost:{options.port}", room=room))

    monkeypatch.setattr("explorer.serving.serve_page", serve_page)
    assert main(["serve", *arguments]) == 0
    (options,) = asked
    return options


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_a_room_is_told_its_address_and_the_code_of_it(
    language: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    room = "http://192.168.7.20:8899"
    served(monkeypatch, "--host", "0.0.0.0", "--port", "8899", "--lang", language, room=room)
    first, second, *code, last = capsys.readouterr().out.splitlines()
    assert first == text("cli.serving", language, address="http://localhost:8899")
    assert second == text("cli.serving-room", language, address=room)
    # Of the address that telephones can open, with its light margin whole: scanners need it.
    assert code == qr_code(room).splitlines()
    assert {len(line) for line in code} == {len(code[0])}
    assert last == text("cli.serving-stop", language)


@pytest.mark.parametrize("language", list(LANGUAGES))
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "127.0.0.1", "localhost", "::1"])
def test_an_address_that_there_is_not_is_not_shown(
    language: str, host: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served(monkeypatch, "--host", host, "--lang", language)
    printed = capsys.readouterr().out.splitlines()
    # Who asked for a room is told why there is none; who did not is told nothing of rooms.
    missing = [text("cli.serving-no-room", language)] if host in ("0.0.0.0", "::") else []
    here = text("cli.serving", language, address="http://localhost:8866")
    assert printed == [here, *missing, text("cli.serving-stop", language)]


def test_what_is_said_to_a_room_differs_by_language(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {}
    for language in LANGUAGES:
        served(monkeypatch, "--host", "0.0.0.0", "--lang", language, room="http://192.168.7.20:8866")
        said[language] = capsys.readouterr().out
    assert "For the room:  http://192.168.7.20:8866\n" in said["en"]
    assert "教室用：        http://192.168.7.20:8866\n" in said["ja"]


def test_a_room_gets_the_settings_of_a_room(monkeypatch: pytest.MonkeyPatch) -> None:
    config = server._config(served(monkeypatch, "--host", "0.0.0.0"), 8866)
    voila = VoilaConfiguration(config=config)
    # Three readers find a kernel ready, and the next is prepared only when those have been served.
    assert voila.preheat_kernel
    assert voila.default_pool_size == 3
    kernels = server.KernelsHere(config=config)
    assert "fill_delay" in voila_kernel_manager_factory(server.KernelsHere, True, 3).class_trait_names()
    assert config.VoilaKernelManager.fill_delay > 1
    # A telephone that went out of reach leaves no kernel behind; a page that is open keeps its own.
    assert kernels.cull_idle_timeout == 600
    assert 0 < kernels.cull_interval <= 30
    assert not kernels.cull_connected
    # The largest picture arrives in one message.
    assert config.Voila.tornado_settings["websocket_max_message_size"] > MAX_BYTES
    # Neither source code nor files, nor the folders that a traceback names.
    assert voila.strip_sources
    assert voila.file_allowlist == []
    assert voila.resources == {"show_details": False}
    assert (voila.allow_template_override, voila.allow_theme_override) == ("NO", "NO")
    assert config.Voila.tornado_settings["allow_remote_access"]
    assert not config.Voila.tornado_settings["disable_check_xsrf"]
    assert not config.Voila.open_browser


def test_one_reader_gets_the_settings_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    config = server._config(served(monkeypatch), 8866)
    voila = VoilaConfiguration(config=config)
    assert voila.default_pool_size == 1
    assert voila.strip_sources
    assert voila.resources == {"show_details": True}
    # Another name for this machine does not lead to a kernel.
    assert not config.Voila.tornado_settings["allow_remote_access"]


def test_what_the_command_line_says_reaches_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("--ready-kernels", "5", "--idle-minutes", "0.2", "--port", "80", "--lang", "ja", "--verbose")
    options = served(monkeypatch, "--host", "0.0.0.0", *arguments)
    assert (options.host, options.port, options.language, options.verbose) == ("0.0.0.0", 80, "ja", True)
    # The output of this test is no terminal: a browser that opens would surprise.
    assert not options.open_browser
    config = server._config(options, 80)
    assert VoilaConfiguration(config=config).default_pool_size == 5
    kernels = server.KernelsHere(config=config)
    assert (kernels.cull_idle_timeout, kernels.cull_interval) == (12, 6)
    assert config.Voila.log_level == logging.INFO
    none = server._config(served(monkeypatch, "--ready-kernels", "0"), 8866)
    assert not VoilaConfiguration(config=none).preheat_kernel


@pytest.mark.parametrize("minutes", ["0", "inf", "1e300"])
def test_no_page_is_closed_for_being_idle_where_that_is_wanted(minutes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = server._config(served(monkeypatch, "--idle-minutes", minutes), 8866)
    # Jupyter's own sign for it.
    assert server.KernelsHere(config=config).cull_idle_timeout == 0


def test_the_shortest_time_is_not_taken_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    config = server._config(served(monkeypatch, "--idle-minutes", "0.001"), 8866)
    assert server.KernelsHere(config=config).cull_idle_timeout == 1


@pytest.mark.parametrize("minutes", ["-1", "nan"])
@pytest.mark.parametrize("language", list(LANGUAGES))
def test_a_time_that_there_is_not_is_refused(minutes: str, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--idle-minutes", minutes, "--lang", language]) == 2
    assert capsys.readouterr().err == text("errors.idle-minutes-unknown", language, minutes=minutes) + "\n"


def test_every_setting_of_the_server_is_one_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is spelled otherwise would be passed over without a word."""
    config = server._config(served(monkeypatch, "--host", "0.0.0.0"), 8866)
    owners = {
        "Voila": server.ExplorerVoila,
        "VoilaConfiguration": VoilaConfiguration,
        "VoilaExecutor": VoilaExecutor,
        "MappingKernelManager": server.KernelsHere,
        "VoilaKernelManager": voila_kernel_manager_factory(server.KernelsHere, True, 3),
        "OwnKernels": server.OwnKernels,
    }
    assert set(config) == set(owners)
    for name, owner in owners.items():
        assert set(config[name]) <= set(owner.class_trait_names(config=True)), name


def test_a_picture_is_traced_to_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    from explorer.trace import Trace

    monkeypatch.chdir(tmp_path)
    Image.linear_gradient("L").convert("RGB").save("photo.png")
    arguments = ["trace", "photo.png", "--model", "vit_tiny_patch16_224", "--random-weights", "--patch-size", "32"]
    assert main([*arguments, "--lang", "en"]) == 0
    trace = Trace.load(tmp_path / "photo.npz")
    assert trace.num_tokens == 50
    assert (trace.patch_size, trace.image_size) == (32, 224)
    printed = capsys.readouterr().out
    assert "photo.npz" in printed
    assert "patch size 32 at 224 px, T = 50 tokens" in printed
    assert "random weights" in printed


@pytest.mark.parametrize("folder", [".", "..", "/", ""])
def test_a_trace_without_a_name_is_refused_before_a_model_runs(
    folder: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_run", lambda options: pytest.fail("a model was run"))
    assert main(["trace", "photo.png", "--out", folder, "--lang", "en"]) == 2
    assert capsys.readouterr().err.endswith("cannot be written. Please choose another name or folder.\n")


@pytest.mark.parametrize(
    ("given", "meant"), [("run", "run.npz"), ("a/run.npz", "a/run.npz"), ("run.NPZ", "run.NPZ"), ("a.b", "a.b.npz")]
)
def test_an_ending_is_added_where_it_is_missing(given: str, meant: str) -> None:
    assert named_file(given, ".npz") == Path(meant)


def test_a_picture_is_exported_as_a_handout(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from PIL import Image

    Image.linear_gradient("L").convert("RGB").save(tmp_path / "photo.png")
    out = tmp_path / "handout.html"
    assert main(["export", str(tmp_path / "photo.png"), "--html", str(out), "--patch-size", "16", "--lang", "en"]) == 0
    assert out.read_text("utf-8").startswith("<!doctype html>")
    assert f"{out}: bundled, {out.stat().st_size / 1e6:.1f} MB" in capsys.readouterr().out
    missing = tmp_path / "none" / "handout.html"
    assert main(["export", str(tmp_path / "photo.png"), "--html", str(missing), "--lang", "en"]) == 2
    assert capsys.readouterr().err.endswith("handout.html” cannot be written. Please choose another name or folder.\n")


def test_models_are_listed_without_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--lang", "en"]) == 0
    listed = capsys.readouterr().out
    assert "vit_base_patch16_224.augreg_in21k_ft_in1k  [" in listed


def test_a_letter_that_the_terminal_lacks_is_written_as_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of Japanese Windows has no middle dot, which stands in every model's line."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp932"))
    assert main(["models", "--lang", "ja"]) == 0
    sys.stdout.flush()
    listed = written.getvalue().decode("cp932")
    assert catalogue("ja")["models.state-bundled"] in listed
    assert "\\xb7" in listed


@pytest.mark.parametrize(
    "code",
    [
        "import explorer",
        "import explorer.cli; explorer.cli._parser('en')",
        "import explorer.serving",
        "from explorer import Dashboard",
    ],
)
def test_torch_and_plotly_wait_until_they_are_needed(code: str) -> None:
    check = f"import sys; {code}; print(*({{'torch', 'timm', 'plotly'}} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=120)
    assert answer.stdout.strip() == ""


@pytest.mark.parametrize(
    ("arguments", "english", "japanese"),
    [
        (["serve", "--port", "abc"], "argument --port: invalid int value: 'abc'", "引数 --port：'abc' はintの値として"),
        (["serve", "--port"], "argument --port: expected one argument", "引数 --port：値を1つ指定してください"),
        (["serv"], "invalid choice: 'serv' (choose from", "'serv' は選べません（'serve'"),
        (["trace"], "the following arguments are required: picture", "次の引数が必要です：picture"),
        (["models", "--what"], "unrecognized arguments: --what", "知らない引数です：--what"),
        (["download"], "the following arguments are required: NAME", "次の引数が必要です：NAME"),
    ],
)
def test_what_argparse_says_is_said_in_the_users_language(
    capsys: pytest.CaptureFixture[str], arguments: list[str], english: str, japanese: str
) -> None:
    for language, expected, usage in (("en", english, "usage: "), ("ja", japanese, "使い方：")):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--lang", language])
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert expected in said
        assert said.startswith(usage)
        assert said.endswith("\n")
    assert argparse._ is gettext.gettext  # type: ignore[attr-defined]


def test_help_is_wholly_in_the_users_language(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help", "--lang", "ja"])
    said = capsys.readouterr().out
    assert "オプション:\n" in said
    assert "この説明を表示して終了します" in said
    assert not re.search(r"[a-z]{3,} [a-z]{3,} [a-z]{3,}", said)


def test_argparse_still_has_the_words_that_are_translated() -> None:
    """With another Python it may word them otherwise."""
    source = inspect.getsource(argparse)
    for key, english in catalogue("en").items():
        if key.startswith("argparse."):
            assert english in source.replace("\\n", ""), english
            # What argparse fills in has to be filled in in all languages.
            filled = re.compile(r"%(?:\(\w+\))?[sr]")
            assert sorted(filled.findall(catalogue("ja")[key])) == sorted(filled.findall(english)), key
