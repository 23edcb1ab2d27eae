"""What the notebooks in ``notebooks/lessons`` need: a run, checks of answers, questions, the page's stages.

>>> from explorer.lessons import begin, check
>>> trace = begin("patches")  # doctest: +SKIP
>>> check("patches.count", 64)  # doctest: +SKIP
✓ Right. 64
"""

from __future__ import annotations

from explorer.lessons.session import begin, check, class_names, predict, rerun, stage
from explorer.lessons.verdict import Verdict

__all__ = ["Verdict", "begin", "check", "class_names", "predict", "rerun", "stage"]
