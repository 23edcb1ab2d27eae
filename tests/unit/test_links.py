"""Links: everything that they carry comes back, and nothing that a stranger writes gets further."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from explorer.catalog import known_models
from explorer.links import PAGE_STAGES, LinkValues, link_query, read_link
from explorer.panels.stages import STAGES as DASHBOARD_STAGES
from explorer.samples import samples
from explorer.serving.shell import STAGES as SHELL_STAGES
from explorer.texts import LANGUAGES

EXPERIMENTS = ("shuffle", "sizes")

FULL = LinkValues(
    sample=samples()[1].id,
    model=known_models()[-1].name,
    patch_size=16,
    image_size=224,
    layer=3,
    head=0,
    patch=17,
    lang="ja",
    stage="attention",
    experiment="sizes",
)


def back(query: str) -> tuple[LinkValues, tuple[str, ...], bool]:
    return read_link(dict(parse_qsl(query, keep_blank_values=True)), EXPERIMENTS)


@pytest.mark.parametrize(
    "values",
    [
        LinkValues(),
        FULL,
        LinkValues(head=-1, prefix=0),
        LinkValues(layer=0, head=11, prefix=4),
        LinkValues(tour=True),
        *(LinkValues(stage=stage) for stage in PAGE_STAGES),
        *(LinkValues(lang=language) for language in LANGUAGES),
        *(LinkValues(sample=sample.id) for sample in samples()),
    ],
)
def test_what_is_written_is_read_again(values: LinkValues) -> None:
    assert back(link_query(values)) == (values, (), False)


def test_page_shell_and_links_have_the_same_stages() -> None:
    """Three lists, since neither the shell nor a link may wait for what the page itself imports."""
    assert PAGE_STAGES == SHELL_STAGES == tuple(panel.stage for panel in DASHBOARD_STAGES)


def test_the_link_counts_layers_and_heads_as_the_page_does() -> None:
    query = dict(parse_qsl(link_query(FULL)))
    assert (query["layer"], query["head"], query["token"]) == ("4", "1", "p17")


def test_the_bundled_model_is_called_by_its_name() -> None:
    assert link_query(LinkValues(model="bundled")) == "model=flexi"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sample", "../../etc/passwd"),
        ("sample", ""),
        ("model", "/etc"),
        ("model", "."),
        ("model", "bundled\x00"),
        ("model", "resnet18"),
        ("patch-size", "0"),
        ("patch-size", "3"),  # the page offers none below 4
        ("patch-size", "-8"),
        ("patch-size", "8.0"),
        ("patch-size", "٨"),
        ("patch-size", "123456"),
        ("image-size", "1e9"),
        ("layer", "0"),
        ("layer", "one"),
        ("head", "0"),
        ("head", "-1"),
        ("head", "Mean"),
        ("token", "17"),
        ("token", "p"),
        ("token", "p17 "),
        ("token", "p1\n"),
        ("lang", "de"),
        ("stage", "<script>"),
        ("experiment", "shuffle' or 1=1"),
    ],
)
def test_a_value_that_is_of_no_use_is_named_and_left_out(name: str, value: str) -> None:
    values, ignored, unknown = read_link({name: value, "head": "2"} | {name: value}, EXPERIMENTS)
    assert ignored == (name,)
    assert not unknown
    assert values == (LinkValues() if name == "head" else LinkValues(head=1))


def test_parameters_of_others_are_noticed_but_not_named() -> None:
    assert read_link({"<b>x</b>": "1", "layer": "2"}, EXPERIMENTS) == (LinkValues(layer=1), (), True)


def test_language_alone_is_no_request() -> None:
    assert not LinkValues(lang="ja")
    assert LinkValues(layer=0)
