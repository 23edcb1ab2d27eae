"""Our own widgets: drawings on canvas, fed with bytes, that know nothing of models."""

from explorer.widgets.chart_view import ChartView
from explorer.widgets.matrix_view import MatrixView
from explorer.widgets.patch_view import PatchView
from explorer.widgets.tiles_view import TilesView

__all__ = ["ChartView", "MatrixView", "PatchView", "TilesView"]
