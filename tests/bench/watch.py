"""What the benchmarks run in a page before anything else of it."""

from __future__ import annotations

__all__ = ["PATIENCE"]

#: anywidget gives a widget two seconds to load; one that takes longer never hears of a change again. A copy of plotly
#: in each of several ``FigureWidget`` takes longer, on a busy machine even one does. What is measured is how fast a
#: picture changes, so all are given the time that they need.
PATIENCE = """
const soon = AbortSignal.timeout.bind(AbortSignal);
AbortSignal.timeout = (milliseconds) => soon(60 * milliseconds);
"""
