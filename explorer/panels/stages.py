"""The stages, in the order of the slides: for the page, for lessons and for files."""

from __future__ import annotations

from collections.abc import Mapping

from explorer.panels.attention import AttentionPanel
from explorer.panels.base import StagePanel
from explorer.panels.classification import ClassificationPanel
from explorer.panels.embedding import EmbeddingPanel
from explorer.panels.encoder import EncoderPanel
from explorer.panels.experiments import ExperimentsPanel
from explorer.panels.overview import OverviewPanel
from explorer.panels.patches import PatchesPanel
from explorer.panels.position import PositionPanel

__all__ = ["PICTURED", "STAGES"]

#: All stages of the page.
STAGES: tuple[type[StagePanel], ...] = (
    OverviewPanel,
    PatchesPanel,
    EmbeddingPanel,
    PositionPanel,
    EncoderPanel,
    AttentionPanel,
    ClassificationPanel,
    ExperimentsPanel,
)
#: Those that there are pictures of, by their names.
PICTURED: Mapping[str, type[StagePanel]] = {
    panel.stage: panel for panel in STAGES if panel.picture is not StagePanel.picture
}
