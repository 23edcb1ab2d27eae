"""The page's home: a Voilà server that brings nothing but our page, and JupyterLab beside it.

Nothing here knows models or figures. ``vit-explorer serve`` and ``vit-explorer lab`` end in :func:`serve_page` and
:func:`open_lab`.
"""

from explorer.serving.addresses import Addresses
from explorer.serving.lab import open_lab
from explorer.serving.server import ServeOptions, serve_page

__all__ = ["Addresses", "ServeOptions", "open_lab", "serve_page"]
