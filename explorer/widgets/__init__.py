"""Our own widgets: drawings on canvas, fed with bytes, that know nothing of models."""

from explorer.widgets.matrix_view import MatrixView

__all__ = ["MatrixView"]
