"""ViT Explorer: every array of a Vision Transformer, to see and to touch.

>>> import explorer
>>> model = explorer.load_model()
>>> trace = explorer.trace_image(model, "cat.jpg")
>>> trace.blocks[4].attention.shape  # (heads, who looks, who is looked at)
(6, 65, 65)

Nothing heavy is imported before it is used: ``import explorer`` imports neither torch nor plotly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explorer.dashboard import Dashboard
    from explorer.engine import trace_image
    from explorer.errors import ExplorerError
    from explorer.images import Picture, open_picture
    from explorer.interventions import Intervention
    from explorer.models import ExplorerModel, load_model
    from explorer.trace import Trace

__all__ = [
    "Dashboard",
    "ExplorerError",
    "ExplorerModel",
    "Intervention",
    "Picture",
    "Trace",
    "load_model",
    "open_picture",
    "trace_image",
]

#: Where each public name lives.
_HOMES = {
    "Dashboard": "dashboard",
    "ExplorerError": "errors",
    "ExplorerModel": "models",
    "Intervention": "interventions",
    "Picture": "images",
    "Trace": "trace",
    "load_model": "models",
    "open_picture": "images",
    "trace_image": "engine",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'explorer' has no attribute {name!r}")
    value = getattr(import_module(f"explorer.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
