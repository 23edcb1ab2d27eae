"""Stage 1 on the page: picking a patch, a number of it, and the square that the model sees."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from PIL import Image

from explorer.interventions import Intervention
from explorer.panels.patches import PatchesPanel
from explorer.state import ExplorerState
from tests.widgets.random_model import random_state


@pytest.fixture
def state() -> Iterator[ExplorerState]:
    state = random_state()
    yield state
    state.close()


@pytest.fixture
def panel(state: ExplorerState) -> PatchesPanel:
    return PatchesPanel(state)


def pixels(state: ExplorerState, patch: int) -> np.ndarray:
    row, col = divmod(patch, 4)
    return state.trace.image[row * 8 : row * 8 + 8, col * 8 : col * 8 + 8]


def test_a_click_on_the_photo_picks_the_token(panel: PatchesPanel, state: ExplorerState) -> None:
    panel._photo.selected = 6
    assert state.token == 6
    np.testing.assert_array_equal(panel._tile.figure.values[0], pixels(state, 5))
    for channel, view in enumerate(panel._channels):
        np.testing.assert_array_equal(view.figure.values, pixels(state, 5)[:, :, channel])
    np.testing.assert_array_equal(panel._vector.figure.values.ravel(), state.trace.patches[5])
    assert "patch 5" in panel._picked.value


def test_a_token_picked_elsewhere_is_picked_here(panel: PatchesPanel, state: ExplorerState) -> None:
    state.token = 12
    assert panel._photo.selected == 12
    np.testing.assert_array_equal(panel._tile.figure.values[0], pixels(state, 11))


def test_cls_has_no_pixels_and_the_last_patch_stays(panel: PatchesPanel, state: ExplorerState) -> None:
    state.token = 3
    state.token = 0
    assert panel._photo.selected == 0
    assert "CLS is not a patch" in panel._hint.value
    assert "Still shown: patch 2" in panel._picked.value
    np.testing.assert_array_equal(panel._tile.figure.values[0], pixels(state, 2))


def test_a_page_that_opens_with_cls_picked_shows_a_patch(state: ExplorerState) -> None:
    state.token = 0
    panel = PatchesPanel(state)
    assert "CLS is not a patch" in panel._hint.value
    assert panel._tile.figure is not None


def test_a_number_is_marked_in_its_channel_and_in_the_vector(panel: PatchesPanel, state: ExplorerState) -> None:
    state.token = 7
    green = panel._channels[1]
    with green.hold_trait_notifications():
        green.selected_row, green.selected_col = 2, 5
    assert (panel._vector.selected_row, panel._vector.selected_col) == (2, 5 * 3 + 1)
    assert panel._channels[0].selected_row == panel._channels[2].selected_row == -1
    value = int(pixels(state, 6)[2, 5, 1])
    said = unescape(panel._normalised.value)
    assert f"Number {(2 * 8 + 5) * 3 + 1} of the vector: row 2, column 5, green (G)" in said
    spec = state.trace.spec
    assert f"({value} / 255 − {spec.mean[1]:.4g}) / {spec.std[1]:.4g}" in said


def test_a_number_of_the_vector_is_a_pixel(panel: PatchesPanel) -> None:
    with panel._vector.hold_trait_notifications():
        panel._vector.selected_row, panel._vector.selected_col = 7, 23
    blue = panel._channels[2]
    assert (blue.selected_row, blue.selected_col) == (7, 7)


def test_the_same_place_is_worked_out_in_the_next_patch(panel: PatchesPanel, state: ExplorerState) -> None:
    with panel._vector.hold_trait_notifications():
        panel._vector.selected_row, panel._vector.selected_col = 1, 4
    state.token = 9
    assert (panel._vector.selected_row, panel._vector.selected_col) == (1, 4)
    assert "Number 28 of the vector" in panel._normalised.value


def test_the_photo_is_sharp_or_what_the_model_sees(panel: PatchesPanel, state: ExplorerState) -> None:
    sharp = panel._photo.image
    assert panel._photo.mime == "image/jpeg"
    panel._views.value = "model"
    assert panel._photo.mime == "image/png"
    seen = np.asarray(Image.open(io.BytesIO(panel._photo.image)))
    np.testing.assert_array_equal(seen[::32, ::32], state.trace.image)  # enlarged, not smoothed
    assert seen.shape == (1024, 1024, 3)
    panel._views.value = "photo"
    assert panel._photo.image == sharp


def test_white_that_the_file_has_not_is_told(panel: PatchesPanel, state: ExplorerState) -> None:
    words = "transparent in places; the model sees white there"
    assert words not in panel._hint.value
    state.picture = replace(state.picture, on_white=True, digest="transparent")
    assert state.wait(60)
    assert words in panel._hint.value
    state.token = 0  # CLS
    assert words in panel._hint.value
    state.language = "ja"
    assert "モデルにはその部分が白く見えています" in panel._hint.value


def test_moving_the_square_moves_the_crop(panel: PatchesPanel, state: ExplorerState) -> None:
    assert panel._crop.shown  # chelsea is wider than high
    before, photo = state.trace.image, panel._photo.image
    panel._crop.center_x = 0.0
    assert state.crop == (0.0, 0.5)
    assert state.wait(60)
    assert not np.array_equal(state.trace.image, before)
    assert panel._photo.image != photo
    state.crop = (1.0, 0.5)
    assert state.wait(60)
    assert panel._crop.center_x == 1.0


def test_a_token_costs_no_photo(panel: PatchesPanel, state: ExplorerState) -> None:
    sent: list[object] = []
    panel._photo.observe(sent.append, names="image")
    state.token = 5
    state.language = "ja"
    assert not sent
    assert "選択中：パッチ 4" in panel._picked.value
    assert panel._vector.language == "ja"


def test_the_count_is_todays(panel: PatchesPanel, state: ExplorerState) -> None:
    assert "= 32 × 32 / 8² = 16 patches" in panel._count.value
    state.patch_size = 16
    assert state.wait(60)
    assert "= 32 × 32 / 16² = 4 patches" in panel._count.value
    assert panel._photo.grid == (2, 2)
    assert panel._tile.figure.values.shape == (1, 16, 16, 3)


def test_dropped_patches_are_grey_and_cannot_be_picked() -> None:
    state = random_state(Intervention(kept=[3, 9, 14]))
    state.token = 1
    panel = PatchesPanel(state)
    assert panel._photo.kept == [3, 9, 14]
    assert panel._photo.selected == 1 + 3  # counted on the whole grid
    panel._photo.selected = 1 + 9
    assert state.token == 2
    panel._photo.selected = 1 + 5
    assert state.token == 2
    assert "N = 3 of the" in panel._count.value
    state.close()
