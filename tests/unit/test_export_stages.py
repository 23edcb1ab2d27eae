"""Pictures for slides on the command line: what is asked for, what is refused, and when. No browser is needed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from explorer import cli, cli_export
from explorer.cli import main
from explorer.drawing import Drawing
from explorer.errors import ExplorerError
from explorer.export import stages, write_deck, write_handout
from explorer.export.stages import STAGES, StagePicture, draw_stages, save_stages, write_stages
from explorer.interventions import Intervention
from explorer.models import ExplorerModel
from explorer.samples import open_sample
from explorer.trace import Trace

PICTURE = str(Path(__file__).parents[2] / "assets" / "samples" / "chelsea.jpg")


def trace_of(model: ExplorerModel, **options: object) -> Trace:
    from explorer.engine import trace_image

    return trace_image(model, open_sample("chelsea"), **options)  # type: ignore[arg-type]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, lang: str = "en") -> str:
    assert main(["export", PICTURE, *arguments, "--lang", lang]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_the_command_line_names_the_stages_that_there_are() -> None:
    assert tuple(STAGES) == cli._STAGES


def test_what_is_wrong_is_said_before_a_model_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_run", lambda options: pytest.fail("a model was run"))
    assert "--out" in refused(capsys)
    said = refused(capsys, "--out", "x", "--stages", "attention,experiments")
    assert "“experiments”" in said
    assert "overview, patches" in said
    assert "“second”" in refused(capsys, "--out", "x", "--head", "second")
    assert "“0”" in refused(capsys, "--out", "x", "--head", "0")
    for folder in (".", "..", "/", ""):
        assert "cannot be written" in refused(capsys, "--deck", folder)


@pytest.mark.parametrize(("lang", "word"), [("en", "was found"), ("ja", "ブラウザーが見つかりません")])
def test_without_a_browser_it_says_how_to_get_one(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    lang: str,
    word: str,
) -> None:
    monkeypatch.setattr(cli, "_run", lambda options: pytest.fail("a model was run"))
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "nowhere"))
    said = refused(capsys, "--out", str(tmp_path / "slides"), lang=lang)
    assert word in said
    assert "apt install chromium" in said
    assert not (tmp_path / "slides").exists()


def test_a_layer_or_head_that_is_not_there_is_named_as_it_was_given(plain_model: ExplorerModel) -> None:
    trace = trace_of(plain_model)
    for options, word in (
        ({"layer": 2}, "no layer 3"),
        ({"head": trace.spec.heads}, f"no head {trace.spec.heads + 1}"),
    ):
        with pytest.raises(ExplorerError, match=word):
            draw_stages(trace, None, open_sample("chelsea"), **options)


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        ({"layer": 2}, "intervention-layer"),
        ({"layer": -1}, "intervention-layer"),
        ({"head": 99}, "intervention-head"),
        ({"head": -2}, "intervention-head"),
        ({"token": 10_000}, "export-token-unknown"),
        ({"token": -1}, "export-token-unknown"),
    ],
)
def test_no_file_shows_another_layer_head_or_token_than_was_asked_for(
    plain_model: ExplorerModel, shown: dict[str, int], code: str, tmp_path: Path
) -> None:
    pytest.importorskip("pptx")
    run = (trace_of(plain_model), None, open_sample("chelsea"))
    for write in (save_stages, write_handout, write_deck):
        with pytest.raises(ExplorerError) as caught:
            write(*run, tmp_path / "file", **shown)
        assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_a_handout_of_a_head_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = str(tmp_path / "handout.html")
    assert "no head 99" in refused(capsys, "--html", out, "--head", "99")
    assert "no layer 0" in refused(capsys, "--html", out, "--layer", "0")


def test_a_query_is_a_prefix_token_a_number_or_a_place(model_of: Callable[[str], ExplorerModel]) -> None:
    trace = trace_of(model_of("registers"))
    prefix, cols = trace.num_prefix, trace.grid[1]
    assert cli_export.token_of(trace, "cls") == 0
    assert cli_export.token_of(trace, " REG2 ") == 2
    assert cli_export.token_of(trace, "0") == prefix
    assert cli_export.token_of(trace, "1, 2") == prefix + cols + 2
    for wrong in ("", "-1", f"0,{cols}", "9999999999", "1,2,3", "reg9", "１", "<b>"):
        with pytest.raises(ExplorerError) as caught:
            cli_export.token_of(trace, wrong)
        assert caught.value.code == "export-query-unknown"


def test_a_query_names_patches_by_their_place_on_the_photo(plain_model: ExplorerModel) -> None:
    patches = trace_of(plain_model).num_patches
    shuffled = Intervention(permutation=tuple(reversed(range(patches))))
    trace = trace_of(plain_model, intervention=shuffled)
    token = cli_export.token_of(trace, "3")
    assert int(trace.patch_index[token - trace.num_prefix]) == 3
    assert token != trace.num_prefix + 3


def picture(**changes: object) -> StagePicture:
    given = {
        "stage": "attention",
        "number": 5,
        "name": "Attention",
        "sentence": "",
        "caption": "",
        "stem": "5-attention",
        "formulas": (),
        "shapes": (),
        "drawings": (Drawing(png=b"png", svg="<svg/>"),),
    }
    return StagePicture(**(given | changes))  # type: ignore[arg-type]


def test_files_are_written_in_the_formats_that_were_drawn(tmp_path: Path) -> None:
    both, svg = picture(), picture(stem="6-classification", drawings=(Drawing(svg="<svg>猫</svg>"),))
    written = write_stages([both, svg], tmp_path / "new" / "folder")
    assert [file.name for file in written] == ["5-attention.png", "5-attention.svg", "6-classification.svg"]
    assert written[2].read_text("utf-8") == "<svg>猫</svg>"
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ExplorerError) as caught:
        write_stages([both], tmp_path / "taken")
    assert caught.value.code == "file-not-writable"


def test_captions_and_file_names_say_what_is_shown(plain_model: ExplorerModel, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[object] = []

    def draw(sheets: list[object], language: str) -> list[Drawing]:
        drawn.extend(sheets)
        return [Drawing() for _ in sheets]

    monkeypatch.setattr(stages, "draw_sheets", draw)
    trace = trace_of(plain_model)
    hostile = replace(open_sample("chelsea"), name="<script>.jpg")
    found = draw_stages(trace, None, hostile, stages=["classification", "attention"], layer=1, head=2, token=0)
    assert [one.stage for one in found] == ["attention", "classification"]
    attention, classification = found
    assert attention.stem == "5-attention-plain-patch16-layer2-head3-en"
    assert attention.caption == (
        "5 Attention · plain · patch size 16 · layer 2 of 2 · head 3 of 3 · query: CLS · random weights"
    )
    assert classification.stem == "6-classification-plain-patch16-en"
    assert classification.caption == "6 Classification · plain · patch size 16 · random weights"
    assert len(drawn) == 2
    (of_file,) = draw_stages(trace, None, PICTURE, stages=["attention"])
    assert of_file.stem == "5-attention-plain-patch16-layer1-head1-en"
    with pytest.raises(ExplorerError) as caught:
        draw_stages(trace, None, "nowhere.jpg", stages=["attention"])
    assert caught.value.code == "file-unreadable"
    (mean,) = draw_stages(trace, None, hostile, stages=["attention"], head=-1, token=3, language="ja")
    assert mean.stem == "5-attention-plain-patch16-layer1-mean-ja"
    assert "ヘッドの平均 · query：パッチ 2" in mean.caption


def test_the_answer_of_a_trained_model_is_in_the_caption(
    bundled: ExplorerModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "draw_sheets", lambda sheets, language: [Drawing() for _ in sheets])
    trace = trace_of(bundled)
    assert trace.probs is not None
    best = int(trace.probs.argmax())
    for language in ("en", "ja"):
        (found,) = draw_stages(
            trace, bundled.labels, open_sample("chelsea"), stages=["classification"], language=language
        )
        assert f"{bundled.labels.name(best, language)}" in found.caption
        assert f"{trace.probs[best]:.1%}" in found.caption
        assert dict(found.shapes)["y"] == trace.y.shape
