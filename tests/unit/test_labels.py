"""Names of classes: where they are looked for, and our Japanese table of ImageNet-1k."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from explorer.errors import ExplorerError
from explorer.labels import Labels, imagenet_labels, japanese_names, labels_for

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "tiny_imagenet_100" / "classes.tsv"


def test_imagenet_1k() -> None:
    labels = labels_for({"num_classes": 1000})
    assert len(labels) == 1000
    assert labels.name(0) == "tench"
    assert labels.name(281) == "tabby"
    assert labels.name(281, "ja") == "トラネコ"
    assert labels.ids[281] == "n02123045"
    assert labels.name(1000, "ja") == "クラス 1000"


def test_names_tell_classes_apart() -> None:
    """Two birds and machines are called crane, and two garments maillot."""
    for labels in (imagenet_labels(1000), imagenet_labels(21843), imagenet_labels(11821)):
        assert [name for name, count in Counter(labels.en).items() if count > 1] == []
    labels = imagenet_labels(1000)
    assert labels.name(134).startswith("crane (large long-necked wading bird")
    assert labels.name(517).startswith("crane (lifts")
    assert "" not in labels.en
    assert [name for name, count in Counter(labels.ja).items() if count > 1] == []
    assert "" not in labels.ja


@pytest.mark.parametrize("classes", [1000, 11221, 11821, 21841, 21842, 21843])
def test_subsets_agree_with_timm(classes: int) -> None:
    from explorer.torch_compat import import_timm

    import_timm()
    from timm.data import ImageNetInfo, infer_imagenet_subset

    info = ImageNetInfo(infer_imagenet_subset({"num_classes": classes}))
    labels = imagenet_labels(classes)
    assert list(labels.ids) == info.label_names()
    for index in range(0, classes, 97):
        assert labels.en[index].startswith(info.index_to_description(index).split(", ")[0])


def test_japanese_table() -> None:
    names = japanese_names()
    assert set(imagenet_labels(1000).ids) == set(names)
    for name in names.values():
        assert name == name.strip()
        assert any(ord(letter) > 0x3000 for letter in name) or name in ("iPod",)


@pytest.mark.skipif(not SHARED.is_file(), reason="the training pictures lie beside the checkout")
def test_japanese_table_agrees_with_the_training_classes() -> None:
    with SHARED.open(encoding="utf-8", newline="") as stream:
        theirs = {row["wordnet_id"]: row["name_ja"] for row in csv.DictReader(stream, delimiter="\t")}
    assert len(theirs) == 100
    assert {key: japanese_names()[key] for key in theirs} == theirs


def test_table_in_the_folder_comes_first(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text('wordnet_id\tname_en\tname_ja\nn1\ta "cat"\tネコ\nn2\t<b>dog</b>\t\n', "utf-8")
    (tmp_path / "config.json").write_text('{"architecture": "x", "num_classes": 2, "label_names": ["p", "q"]}', "utf-8")
    labels = labels_for({"num_classes": 2}, tmp_path)
    assert labels == Labels(("n1", "n2"), ('a "cat"', "<b>dog</b>"), ("ネコ", ""))
    assert labels.names("ja") == ("ネコ", "<b>dog</b>")


@pytest.mark.parametrize("content", ["", "nothing\nhere\n", "wordnet_id\tname_en\tname_ja\nn1\ta\tb\n", "\xff"])
def test_broken_table(tmp_path: Path, content: str) -> None:
    (tmp_path / "labels.tsv").write_bytes(content.encode("latin-1"))
    with pytest.raises(ExplorerError) as caught:
        labels_for({"num_classes": 2}, tmp_path)
    assert caught.value.code == "labels-broken"


def test_names_in_the_configuration(tmp_path: Path) -> None:
    config = {"architecture": "x", "num_classes": 2, "label_names": ["one", "two"], "label_descriptions": {"one": "1"}}
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    assert labels_for({"num_classes": 2}, tmp_path).en == ("1", "two")
    assert labels_for({"num_classes": 2, "label_names": {"1": "b", "0": "a"}}).en == ("a", "b")
    # Synsets are put into words, in both languages.
    synsets = labels_for({"num_classes": 2, "label_names": ["n02123045", "n01443537"]})
    assert synsets.en == ("tabby", "goldfish")
    assert synsets.ja == ("トラネコ", "金魚")


@pytest.mark.parametrize(
    "config", [{}, {"num_classes": 0}, {"num_classes": 512}, {"num_classes": 2, "label_names": ["a"]}]
)
def test_nothing_is_invented(config: dict[str, object]) -> None:
    labels = labels_for(config)
    assert len(labels) == 0
    assert labels.name(3) == "class 3"


@pytest.mark.parametrize(
    "names", [{"3000000": "x"}, {"9999999999": "x"}, {"9" * 5000: "x"}, {"²": "x"}, {"-1": "x"}, ["x"], {"0": "x"}]
)
def test_names_of_classes_that_there_are_not_are_nothing(tmp_path: Path, names: object) -> None:
    """A key as large as it likes costs no memory, also where the folder promises as many classes."""
    assert len(labels_for({"num_classes": 0, "label_names": names})) == 0
    config = {"architecture": "x", "num_classes": 10**12, "label_names": names}
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    assert len(labels_for({"num_classes": 0}, tmp_path)) == 0
    if isinstance(names, dict):
        named = labels_for({"num_classes": 2}, tmp_path)
        assert named.ids == ("x" if "0" in names else "", "")


def test_a_name_can_always_be_sent_to_the_page(tmp_path: Path) -> None:
    config = {
        "architecture": "x",
        "label_names": ["a\ud800", "b\x00\x1b[2J"],
        "label_descriptions": {"a\ud800": "猫\udc00"},
    }
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    labels = labels_for({"num_classes": 2}, tmp_path)
    assert labels.en == ("猫\ufffd", "b\ufffd\ufffd[2J")
    assert labels.ids[0] == "a\ufffd"
    (tmp_path / "labels.tsv").write_text("wordnet_id\tname_en\tname_ja\nn1\ta\x1bb\t\x07ネコ\n", "utf-8")
    labels = labels_for({"num_classes": 1}, tmp_path)
    assert (labels.en, labels.ja) == (("a\ufffdb",), ("\ufffdネコ",))
    assert "".join((*labels.ids, *labels.en, *labels.ja)).encode("utf-8")


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="every class"):
        Labels(("a",), (), ("",))


def test_without_torch() -> None:
    code = (
        "import sys; from explorer import hub, labels, catalog; "
        "labels.imagenet_labels(1000); catalog.known_models(); "
        "sys.exit('torch' in sys.modules or 'timm' in sys.modules or 'huggingface_hub' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
