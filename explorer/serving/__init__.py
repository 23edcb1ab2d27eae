"""The page's home: a Voilà server that brings nothing but our page, and JupyterLab beside it.

Nothing here knows models or figures. ``vit-explorer serve`` and ``vit-explorer lab`` end in :func:`serve_page` and
:func:`open_lab`. Importing this package imports no server: who opens JupyterLab needs no Voilà.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from explorer.quick_jupyter import import_jsonschema

if TYPE_CHECKING:
    from explorer.serving.addresses import Addresses
    from explorer.serving.lab import open_lab
    from explorer.serving.server import ServeOptions, serve_page

__all__ = ["Addresses", "ServeOptions", "open_lab", "serve_page"]

_HOMES = {"Addresses": "addresses", "ServeOptions": "server", "open_lab": "lab", "serve_page": "server"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'explorer.serving' has no attribute {name!r}")
    if _HOMES[name] == "server":
        import_jsonschema()
    value = getattr(import_module(f"explorer.serving.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
