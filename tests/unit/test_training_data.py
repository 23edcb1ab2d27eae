from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.errors import ExplorerError
from explorer.texts import LANGUAGES, error_text
from explorer.training.data import load_pictures, read_labels, split_pictures, write_labels
from tests.training_pictures import pictures, write_folders, write_packed


def failure(source: Path, cache: Path) -> ExplorerError:
    with pytest.raises(ExplorerError) as caught:
        load_pictures(source, 16, cache)
    for language in LANGUAGES:
        assert error_text(caught.value, language)
    return caught.value


def test_packed_pictures_come_out_as_they_went_in(tmp_path: Path) -> None:
    loaded = load_pictures(write_packed(tmp_path / "packed"), 16, tmp_path / "cache")
    for index, (picture, label) in enumerate(pictures()):
        assert np.array_equal(loaded.pixels[index], np.asarray(picture))
        assert loaded.labels[index] == label
    assert [name.name_ja for name in loaded.classes] == ["色0", "色1", "色2"]


def test_folders_of_pictures_are_classes(tmp_path: Path) -> None:
    loaded = load_pictures(write_folders(tmp_path / "own"), 16, tmp_path / "cache")
    assert [name.wordnet_id for name in loaded.classes] == ["colour0", "colour1", "colour2"]
    assert loaded.pixels.shape == (36, 16, 16, 3)
    assert np.array_equal(loaded.pixels.mean(axis=(1, 2)).argmax(axis=1), loaded.labels)


def test_any_folder_name_comes_back_from_the_labels(tmp_path: Path) -> None:
    for number, name in enumerate(('"Golden" apple', '"quince', "a\tb\nc")):
        folder = tmp_path / "set" / name
        folder.mkdir(parents=True)
        Image.new("RGB", (16, 16), (number, 0, 0)).save(folder / "one.png")
    classes = load_pictures(tmp_path / "set", 16, tmp_path / "cache").classes
    write_labels(tmp_path / "labels.tsv", classes)
    assert read_labels(tmp_path / "labels.tsv") == classes
    assert [name.name_en for name in classes] == ['"Golden" apple', '"quince', "a b c"]


def test_pictures_of_other_sizes_are_cut_to_a_square(tmp_path: Path) -> None:
    loaded = load_pictures(write_folders(tmp_path / "own"), 8, tmp_path / "cache")
    assert loaded.pixels.shape == (36, 8, 8, 3)


def test_pictures_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_packed(tmp_path / "packed")
    first = load_pictures(source, 16, tmp_path / "cache")
    monkeypatch.setattr("explorer.training.data._square", None)
    assert np.array_equal(load_pictures(source, 16, tmp_path / "cache").pixels, first.pixels)


def test_the_last_pictures_of_each_class_are_held_back() -> None:
    labels = np.tile(np.arange(4), 30)
    split = split_pictures(labels, 5)
    assert not set(split.train) & set(split.validation)
    assert len(split.train) + len(split.validation) == len(labels)
    for label in range(4):
        members = np.flatnonzero(labels == label)
        assert set(members[-5:]) <= set(split.validation)
        assert not set(members[:-5]) & set(split.validation)


def test_small_classes_keep_most_of_their_pictures() -> None:
    split = split_pictures(np.asarray([0] * 10 + [1, 1] + [2]), 50)
    assert np.array_equal(split.validation, [8, 9, 11])


def test_missing_folder(tmp_path: Path) -> None:
    assert failure(tmp_path / "nowhere", tmp_path).code == "training-data-missing"


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "own" / "cats").mkdir(parents=True)
    assert failure(tmp_path / "own", tmp_path).code == "training-data-empty"


def test_empty_class(tmp_path: Path) -> None:
    write_folders(tmp_path / "own")
    (tmp_path / "own" / "nothing").mkdir()
    error = failure(tmp_path / "own", tmp_path)
    assert error.code == "training-data-empty"
    assert "nothing" in str(error)


def test_one_class(tmp_path: Path) -> None:
    assert failure(write_folders(tmp_path / "own", classes=1), tmp_path).code == "training-data-one-class"
    assert failure(write_packed(tmp_path / "packed", classes=1), tmp_path).code == "training-data-one-class"


def test_unreadable_picture_is_named_and_leaves_no_cache(tmp_path: Path) -> None:
    source = write_folders(tmp_path / "own")
    (source / "colour1" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    error = failure(source, tmp_path / "cache")
    assert error.code == "training-data-picture"
    assert "broken.jpg" in str(error)
    assert not list((tmp_path / "cache").iterdir())
    (source / "colour1" / "broken.jpg").write_bytes(b"no picture")
    assert "broken.jpg” cannot be read (it is no picture of a known format)" in str(failure(source, tmp_path / "cache"))


def test_a_link_to_nothing_is_named_and_a_folder_named_like_a_picture_is_none(tmp_path: Path) -> None:
    source = write_folders(tmp_path / "own")
    (source / "colour1" / "album.jpg").mkdir()
    count = len(load_pictures(source, 16, tmp_path / "cache").labels)
    assert count == len([path for path in source.rglob("*") if path.is_file()])
    (source / "colour1" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    error = failure(source, tmp_path / "cache")
    assert error.code == "training-data-picture"
    assert "gone.jpg" in str(error)


def test_decoded_pictures_that_were_cut_off_are_decoded_again(tmp_path: Path) -> None:
    source = write_folders(tmp_path / "own")
    pixels = load_pictures(source, 16, tmp_path / "cache").pixels.copy()
    (kept,) = (tmp_path / "cache").iterdir()
    for length in (0, 100, kept.stat().st_size - 1):
        whole = kept.read_bytes()
        kept.write_bytes(whole[:length])
        assert np.array_equal(load_pictures(source, 16, tmp_path / "cache").pixels, pixels)


@pytest.mark.parametrize("damage", ["cut", "offsets", "labels", "pickle", "no-classes"])
def test_damaged_packed_file(tmp_path: Path, damage: str) -> None:
    source = write_packed(tmp_path / "packed")
    archive = source / "train.npz"
    with np.load(archive) as content:
        parts = dict(content)
    if damage == "cut":
        archive.write_bytes(archive.read_bytes()[:200])
    elif damage == "offsets":
        np.savez(archive, **{**parts, "offsets": parts["offsets"] + 1_000_000})
    elif damage == "labels":
        np.savez(archive, **{**parts, "labels": parts["labels"] + 1})
    elif damage == "pickle":
        np.savez(archive, **{**parts, "labels": np.asarray([object()], dtype=object)})
    else:
        (source / "classes.tsv").unlink()
    assert failure(source, tmp_path).code == "training-data-packed"
