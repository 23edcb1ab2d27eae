"""Importing timm where torchvision's compiled operators do not fit the installed torch.

timm needs torchvision, and on Linux PyPI's torchvision is built for CUDA. Beside a CPU-only torch its operators
cannot be loaded, and ``import torchvision`` fails with ``operator torchvision::nms does not exist``. A vision
transformer uses none of them: what fails is only the registration of their shapes for tracing, in the module
``torchvision._meta_registrations``. An empty module in its place lets timm work. Where the operators can be
loaded, nothing is touched.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

from explorer.torch_compiler import compiler_when_needed

__all__ = ["import_timm"]

_REGISTRATIONS = "torchvision._meta_registrations"


def import_timm() -> ModuleType:
    """Import timm, working around a torchvision whose operators cannot be loaded.

    Call this before the first ``import timm`` or ``import torchvision``; later calls cost nothing.

    Returns
    -------
    module
        ``timm``.

    Raises
    ------
    ImportError
        If timm, torch or torchvision is missing or broken in another way.
    """
    if "timm" in sys.modules:
        return sys.modules["timm"]
    with compiler_when_needed():
        try:
            import_module("torchvision")
        except RuntimeError as error:
            if "torchvision::" not in str(error):
                raise ImportError(f"torchvision cannot be imported: {error}") from error
            # The failed import leaves half-initialised submodules behind, which would be taken for the real ones.
            for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
                del sys.modules[name]
            sys.modules[_REGISTRATIONS] = ModuleType(_REGISTRATIONS)
            import_module("torchvision")
        return import_module("timm")
