"""A link opens what it asks for, and is what was copied."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from explorer.catalog import known_models
from explorer.errors import ExplorerError
from explorer.links import link_query
from explorer.panels.page_link import PageLink, link_values
from explorer.samples import open_sample, sample_of, samples
from explorer.state import ExplorerState
from explorer.texts import text
from tests.standins import MODELS, Answerer

#: A model that the page offers, and that the stand-in can answer for.
TALL = known_models()[-1].name


@pytest.fixture
def fresh(answerer: Answerer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExplorerState]:
    """A state that nobody has answered yet; its answers are brought by :meth:`deliver`."""
    monkeypatch.setitem(MODELS, TALL, (12, 12, 8))
    state = ExplorerState(answerer=answerer, deliver=lambda call: call())
    yield state
    state.close()


def opened(state: ExplorerState, link: str) -> PageLink:
    page = PageLink(state, ("shuffle", "sizes"))
    with state.batch():
        state.picture = open_sample("coffee")
        page.open(link)
    assert state.wait(10)
    return page


def test_a_copied_link_opens_the_same_page(fresh: ExplorerState, answerer: Answerer) -> None:
    first = opened(
        fresh, f"?sample=chelsea&model={TALL}&patch-size=16&layer=11&head=mean&token=p5&lang=ja&experiment=sizes"
    )
    assert (fresh.model, fresh.patch_size, fresh.layer, fresh.head, fresh.token) == (TALL, 16, 10, -1, 1 + 5)
    assert (fresh.language, fresh.experiment) == ("ja", "sizes")
    assert fresh.picture is open_sample("chelsea")

    other = ExplorerState(answerer=answerer, deliver=lambda call: call())
    opened(other, first.button.query)
    assert link_values(other) == link_values(fresh)
    other.close()


def test_a_whole_address_is_read_too(fresh: ExplorerState) -> None:
    opened(fresh, "http://localhost:8866/?layer=3&token=t0#here")
    assert (fresh.layer, fresh.token) == (2, 0)


def test_the_bundled_model_is_not_loaded_a_second_time_under_its_other_name(
    fresh: ExplorerState, answerer: Answerer
) -> None:
    opened(fresh, "?model=flexi&patch-size=16")
    assert fresh.model == "bundled"
    assert [request.patch_size for request in answerer.requests] == [16]


def test_numbers_beyond_the_model_are_clamped_or_left(fresh: ExplorerState) -> None:
    opened(fresh, "?layer=99&head=77&token=p9999")
    assert (fresh.layer, fresh.head) == (5, 5)
    assert fresh.token == 1 + 4 * 8 + 4  # the middle, as without a link


def test_what_is_of_no_use_is_said_without_being_repeated(fresh: ExplorerState) -> None:
    page = opened(fresh, "?layer=<script>&patch-size=16&evil=<b>1</b>")
    assert fresh.patch_size == 16
    said = " ".join(page.notes())
    assert "layer" in said
    assert "not know" in said
    assert "script" not in said
    assert "evil" not in said


@pytest.mark.parametrize(
    "link", ["http://[x?sample=chelsea", "http://[::1?layer=3", "//a]b?layer=3", "x=1&" * 2_000, "nonsense"]
)
def test_what_is_no_address_is_said_to_be_unknown(fresh: ExplorerState, link: str) -> None:
    page = opened(fresh, link)
    assert page.notes() == [text("links.unknown", "en")]
    assert (fresh.layer, fresh.picture) == (0, open_sample("coffee"))


def test_a_link_that_cannot_be_shown_leaves_no_empty_page(
    fresh: ExplorerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(MODELS, TALL)
    opened(fresh, f"?model={TALL}&layer=3")
    assert fresh.trace is not None
    assert (fresh.model, fresh.layer) == ("bundled", 2)
    assert isinstance(fresh.error, ExplorerError)


def test_layer_and_head_can_be_asked_of_a_page_that_is_there(state: ExplorerState, answerer: Answerer) -> None:
    del answerer.requests[:]
    PageLink(state).open("?layer=4&head=2&token=p0")
    assert (state.layer, state.head, state.token) == (3, 1, 1)
    assert not answerer.requests


def test_the_link_follows_the_page(state: ExplorerState) -> None:
    page = PageLink(state)
    state.layer, state.token = 4, 0
    assert "layer=5" in page.button.query
    assert "token=t0" in page.button.query
    assert page.button.query == link_query(link_values(state))
    state.language = "ja"
    assert page.button.texts["label"] == "リンクをコピー"


def test_an_own_picture_is_not_in_the_link(state: ExplorerState) -> None:
    page = PageLink(state)
    assert "sample=chelsea" in page.button.query
    picture = open_sample("chelsea")
    state.picture = type(picture)(picture.pixels, "mine.jpg", "0" * 64)
    assert "sample" not in page.button.query
    assert "mine" not in page.button.query
    assert page.button.own_picture


def test_a_model_that_pages_do_not_offer_is_not_in_the_link(
    state: ExplorerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = "/home/teacher/secret/my-vit"
    monkeypatch.setitem(MODELS, folder, (6, 6, 8))
    page = PageLink(state)
    assert not page.button.own_model
    state.layer, state.head, state.model = 3, 2, folder
    assert state.wait(10)
    assert state.trace.spec.name == folder
    assert page.button.query == "sample=chelsea&lang=en&experiment=shuffle"
    assert page.button.own_model
    state.model = "bundled"
    assert state.wait(10)
    assert "model=flexi&patch-size=8&image-size=64&layer=4&head=3&token=" in page.button.query
    assert not page.button.own_model


def test_random_weights_are_not_in_the_link(state: ExplorerState) -> None:
    page = PageLink(state)
    state.random_weights = True
    assert state.wait(10)
    assert page.button.query == "sample=chelsea&lang=en&experiment=shuffle"
    assert page.button.own_model


def test_every_sample_is_known_by_its_file() -> None:
    assert [sample_of(open_sample(entry.id).digest) for entry in samples()] == [entry.id for entry in samples()]
