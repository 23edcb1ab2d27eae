"""The models that an experiment offers beside the one that is shown."""

from __future__ import annotations

from typing import Any

from explorer.catalog import known_model, known_models
from explorer.hub import cached_models
from explorer.resources import named_model
from explorer.specs import ModelSpec
from explorer.texts import text

__all__ = ["model_title", "other_models", "spec_title"]


def other_models(shown: str, language: str) -> list[dict[str, Any]]:
    """Options of a menu: what comes with the program, what was downloaded before, what can be.

    Parameters
    ----------
    shown : str
        Name of the model that is shown, which is left out.
    language : str
    """
    own = named_model(shown)
    here = set(cached_models())
    listed = [model for model in known_models() if model.name != own]
    groups = (
        ("page.bundled-group", [model for model in listed if model.bundled]),
        ("experiments.here-group", [model for model in listed if not model.bundled and model.name in here]),
        ("page.download-group", [model for model in listed if not model.bundled and model.name not in here]),
    )
    return [
        {
            "value": model.name,
            "label": f"{model.title} — {model.facts(language)}",
            "short": model.title,
            "note": model.note(language),
            "group": text(group, language),
        }
        for group, members in groups
        for model in members
    ]


def model_title(name: str) -> str:
    """What a model is called: the papers' name where the list has one."""
    known = known_model(name)
    return name if known is None else known.title


def spec_title(spec: ModelSpec, language: str) -> str:
    """What the model of a run is called; one with random weights is said to be untrained."""
    title = model_title(spec.name)
    return text("experiments.untrained", language, name=title) if spec.random_weights else title
