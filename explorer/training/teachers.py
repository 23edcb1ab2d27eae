"""What trained models say to a training picture, as something to learn from besides its label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from explorer.errors import ExplorerError, Phrase
from explorer.training.checkpoint import CHECKPOINT, load_checkpoint, read_facts
from explorer.training.data import ClassName, read_labels
from explorer.training.networks import build_network, forward_of
from explorer.training.settings import TrainSettings

__all__ = ["Teachers"]


class Teachers:
    """The averaged weights of one or more runs, whose answers are averaged.

    Parameters
    ----------
    runs : sequence of Path
        Folders of runs on the same classes, with the same size and normalisation of the pictures.
    classes : sequence of ClassName
        The pupil's.
    settings : TrainSettings
        The pupil's.
    device : torch.device

    Raises
    ------
    ExplorerError
        ``training-no-checkpoint`` for a folder without a run; ``training-model`` for a run on other pictures.
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
        facts = read_facts(run)
        own = TrainSettings.from_values(facts["settings"])
        names = [name.wordnet_id for name in read_labels(run / "labels.tsv")]
        alike = (own.image_size, tuple(own.mean), tuple(own.std)) == (
            settings.image_size,
            tuple(settings.mean),
            tuple(settings.std),
        )
        if names != [name.wordnet_id for name in classes] or not alike:
            raise ExplorerError("training-model", path=str(run), problem=Phrase("training.problem.other-pictures"))
        model, average = build_network(own, len(names)), build_network(own, len(names))
        load_checkpoint(run / CHECKPOINT, model, average)
        kept = {name: facts[name] for name in ("step", "seen", "elapsed", "settings")}
        return average.to(device).eval(), forward_of(own), own, kept
