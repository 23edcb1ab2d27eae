"""What trained models say to a training picture, as something to learn from besides its label."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from explorer.errors import ExplorerError, Phrase
from explorer.training.checkpoint import CHECKPOINT, load_checkpoint, read_facts
from explorer.training.data import ClassName, read_labels
from explorer.training.export import course_of, load_folder
from explorer.training.networks import build_network, forward_of
from explorer.training.settings import TrainSettings

__all__ = ["Teachers"]


class Teachers:
    """One or more networks, whose answers are averaged: the averaged weights of runs, or finished models.

    Parameters
    ----------
    runs : sequence of Path
        Folders of runs, or of exported models, on the same classes, with the same size and normalisation of the
        pictures.
    classes : sequence of ClassName
        The pupil's.
    settings : TrainSettings
        The pupil's.
    device : torch.device

    Raises
    ------
    ExplorerError
        ``training-no-checkpoint`` for a folder that is neither; ``training-model`` for one on other pictures.
    """

    def __init__(
        self, runs: Sequence[Path], classes: Sequence[ClassName], settings: TrainSettings, device: torch.device
    ) -> None:
        self._temperature = settings.teacher_temperature
        self._teachers = [self._read(run, classes, settings, device) for run in runs]
        self.facts = [facts for *_, facts in self._teachers]

    @torch.no_grad()
    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities (B, K) of normalised images (B, C, H, W), at the settings' temperature."""
        answers = [
            forward(model, images, own.patch_size).float().div(self._temperature).softmax(dim=1)
            for model, forward, own, _ in self._teachers
        ]
        return torch.stack(answers).mean(dim=0)

    def loss(self, logits: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        """How far a pupil's logits (B, K) are from what was answered (Hinton et al., 2015, section 2).

        The cross-entropy at the temperature, times its square: so its gradient is of one size at all temperatures.
        """
        distance = -(answers * (logits / self._temperature).log_softmax(dim=1)).sum(dim=1).mean()
        return distance * self._temperature**2

    @staticmethod
    def _read(
        run: Path, classes: Sequence[ClassName], settings: TrainSettings, device: torch.device
    ) -> tuple[Any, Any, TrainSettings, dict[str, Any]]:
        model, own, kept = _open(run)
        names = [name.wordnet_id for name in read_labels(run / "labels.tsv")]
        alike = (own.image_size, tuple(own.mean), tuple(own.std)) == (
            settings.image_size,
            tuple(settings.mean),
            tuple(settings.std),
        )
        if names != [name.wordnet_id for name in classes] or not alike:
            raise ExplorerError("training-model", path=str(run), problem=Phrase("training.problem.other-pictures"))
        return model.to(device).eval(), forward_of(own), own, kept


def _open(folder: Path) -> tuple[torch.nn.Module, TrainSettings, dict[str, Any]]:
    """The network of a run or of an exported model, its settings, and what is written down of it."""
    if not (folder / CHECKPOINT).is_file() and (folder / "model.safetensors").is_file():
        loaded, course = load_folder(folder), course_of(folder) or {}
        kept = {name: course[name] for name in ("step", "seen", "elapsed") if name in course}
        return loaded.model, loaded.settings, kept | {"settings": json.loads(loaded.settings.to_json())}
    facts = read_facts(folder)
    settings = TrainSettings.from_values(facts["settings"])
    count = len(read_labels(folder / "labels.tsv"))
    model, average = build_network(settings, count), build_network(settings, count)
    load_checkpoint(folder / CHECKPOINT, model, average)
    return average, settings, {name: facts[name] for name in ("step", "seen", "elapsed", "settings")}
