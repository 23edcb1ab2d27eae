"""The training loop: resumable at any step, long as a number of passes or of minutes."""

from __future__ import annotations

import json
import math
import random
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from explorer.errors import ExplorerError, Phrase
from explorer.training.augment import augment_batch, normalise_batch
from explorer.training.checkpoint import CHECKPOINT, load_checkpoint, make_folder, save_checkpoint
from explorer.training.data import PictureSet, read_labels, split_pictures, write_labels
from explorer.training.evaluation import Accuracy, measure
from explorer.training.flexible import VisionTransformer
from explorer.training.growth import deepened
from explorer.training.lines import report_line, validation_line
from explorer.training.networks import build_network, forward_of
from explorer.training.optimize import TICKS, build_optimizer, build_scheduler
from explorer.training.principal import principal_kernel
from explorer.training.settings import TrainSettings
from explorer.training.teachers import Teachers
from explorer.training.timm_parts import Mixup, ModelEmaV3, RandomErasing, SoftTargetCrossEntropy

__all__ = ["Trainer", "has_bfloat16"]


class Trainer:
    """One run in one folder.

    Everything that a step draws (pictures, crops, mixing, patch size) follows from the seed and the step's
    number, so that a checkpoint needs no state of random generators and a resumed run repeats the other one.

    Parameters
    ----------
    settings : TrainSettings
    pictures : PictureSet
    folder : Path
        Checkpoint, settings and log go here; a checkpoint that is already there is continued.
    device : torch.device
    start : VisionTransformer, optional
        Weights to start from instead of random ones, where there is no checkpoint. It may have fewer layers than the
        settings ask for: see :func:`~explorer.training.growth.deepened`.
    earlier : dict, optional
        What became of the run that those weights come from; kept with this run's facts.
    language : str
        Of what the run prints.
    teachers : sequence of Path, optional
        Folders of runs to learn from, besides the labels; kept with this run's facts.
    """

    def __init__(
        self,
        settings: TrainSettings,
        pictures: PictureSet,
        folder: Path,
        device: torch.device,
        start: VisionTransformer | None = None,
        earlier: dict[str, Any] | None = None,
        language: str = "en",
        teachers: Sequence[Path] = (),
    ) -> None:
        self.settings = settings
        self.pictures = pictures
        self.folder = folder
        self.device = device
        self.split = split_pictures(pictures.labels, settings.validation_per_class)
        if len(self.split.train) < 2 or not len(self.split.validation):
            raise ExplorerError("training-data-few", path=str(folder), count=len(self.split.train))
        self.pixels = _reachable(pictures.pixels, device)
        self.labels = torch.as_tensor(pictures.labels).to(device)
        self.step = 0
        self.seen = 0
        self.elapsed = 0.0
        self.history: list[dict[str, Any]] = []
        self.earlier = earlier
        self.language = language
        self._stop = False
        self._order = np.empty(0, np.int64)
        self._order_epoch = -1

        self.teachers = Teachers(teachers, pictures.classes, settings, device) if teachers else None
        self.model = build_network(settings, len(pictures.classes))
        if start is not None:
            try:
                self.model.load_state_dict(deepened(start.state_dict(), settings.depth))
            except (RuntimeError, ValueError) as error:
                problem = Phrase("training.problem.other-sizes")
                raise ExplorerError("training-model", path="--start-from", problem=problem) from error
        elif settings.network == "vit" and settings.patch_init == "pca":
            self._start_from_principal_components()
        self.model.to(device).train()
        self._half = has_bfloat16(device)
        if device.type == "cpu":
            # torch's fused attention is made for long sequences: at T = 65 its backward pass costs as much on two
            # cores as all else in a step together.
            for block in self._blocks():
                block.attn.fused_attn = False
        self.average = ModelEmaV3(self.model, decay=settings.ema_decay, use_warmup=True)
        self.optimizer = build_optimizer(self.model, settings)
        self.scheduler = build_scheduler(self.optimizer, settings)
        self.forward = forward_of(settings)
        self.mixup = Mixup(
            mixup_alpha=settings.mixup,
            cutmix_alpha=settings.cutmix,
            prob=settings.mix_probability,
            label_smoothing=settings.label_smoothing,
            num_classes=len(pictures.classes),
        )
        self.erase = RandomErasing(settings.erase_probability, mode="pixel", device=str(device))
        self.loss = SoftTargetCrossEntropy()
        make_folder(folder)
        if (folder / CHECKPOINT).is_file():
            self._check_classes()
            self._resume()
        (folder / "settings.json").write_text(settings.to_json(), "utf-8")
        write_labels(folder / "labels.tsv", pictures.classes)
        # In bfloat16 on a processor, compiling gains nothing, and costs some twenty seconds a patch size.
        if settings.compile and not (self._half and device.type == "cpu"):
            self._compile()

    @property
    def progress(self) -> float:
        """How much of the run is done, 0 to 1."""
        if self.settings.budget_minutes > 0:
            return min(1.0, self.elapsed / (60.0 * self.settings.budget_minutes))
        return min(1.0, self.seen / (self.settings.epochs * len(self.split.train)))

    def run(self, *, until_step: int | None = None) -> bool:
        """Train until the end, or until a signal or a step asks to stop.

        Parameters
        ----------
        until_step : int, optional
            Stop, and save, when so many steps are done.

        Returns
        -------
        bool
            Whether the run is complete.
        """
        # Python hands signals to the main thread only; elsewhere a run ends between two checkpoints.
        heard = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
        previous = {number: signal.signal(number, self._ask_to_stop) for number in heard}
        try:
            self._loop(until_step)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        return self.progress >= 1.0

    def train_step(self) -> tuple[int, float]:
        """One update; returns the patch size and the loss."""
        settings, progress = self.settings, self.progress
        number = (settings.seed * 1_000_003 + self.step) % 2**32
        torch.manual_seed(number)
        np.random.seed(number)  # timm's Mixup and RandomErasing draw from the global generators
        shares = settings.patches_at(progress)
        random.seed(number)
        patch_size = random.choices(list(shares), list(shares.values()))[0]  # noqa: S311
        chosen = torch.as_tensor(self._next_indices(settings.batch_sizes[patch_size]))
        images = augment_batch(
            self.pixels[chosen.to(self.pixels.device)].to(self.device),
            settings.mean,
            settings.std,
            crop_scale=settings.crop_scale,
            color_jitter=settings.color_jitter,
            rotation=settings.rotation,
            hue_jitter=settings.hue_jitter,
            grey_probability=settings.grey_probability,
            sharpness_jitter=settings.sharpness_jitter,
            jpeg_probability=settings.jpeg_probability,
        )
        self.mixup.mixup_enabled = progress < settings.mix_until
        images, targets = self.mixup(images, self.labels[chosen.to(self.device)])
        if settings.erase_probability > 0:
            images = self.erase(images)
        self.scheduler.step_update(round(progress * TICKS))
        drop = settings.patch_drop.get(patch_size, 0.0) if progress < settings.patch_drop_until else 0.0
        with self._autocast():
            logits = self.forward(self.model, images, patch_size, drop=drop).float()
            loss = self.loss(logits, targets)
            if self.teachers is not None:
                taught = self.teachers.loss(logits, self.teachers(images))
                loss = (1.0 - settings.teacher_share) * loss + settings.teacher_share * taught
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ExplorerError("training-diverged", step=self.step)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.step += 1
        self.seen += len(chosen)
        self.average.update(self.model, step=self.step)
        return patch_size, value

    def evaluate(self, patch_size: int, *, glimpse: bool = False) -> Accuracy:
        """Accuracy of the averaged weights on held-back pictures.

        Parameters
        ----------
        patch_size : int
        glimpse : bool
            Look at a few only, always the same.
        """
        indices = self.split.validation
        if glimpse and len(indices) > self.settings.validation_glimpse:
            indices = np.random.default_rng(0).permutation(indices)[: self.settings.validation_glimpse]
        with self._autocast():
            return measure(
                lambda images: self.forward(self.average.module, images, patch_size),
                self.pixels,
                self.pictures.labels,
                indices,
                self.settings,
                device=self.device,
            )

    def save(self) -> None:
        """Write the checkpoint."""
        facts = {
            "settings": json.loads(self.settings.to_json()),
            "step": self.step,
            "seen": self.seen,
            "elapsed": self.elapsed,
            "history": self.history,
            "complete": self.progress >= 1.0,
            "train_pictures": len(self.split.train),
            "torch": torch.__version__,
            "device": str(self.device),
        }
        if self.earlier:
            facts["earlier"] = self.earlier
        if self.teachers is not None:
            facts["teachers"] = self.teachers.facts
        save_checkpoint(self.folder / CHECKPOINT, self.model, self.average.module, self.optimizer, facts)

    def _loop(self, until_step: int | None) -> None:
        settings = self.settings
        last_tenth = settings.last_tenth(self.earlier, len(self.split.train))
        bar = tqdm(total=100.0, initial=100.0 * self.progress, disable=not sys.stderr.isatty(), unit="%")
        begun, elapsed_before = time.monotonic(), self.elapsed
        saved = evaluated = reported = begun
        losses: dict[int, list[float]] = {}
        while self.progress < 1.0 and not self._stop and (until_step is None or self.step < until_step):
            patch_size, loss = self.train_step()
            losses.setdefault(patch_size, []).append(loss)
            now = time.monotonic()
            self.elapsed = elapsed_before + now - begun
            bar.update(100.0 * self.progress - bar.n)
            if now - reported > 30.0:
                self._report(losses)
                losses, reported = {}, now
            if last_tenth <= self.progress < 1.0 and not self._has_looked_at_all(last_tenth):
                self._look(sizes=(settings.patch_size,))
            elif now - evaluated > 60.0 * settings.evaluate_minutes:
                self._look(sizes=(settings.patch_size,), glimpse=True)
                evaluated = time.monotonic()
            if now - saved > 60.0 * settings.checkpoint_minutes:
                self.save()
                saved = time.monotonic()
        bar.close()
        if self.progress >= 1.0 and not self._has_looked_at_all(1.0):
            self._look(sizes=self.settings.patch_sizes)
        self.save()

    def _has_looked_at_all(self, since: float) -> bool:
        """Whether all held-back pictures have been looked at since some progress (0 to 1)."""
        everything = len(self.split.validation)
        return any(entry["count"] == everything and entry.get("progress", 0.0) >= since for entry in self.history)

    def _look(self, *, sizes: Sequence[int], glimpse: bool = False) -> None:
        for patch_size in sizes:
            accuracy = self.evaluate(patch_size, glimpse=glimpse)
            entry = {
                "step": self.step,
                "seen": self.seen,
                "minutes": round(self.elapsed / 60, 2),
                "progress": self.progress,
                "patch_size": patch_size,
                "count": accuracy.count,
                "top1": accuracy.top1,
                "top5": accuracy.top5,
            }
            self.history.append(entry)
            self._log(entry)
            line = validation_line(self.step, patch_size, accuracy, self.language, network=self.settings.network)
            print(line, flush=True)

    def _report(self, losses: dict[int, list[float]]) -> None:
        means = {patch: round(sum(values) / len(values), 4) for patch, values in sorted(losses.items())}
        rate = self.optimizer.param_groups[0]["lr"]
        minutes = round(self.elapsed / 60, 2)
        entry = {"step": self.step, "seen": self.seen, "minutes": minutes, "rate": rate, "loss": means}
        self._log(entry)
        if not sys.stderr.isatty():
            print(report_line(entry, self.progress, self.language), flush=True)

    def _log(self, entry: dict[str, Any]) -> None:
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")

    def _next_indices(self, count: int) -> np.ndarray:
        """The next pictures: each pass its own order, and a pass's remainder that fills no batch is left out."""
        train = self.split.train
        count = min(count, len(train) // 2 * 2)
        epoch, position = divmod(self.seen, len(train))
        if position + count > len(train):
            self.seen += len(train) - position
            epoch, position = epoch + 1, 0
        if self._order_epoch != epoch:
            self._order = np.random.default_rng((self.settings.seed, epoch)).permutation(train)
            self._order_epoch = epoch
        return self._order[position : position + count]

    def _check_classes(self) -> None:
        """Refuse to go on with pictures of other classes: the weights would bear their names."""
        kept = read_labels(self.folder / "labels.tsv")
        if [name.wordnet_id for name in kept] != [name.wordnet_id for name in self.pictures.classes]:
            problem = Phrase("training.problem.other-classes")
            raise ExplorerError("training-checkpoint", path=str(self.folder / CHECKPOINT), problem=problem)

    def _resume(self) -> None:
        facts = load_checkpoint(self.folder / CHECKPOINT, self.model, self.average.module, self.optimizer)
        self.step, self.seen, self.elapsed = facts["step"], facts["seen"], facts["elapsed"]
        self.history = facts["history"]
        if facts.get("teachers") and self.teachers is None:
            raise ExplorerError("training-settings", problem=Phrase("training.problem.no-teacher"))
        self.earlier = facts.get("earlier", self.earlier)

    def _compile(self) -> None:
        # One graph per patch size serves all blocks; what cannot be compiled falls back to plain torch.
        torch._dynamo.config.suppress_errors = True
        torch._dynamo.config.recompile_limit = 64
        for block in self._blocks():
            block.compile(dynamic=False)

    def _blocks(self) -> Sequence[Any]:
        """The layers of a ViT."""
        return list(self.model.blocks) if self.settings.network == "vit" else []

    def _autocast(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, dtype=torch.bfloat16) if self._half else nullcontext()

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop = True

    def _start_from_principal_components(self) -> None:
        chosen = np.sort(np.random.default_rng(self.settings.seed).permutation(self.split.train)[:2000])
        images = normalise_batch(torch.as_tensor(self.pictures.pixels[chosen]), self.settings.mean, self.settings.std)
        kernel = self.model.patch_embed.proj.weight
        with torch.no_grad():
            kernel.copy_(principal_kernel(images, self.settings.patch_size, len(kernel)))
            self.model.patch_embed.proj.bias.zero_()


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16 itself.

    Processors without such instructions emulate them, many times slower than float32; with them, a step of ``flexi``
    takes 0.57 of its time in float32 (two cores of an AMD EPYC, patch size 8).

    Parameters
    ----------
    device : torch.device
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    abilities = torch.cpu.get_capabilities()
    return any(abilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def _reachable(pixels: np.ndarray, device: torch.device) -> torch.Tensor:
    """The pictures as a tensor: on the GPU where they fit, else mapped from the file."""
    if device.type == "cuda" and pixels.nbytes < 8_000_000_000:
        return torch.as_tensor(np.ascontiguousarray(pixels)).to(device)
    # torch wants a writable array; a private copy-on-write map costs no memory as long as nobody writes.
    if isinstance(pixels, np.memmap) and pixels.filename is not None:
        return torch.from_numpy(np.load(pixels.filename, mmap_mode="c"))
    return torch.as_tensor(pixels)
