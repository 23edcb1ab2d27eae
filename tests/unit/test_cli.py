"""The command line: languages, exit statuses, and no torch before it is needed."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from explorer.cli import main, user_language


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


def test_a_port_in_use_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port), "--lang", "en"]) == 2
    assert capsys.readouterr().err.startswith(f"Port {port} is in use by another program")


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


def test_a_picture_is_exported_as_a_handout(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from PIL import Image

    Image.linear_gradient("L").convert("RGB").save(tmp_path / "photo.png")
    out = tmp_path / "handout.html"
    assert main(["export", str(tmp_path / "photo.png"), "--html", str(out), "--patch-size", "16", "--lang", "en"]) == 0
    assert out.read_text("utf-8").startswith("<!doctype html>")
    assert f"{out}: bundled, {out.stat().st_size / 1e6:.1f} MB" in capsys.readouterr().out
    missing = tmp_path / "none" / "handout.html"
    assert main(["export", str(tmp_path / "photo.png"), "--html", str(missing), "--lang", "en"]) == 2
    assert "Please name another with --html." in capsys.readouterr().err


def test_models_are_listed_without_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--lang", "en"]) == 0
    listed = capsys.readouterr().out
    assert "vit_base_patch16_224.augreg_in21k_ft_in1k  [" in listed


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
