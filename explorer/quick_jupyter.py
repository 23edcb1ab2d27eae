"""Jupyter's servers without what takes them longest to import, and JupyterLab started so.

Jupyter's servers check their events with jsonschema, which imports a parser of internationalised addresses (IRIs,
RFC 3987) wherever one is installed. The parser's grammar is put together on import: 2.3 of the 3.4 seconds that our
server needs to import itself. No schema of Jupyter's speaks of an IRI, and jsonschema does without the parser where
there is none.
"""

from __future__ import annotations

import sys
from importlib import import_module

__all__ = ["import_jsonschema", "main"]

_PARSER = "rfc3987_syntax"


def import_jsonschema() -> None:
    """Import jsonschema as if there were no parser of IRIs.

    Call this before the first import of Jupyter's servers; later calls do nothing. The parser can be imported after it,
    as ever.
    """
    if "jsonschema" in sys.modules or _PARSER in sys.modules:
        return
    # Python takes a module that is None for one that is not there.
    sys.modules[_PARSER] = None  # type: ignore[assignment]
    try:
        import_module("jsonschema")
    finally:
        del sys.modules[_PARSER]


def main() -> int | None:
    """Run JupyterLab with the command line's arguments: ``python -m explorer.quick_jupyter``.

    Returns
    -------
    int or None
        JupyterLab's exit status.
    """
    import_jsonschema()
    status: int | None = import_module("jupyterlab.labapp").main()
    return status


if __name__ == "__main__":
    sys.exit(main())
