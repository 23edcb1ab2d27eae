"""The handout's file: what is in it, how large it is, and that nobody's text becomes markup."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import comm
import ipywidgets as W
import numpy as np
import pytest

from explorer import export
from explorer.engine import trace_image
from explorer.errors import ExplorerError
from explorer.export import handout, handout_html, write_handout
from explorer.images import Picture
from explorer.interventions import Intervention
from explorer.labels import Labels
from explorer.models import ExplorerModel, load_model
from explorer.numerics import softmax
from explorer.samples import open_sample
from explorer.texts import LANGUAGES
from explorer.trace import Trace

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&.jpg"


class Unpacked:
    """A handout as its own script reads it."""

    def __init__(self, page: str) -> None:
        found = re.search(r'<script type="text/plain" id="vx-data">([A-Za-z0-9+/=]+)</script>', page)
        assert found
        data = gzip.decompress(base64.b64decode(found[1]))
        length = int.from_bytes(data[:4], "little")
        self.header: dict[str, Any] = json.loads(data[4 : 4 + length])
        self._arrays = data[-(-(4 + length) // 8) * 8 :]

    def array(self, number: int) -> np.ndarray:
        place = self.header["arrays"][number]
        data = self._arrays[place["at"] : place["at"] + place["bytes"]]
        return np.frombuffer(data, np.float16 if place.get("half") else np.float32).astype(np.float32)

    def layer(self, number: int, trace: Trace) -> dict[str, np.ndarray]:
        """q, k, lse and highs of a layer."""
        _, heads, tokens, dim = trace.q.shape
        shapes = {"q": (heads, tokens, dim), "k": (heads, tokens, dim), "lse": (heads, tokens), "highs": (2 + heads,)}
        found = self.header["attention"]["layers"][number]
        return {name: self.array(found[name]).reshape(shape) for name, shape in shapes.items()}


def picture(name: str = "chelsea.jpg") -> Picture:
    return replace(open_sample("chelsea"), name=name)


def run(model: ExplorerModel, **options: Any) -> Trace:
    return trace_image(model, picture(), **options)


@pytest.fixture(scope="module")
def base() -> ExplorerModel:
    return load_model("vit_base_patch16_224.augreg_in21k_ft_in1k", pretrained=False)


def test_a_handout_of_the_bundled_model_is_small_and_exact(bundled: ExplorerModel, tmp_path: Path) -> None:
    trace = run(bundled)
    path = write_handout(trace, bundled.labels, picture(), tmp_path / "handout.html")
    assert path.stat().st_size < 6e6
    page = Unpacked(path.read_text("utf-8"))
    for layer in range(trace.spec.depth):
        arrays = page.layer(layer, trace)
        np.testing.assert_array_equal(arrays["q"], trace.q[layer])
        np.testing.assert_array_equal(arrays["k"], trace.k[layer])
    words = page.header["words"]
    assert "float32" in words["en"]["precision"]
    assert "float16" not in words["en"]["precision"]


def test_a_handout_of_a_vit_b_16_keeps_its_size_and_says_what_that_costs(base: ExplorerModel) -> None:
    trace = run(base)
    text = handout_html(trace, base.labels, picture())
    assert len(text.encode("utf-8")) < 15e6
    page = Unpacked(text)
    worst = 0.0
    for layer in (0, 5, 11):
        arrays = page.layer(layer, trace)
        scores = arrays["q"] @ arrays["k"].transpose(0, 2, 1) / np.sqrt(trace.q.shape[-1])
        attention = np.exp(scores - arrays["lse"][:, :, None])
        np.testing.assert_allclose(attention.sum(axis=-1), 1, atol=1e-5)
        worst = max(worst, float(np.abs(attention - trace.blocks[layer].attention).max()))
    for language in LANGUAGES:
        precision = page.header["words"][language]["precision"]
        assert "float16" in precision
        said = re.search(r"([\d.]+)\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}10(⁻\d*[⁰¹²³⁴⁵⁶⁷⁸⁹]+)", precision)
        assert said
        power = int(said[2].translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))
        # Of all layers, and rounded to two figures.
        assert worst <= float(said[1]) * 10**power * 1.05


def test_large_numbers_are_not_rounded_away(model_of: Callable[[str], ExplorerModel], monkeypatch: Any) -> None:
    monkeypatch.setattr(handout, "EXACT_BYTES", 0)
    model = model_of("plain")
    trace = run(model)
    trace.q.flags.writeable = True
    trace.q[1] *= 1e6
    page = Unpacked(handout_html(trace, model.labels, picture()))
    assert np.isfinite(page.layer(1, trace)["q"]).all()
    np.testing.assert_array_equal(page.layer(1, trace)["q"], trace.q[1])
    np.testing.assert_array_equal(page.layer(0, trace)["q"], trace.q[0].astype(np.float16))


def test_no_text_of_a_user_becomes_markup(model_of: Callable[[str], ExplorerModel]) -> None:
    model = model_of("plain")
    trace = run(model)
    names = tuple(f"{HOSTILE}{place}" for place in range(trace.spec.num_classes))
    trace = replace(trace, spec=replace(trace.spec, name=f"/home/somebody/{HOSTILE.replace('/', '')}"))
    page = handout_html(trace, Labels(ids=names, en=names, ja=names), picture(HOSTILE))
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(2)&gt;" in page
    header = Unpacked(page).header
    # What the page sets as HTML has the text, escaped.
    html = [state["value"] for state in header["widgets"] if isinstance(state.get("value"), str)]
    html += [words["warnings"] for words in header["words"].values()]
    assert any("&lt;img" in value for value in html)
    assert not any("<img" in value or "<script" in value for value in html)
    assert "somebody" not in json.dumps(header, ensure_ascii=False)


def test_the_page_forbids_every_request(model_of: Callable[[str], ExplorerModel]) -> None:
    model = model_of("plain")
    page = handout_html(run(model), model.labels, picture())
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    assert "default-src &#x27;none&#x27;" in policy[1]
    assert "http" not in policy[1]
    script = re.search(r"<script>(.*)</script>", page, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode("utf-8")).digest()).decode("ascii")
    assert f"sha256-{digest}" in policy[1]
    # Nothing that a browser would fetch stands in the markup.
    assert re.findall(r"<(?:script|link|img|iframe|source)[^>]*(?:src|href)=\"(?!data:)", page) == []
    assert re.findall(r"url\((?!\"data:|#)", page) == []


@pytest.mark.parametrize("kind", ["plain", "no_head", "distilled", "registers", "average", "attention_pool", "uneven"])
def test_every_kind_of_model_has_a_handout(model_of: Callable[[str], ExplorerModel], kind: str) -> None:
    model = model_of(kind)
    trace = run(model)
    header = Unpacked(handout_html(trace, model.labels, picture())).header
    assert [stage["stage"] for stage in header["stages"]] == ["patches", "position", "attention", "classification"]
    for link in header["links"]:
        assert len(link["values"]) == trace.num_tokens


def test_a_changed_run_says_so_and_its_tokens_find_their_places(model_of: Callable[[str], ExplorerModel]) -> None:
    model = model_of("plain")
    trace = run(model, intervention=Intervention(kept=[1, 4, 9]))
    header = Unpacked(handout_html(trace, model.labels, picture())).header
    assert "13" in header["words"]["en"]["warnings"]
    assert [1 + place for place in (1, 4, 9)] == header["links"][1]["values"][1:]


def test_both_languages_and_every_answer_are_there(bundled: ExplorerModel) -> None:
    trace = run(bundled)
    header = Unpacked(handout_html(trace, bundled.labels, picture())).header
    japanese, english = (json.dumps(header["states"][code], ensure_ascii=False) for code in ("ja", "en"))
    assert "Where it looks, in every head" in english
    assert "このトークンが見る先" in japanese
    views, bars = header["answers"]
    assert list(views["answers"]) == ["photo", "model"]
    best = [str(index) for index in np.argsort(-trace.logits, kind="stable")[:7]]
    assert list(bars["answers"]) == best
    for answers in bars["answers"].values():
        assert set(answers) == set(LANGUAGES)
    # The second class's logit, worked out.
    said = json.dumps(bars["answers"][best[1]]["en"], ensure_ascii=False)
    assert f"{trace.logits[int(best[1])]:.4f}".replace("-", "−") in said
    probability = softmax(trace.logits)[int(best[1])]
    assert f"{probability:.1%}" in said


def test_what_cannot_be_handed_round_is_refused(model_of: Callable[[str], ExplorerModel], monkeypatch: Any) -> None:
    model = model_of("plain")
    trace = run(model)
    monkeypatch.setattr(handout, "MAX_BYTES", 1000)
    with pytest.raises(ExplorerError) as failure:
        handout_html(trace, model.labels, picture())
    assert failure.value.code == "handout-too-large"


@pytest.mark.parametrize(
    ("asked", "written"), [("h", "h.html"), ("h.HTML", "h.HTML"), ("h.htm", "h.htm"), ("v1.2", "v1.2.html")]
)
def test_its_name_ends_as_a_pages_does(asked: str, written: str, tmp_path: Path) -> None:
    assert handout.handout_file(tmp_path / asked) == tmp_path / written
    for nothing in ("", ".", "..", "/"):
        with pytest.raises(ExplorerError):
            handout.handout_file(nothing)


def test_a_file_that_cannot_be_written_is_said(model_of: Callable[[str], ExplorerModel], tmp_path: Path) -> None:
    model = model_of("plain")
    with pytest.raises(ExplorerError) as failure:
        write_handout(run(model), model.labels, picture(), tmp_path / "none" / "x.html")
    assert failure.value.code == "file-not-writable"


def test_nothing_is_sent_to_a_page_and_nothing_is_left_behind(model_of: Callable[[str], ExplorerModel]) -> None:
    """In a kernel the browser would be sent every widget that is made for the file."""
    model = model_of("plain")
    sent: list[Any] = []

    def create(**given: Any) -> Any:
        sent.append(given)
        return before(**given)

    before, comm.create_comm = comm.create_comm, create
    widgets = set(W.widget._instances)
    try:
        handout_html(run(model), model.labels, picture())
        assert comm.create_comm is create
    finally:
        comm.create_comm = before
    assert sent == []
    assert set(W.widget._instances) == widgets


def test_the_same_run_gives_the_same_file(model_of: Callable[[str], ExplorerModel]) -> None:
    model = model_of("plain")
    trace = run(model)
    assert export.handout_html(trace, model.labels, picture()) == export.handout_html(trace, model.labels, picture())
