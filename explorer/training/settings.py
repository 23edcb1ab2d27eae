"""What one training run does, as plain values that are kept beside its weights."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError, Phrase

__all__ = [
    "LEAST_SIDE",
    "POSITIONS",
    "Stage",
    "TrainSettings",
    "load_preset",
    "preset_names",
    "read_settings",
]

#: What 𝑬_pos can be: trained, one of the two frozen tables of the slides, or absent.
POSITIONS = ("learned", "sin1d", "sin2d", "none")
#: Smallest picture, in pixels, that a convolutional network is shown. Of one with 8 its last part would get a single
#: pixel, of which oneDNN makes a gradient from memory that nobody wrote, in bfloat16 on processors with AMX.
LEAST_SIDE = 12


@dataclass(frozen=True)
class Stage:
    """Which patch sizes are drawn until a part of the run is over.

    Parameters
    ----------
    until : float
        Progress (0 to 1) at which the next stage begins.
    patches : mapping of int to float
        Patch size to its share of the steps; the shares need not sum to 1.
    """

    until: float
    patches: Mapping[int, float]


@dataclass(frozen=True)
class TrainSettings:
    """Everything that decides what a run computes.

    A run is as long as ``epochs`` passes over the training pictures or, if ``budget_minutes`` is given, as
    many minutes of wall clock. With a budget, the learning rate, the patch sizes and all else that depends on
    the progress follow the clock, so that a busy machine makes a shorter but complete training.

    Parameters
    ----------
    name : str
        Name of the model.
    seed : int
        Seed of the weights and, together with the step's number, of everything that a step draws.
    network : {'vit', 'resnet'}
        A ViT, or a small convolutional network for a ViT to learn from. That has no patches: its "patch sizes" are
        the sides, in pixels, at which it is shown the pictures.
    channels : sequence of int
        Of such a convolutional network, at each of its four sizes.
    image_size, patch_size : int
        Side of the pictures, and side of the kernel that is trained.
    embed_dim, depth, num_heads : int
        𝐷, 𝐿 and ℎ.
    mlp_ratio : float
        𝐷_mlp / 𝐷.
    drop_path : float
        Highest rate of stochastic depth.
    position : {'learned', 'sin1d', 'sin2d', 'none'}
        What 𝑬_pos is.
    patch_init : {'pca', 'random'}
        Where the kernel starts: from the principal components of the training patches, each at equal
        strength, or from timm's random numbers.
    stages : sequence of Stage
        The curriculum of patch sizes.
    batch_sizes : mapping of int to int
        Patch size to pictures per step.
    epochs, budget_minutes : float
        Length of the run; a budget wins over epochs.
    optimizer : {'muon', 'adamw'}
        timm's Muon for the matrices inside the blocks with AdamW for all else, or AdamW for everything.
    learning_rate : float
        Peak rate of the matrices inside the blocks.
    other_learning_rate : float
        Peak rate of all else: 𝑬, 𝑬_pos, CLS, norms, biases and the head.
    weight_decay : float
        Decoupled weight decay of the matrices.
    warmup : float
        Part of the run in which the rate rises.
    decay : {'linear', 'cosine'}
        How the rate falls to zero after that.
    label_smoothing, mixup, cutmix, mix_probability : float
        As in timm's ``Mixup``.
    mix_until : float
        Progress after which pictures are no longer mixed.
    crop_scale : float
        Smallest part of a picture's area that a random crop keeps.
    color_jitter : float
        Largest relative change of brightness, contrast and saturation.
    rotation : float
        Largest turn of a crop around its centre, in degrees.
    hue_jitter, grey_probability, sharpness_jitter, jpeg_probability : float
        As in :func:`~explorer.training.appearance.vary_appearance`.
    erase_probability : float
        As in timm's ``RandomErasing``.
    patch_drop : mapping of int to float
        Patch size to the share of patches that a training picture loses at random (timm's ``PatchDropout``): a
        step costs less, and no answer can lean on one patch.
    patch_drop_until : float
        Progress after which every patch is seen.
    teacher_share : float
        Share of the loss that is the distance to the teachers' answers, where there are teachers (0 to 1).
    teacher_temperature : float
        What logits are divided by before the pupil's answers are compared with the teachers'.
    ema_decay : float
        Decay of the averaged weights, which are the ones that are shipped.
    mean, std : sequence of float
        Normalisation of the pixels.
    validation_per_class, validation_glimpse : int
        The last pictures of each class, never trained on, and how many of them all are looked at during the
        run.
    evaluate_minutes, checkpoint_minutes : float
        How often the run looks at validation pictures and saves itself.
    compile : bool
        Whether ``torch.compile`` is tried.
    """

    name: str = "flexi"
    seed: int = 0
    network: str = "vit"
    channels: Sequence[int] = (32, 64, 128, 256)
    image_size: int = 64
    patch_size: int = 8
    embed_dim: int = 192
    depth: int = 6
    num_heads: int = 6
    mlp_ratio: float = 4.0
    drop_path: float = 0.0
    position: str = "learned"
    patch_init: str = "pca"
    stages: Sequence[Stage] = (Stage(1.0, {8: 1.0}),)
    batch_sizes: Mapping[int, int] = field(default_factory=lambda: {4: 64, 8: 128, 16: 192, 32: 256})
    epochs: float = 20.0
    budget_minutes: float = 0.0
    optimizer: str = "muon"
    learning_rate: float = 5e-3
    other_learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup: float = 0.03
    decay: str = "linear"
    label_smoothing: float = 0.1
    mixup: float = 0.0
    cutmix: float = 1.0
    mix_probability: float = 0.5
    mix_until: float = 0.85
    crop_scale: float = 0.35
    color_jitter: float = 0.2
    rotation: float = 0.0
    hue_jitter: float = 0.0
    grey_probability: float = 0.0
    sharpness_jitter: float = 0.0
    jpeg_probability: float = 0.0
    erase_probability: float = 0.0
    patch_drop: Mapping[int, float] = field(default_factory=dict)
    patch_drop_until: float = 0.85
    teacher_share: float = 0.5
    teacher_temperature: float = 1.0
    ema_decay: float = 0.998
    mean: Sequence[float] = (0.485, 0.456, 0.406)
    std: Sequence[float] = (0.229, 0.224, 0.225)
    validation_per_class: int = 50
    validation_glimpse: int = 2000
    evaluate_minutes: float = 10.0
    checkpoint_minutes: float = 3.0
    compile: bool = True

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem is not None:
            raise ExplorerError("training-settings", problem=problem)

    def _problem(self) -> Phrase | None:
        for name in ("image_size", "patch_size", "embed_dim", "depth", "num_heads", "validation_per_class"):
            if getattr(self, name) < 1:
                return Phrase("training.problem.value", name=name, value=str(getattr(self, name)))
        if not 0.0 < self.crop_scale <= 1.0:
            return Phrase("training.problem.value", name="crop_scale", value=str(self.crop_scale))
        sizes = {patch for stage in self.stages for patch in stage.patches}
        if not self.stages or not sizes:
            return Phrase("training.problem.no-patch-size")
        if self.network == "resnet":
            if any(not LEAST_SIDE <= size <= self.image_size for size in (self.patch_size, *sizes)):
                return Phrase("training.problem.side", least=LEAST_SIDE, size=self.image_size)
            if len(self.channels) != 4 or any(count < 2 or count % 2 for count in self.channels):
                return Phrase("training.problem.channels")
        elif any(size < 1 or self.image_size % size for size in (self.patch_size, *sizes)):
            return Phrase("training.problem.patch-size", size=self.image_size)
        if missing := sorted(sizes - set(self.batch_sizes)):
            return Phrase("training.problem.no-batch-size", patch=missing[0])
        # timm's Mixup pairs the pictures of a batch.
        if any(size < 2 or size % 2 for size in self.batch_sizes.values()):
            return Phrase("training.problem.odd-batch-size")
        if any(not 0.0 <= share < 1.0 for share in self.patch_drop.values()):
            return Phrase("training.problem.patch-drop")
        if self.teacher_temperature <= 0.0:
            return Phrase("training.problem.temperature")
        for name in ("mix_probability", "grey_probability", "jpeg_probability", "erase_probability", "teacher_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                return Phrase("training.problem.probability", name=name)
        if self.num_heads < 1 or self.embed_dim % self.num_heads:
            return Phrase("training.problem.heads")
        for name, allowed in (
            ("network", ("vit", "resnet")),
            ("position", POSITIONS),
            ("patch_init", ("pca", "random")),
            ("optimizer", ("muon", "adamw")),
            ("decay", ("linear", "cosine")),
        ):
            if getattr(self, name) not in allowed:
                return Phrase("training.problem.choice", name=name, allowed=", ".join(allowed))
        if self.epochs <= 0 and self.budget_minutes <= 0:
            return Phrase("training.problem.length")
        return None

    def with_changes(self, **changes: Any) -> TrainSettings:
        """A copy in which some values differ."""
        return replace(self, **changes)

    def patches_at(self, progress: float) -> Mapping[int, float]:
        """The shares of the patch sizes at one moment of the run."""
        for stage in self.stages:
            if progress < stage.until:
                return stage.patches
        return self.stages[-1].patches

    def share_of_training(self, earlier: Mapping[str, Any] | None, pictures: int) -> float:
        """How much of a model's whole training this run is, 0 to 1.

        Parameters
        ----------
        earlier : mapping, optional
            What the weights had been through before this run: ``seen`` pictures in ``elapsed`` seconds.
        pictures : int
            Of one pass.
        """
        if self.budget_minutes > 0:
            before, own = (earlier or {}).get("elapsed", 0.0), 60.0 * self.budget_minutes
        else:
            before, own = (earlier or {}).get("seen", 0), self.epochs * pictures
        return float(own / (before + own))

    def last_tenth(self, earlier: Mapping[str, Any] | None, pictures: int) -> float:
        """Progress of this run at which the last tenth of the whole training begins.

        A model that still gets better there was not trained for long enough.

        Parameters
        ----------
        earlier, pictures
            As in :meth:`share_of_training`.
        """
        return max(0.0, 1.0 - 0.1 / self.share_of_training(earlier, pictures))

    @property
    def patch_sizes(self) -> tuple[int, ...]:
        """Every patch size that the run trains, smallest first."""
        return tuple(sorted({patch for stage in self.stages for patch in stage.patches}))

    def to_json(self) -> str:
        """The settings as JSON, as kept beside the weights."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> TrainSettings:
        """Settings from what a TOML or JSON file holds.

        Parameters
        ----------
        values : mapping
            Names of this class's fields to values; names that are left out keep their defaults.

        Raises
        ------
        ExplorerError
            ``training-settings`` for a name or value that cannot be used.
        """
        kinds = {item.name: str(item.type) for item in fields(cls)}
        if unknown := sorted(set(values) - set(kinds)):
            raise ExplorerError("training-settings", problem=Phrase("training.problem.unknown", name=unknown[0]))
        changed = {}
        for name, value in values.items():
            convert = _CONVERSIONS[kinds[name]]
            try:
                changed[name] = convert(value)
            except (TypeError, ValueError, ArithmeticError, KeyError, AttributeError) as error:
                problem = Phrase("training.problem.value", name=name, value=str(value))
                raise ExplorerError("training-settings", problem=problem) from error
        return cls(**changed)


def _finite(value: float) -> float:
    # JSON and TOML know NaN and infinity; a run whose length is neither large nor small would be over at once.
    if not math.isfinite(value):
        raise ValueError(value)
    return value


def _only(*kinds: type) -> Callable[[Any], Any]:
    """What gives a value back as it is, and refuses one of another kind: True is no number."""

    def checked(value: Any) -> Any:
        if type(value) not in kinds:
            raise TypeError(type(value).__name__)
        return value

    return checked


def _stage(values: Mapping[str, Any]) -> Stage:
    return Stage(float(values["until"]), {int(patch): float(share) for patch, share in values["patches"].items()})


#: From what a file holds to a setting of each kind.
_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "bool": _only(bool),
    "int": _only(int),
    "float": lambda value: _finite(_only(int, float)(value)),
    "str": str,
    "Sequence[Stage]": lambda stages: tuple(_stage(values) for values in stages),
    "Sequence[int]": lambda values: tuple(_only(int)(value) for value in values),
    "Sequence[float]": lambda values: tuple(_finite(float(value)) for value in values),
    "Mapping[int, int]": lambda sizes: {int(patch): int(size) for patch, size in sizes.items()},
    "Mapping[int, float]": lambda shares: {int(patch): float(share) for patch, share in shares.items()},
}


def read_settings(path: Path) -> TrainSettings:
    """Read a settings file, TOML or JSON by its ending."""
    try:
        content = path.read_text("utf-8")
        values = tomllib.loads(content) if path.suffix == ".toml" else json.loads(content)
    except OSError as error:
        raise ExplorerError("file-unreadable", file=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise ExplorerError("training-settings", problem=f"{path.name}: {error}") from error
    if not isinstance(values, dict):
        raise ExplorerError("training-settings", problem=Phrase("training.problem.no-table", file=path.name))
    return TrainSettings.from_values(values)


def preset_names() -> tuple[str, ...]:
    """Names of the settings that come with the program."""
    folder = files("explorer.training") / "presets"
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))


def load_preset(name: str) -> TrainSettings:
    """Settings that come with the program.

    Parameters
    ----------
    name : str
        One of :func:`preset_names`.
    """
    if name not in preset_names():
        problem = Phrase("training.problem.no-preset", name=name, names=", ".join(preset_names()))
        raise ExplorerError("training-settings", problem=problem)
    content = (files("explorer.training") / "presets" / f"{name}.toml").read_text("utf-8")
    return TrainSettings.from_values(tomllib.loads(content))
