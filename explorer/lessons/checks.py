"""All answers that lessons check: what is true, and what comes out when it goes wrong in a way that has a name.

Nothing is written down as a number here. Truth and mistakes are worked out, from the trace and the model's weights,
when an answer is checked.
"""

from __future__ import annotations

from collections.abc import Mapping

from explorer.lessons.check import Check
from explorer.lessons.checks_encoder import ENCODER_CHECKS
from explorer.lessons.checks_output import OUTPUT_CHECKS
from explorer.lessons.checks_tokens import TOKEN_CHECKS

__all__ = ["CHECKS", "Check"]

CHECKS: Mapping[str, Check] = {**TOKEN_CHECKS, **ENCODER_CHECKS, **OUTPUT_CHECKS}
