"""A run's whole state in one file: tensors as safetensors, everything else as JSON in its header."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from explorer.errors import ExplorerError

__all__ = ["CHECKPOINT", "load_checkpoint", "make_folder", "read_facts", "save_checkpoint"]

#: Name of the checkpoint in a run's folder.
CHECKPOINT = "checkpoint.safetensors"


def save_checkpoint(
    path: Path,
    model: torch.nn.Module,
    average: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    facts: dict[str, Any],
) -> None:
    """Write a checkpoint; a kill at any moment leaves the old file or the new one.

    Parameters
    ----------
    path : Path
    model, average : Module
        The trained weights and their moving average.
    optimizer : Optimizer
        Its state is stored by the names of the weights.
    facts : dict
        Step, elapsed seconds and other values that JSON can hold.
    """
    tensors: dict[str, torch.Tensor] = {}
    for part, module in (("model", model), ("average", average)):
        for name, tensor in module.state_dict().items():
            tensors[f"{part}/{name}"] = tensor
    scalars: dict[str, Any] = {}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer/{name}/{key}"] = value
            else:
                scalars[f"{name}/{key}"] = value
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    unfinished = path.with_name(path.name + ".part")
    save_file(tensors, unfinished, metadata={"facts": json.dumps(facts), "scalars": json.dumps(scalars)})
    with unfinished.open("rb") as stream:
        os.fsync(stream.fileno())
    os.replace(unfinished, path)


def load_checkpoint(
    path: Path,
    model: torch.nn.Module,
    average: torch.nn.Module | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> dict[str, Any]:
    """Put a checkpoint's state back and return its facts.

    Parameters
    ----------
    path : Path
    model : Module
        Gets the trained weights.
    average : Module, optional
        Gets the averaged weights.
    optimizer : Optimizer, optional
        Gets its state.

    Raises
    ------
    ExplorerError
        ``training-checkpoint`` if the file cannot be read or belongs to another model.
    """
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = stream.metadata()
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        for part, module in (("model", model), ("average", average)):
            if module is not None:
                prefix = f"{part}/"
                module.load_state_dict(
                    {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
                )
        facts: dict[str, Any] = json.loads(metadata["facts"])
        if optimizer is not None:
            _restore_optimizer(model, optimizer, tensors, json.loads(metadata["scalars"]))
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise ExplorerError("training-checkpoint", path=str(path), problem=str(error)) from error
    return facts


def make_folder(folder: Path) -> None:
    """Make the folder of a run or of a model, where there is none.

    Raises
    ------
    ExplorerError
        ``training-folder`` if it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Whether one may write there is better known before hours of training than after.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ExplorerError("training-folder", path=str(folder), problem=str(error.strerror)) from error


def read_facts(run: Path) -> dict[str, Any]:
    """What a run's checkpoint says of the run, without its tensors.

    Raises
    ------
    ExplorerError
        ``training-no-checkpoint`` where nothing was trained yet; ``training-checkpoint`` if the file cannot be read.
    """
    path = run / CHECKPOINT
    if not path.is_file():
        raise ExplorerError("training-no-checkpoint", path=str(run))
    try:
        with safe_open(path, framework="pt") as stream:
            facts: dict[str, Any] = json.loads(stream.metadata()["facts"])
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise ExplorerError("training-checkpoint", path=str(path), problem=str(error)) from error
    return facts


def _restore_optimizer(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    tensors: dict[str, torch.Tensor],
    scalars: dict[str, Any],
) -> None:
    for name, parameter in model.named_parameters():
        state: dict[str, Any] = {}
        for full, value in tensors.items():
            if full.startswith(f"optimizer/{name}/"):
                key = full.rpartition("/")[2]
                # Counters of steps stay on the CPU, where the optimisers keep them.
                state[key] = value if value.ndim == 0 else value.to(parameter.device)
        for full, value in scalars.items():
            if full.startswith(f"{name}/"):
                state[full.rpartition("/")[2]] = value
        if state:
            optimizer.state[parameter] = state
