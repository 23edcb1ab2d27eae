"""Fixtures for tests of widgets and panels without a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from explorer.samples import open_sample
from explorer.state import ExplorerState
from tests.standins import Answerer


@pytest.fixture
def answerer() -> Answerer:
    return Answerer()


@pytest.fixture
def state(answerer: Answerer) -> Iterator[ExplorerState]:
    """A state that was answered once, by a stand-in."""
    state = ExplorerState(answerer=answerer, deliver=lambda call: call(), picture=open_sample("chelsea"))
    assert state.wait(10)
    yield state
    state.close()
