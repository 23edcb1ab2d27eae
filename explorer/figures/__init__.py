"""Arrays and finished strings in, figures out: nothing here runs a model, and nothing displays."""

from explorer.figures.matrix import (
    Axis,
    MatrixFigure,
    Scale,
    TilesFigure,
    data_scale,
    similarity_scale,
    symmetric_scale,
)

__all__ = [
    "Axis",
    "MatrixFigure",
    "Scale",
    "TilesFigure",
    "data_scale",
    "similarity_scale",
    "symmetric_scale",
]
