"""The subcommands ``train`` and ``evaluate``; torch is imported only when one of them runs."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.errors import ExplorerError, MessageValue, Phrase
from explorer.texts import text

if TYPE_CHECKING:
    import torch

    from explorer.training.settings import TrainSettings

__all__ = ["INTERRUPTED", "add_arguments", "run", "runs_folder"]

#: Exit status of a training that was stopped before its end and can be resumed.
INTERRUPTED = 3


def runs_folder() -> Path:
    """Where runs and decoded pictures are kept: the user's data folder, so that a later day can go on."""
    from platformdirs import user_data_path

    return user_data_path("vit-explorer", appauthor=False) / "training"


def add_arguments(parser: argparse.ArgumentParser, command: str = "train", language: str = "en") -> None:
    """Give a parser the arguments of one subcommand.

    Parameters
    ----------
    parser : ArgumentParser
        Of the subcommand; :func:`run` takes what it parses.
    command : {'train', 'evaluate'}
    language : str
        Of the help, and of what the command prints.
    """

    def say(entry: str) -> str:
        return text(f"training.{command}-{entry}", language).replace("%", "%%")

    # Of a description, unlike of a help, argparse formats nothing.
    parser.description = text(f"training.{command}-about", language)
    parser.set_defaults(training_command=command, lang=language)
    if command == "train":
        parser.add_argument("settings", metavar="SETTINGS", help=say("settings"))
        parser.add_argument("data", metavar="DATA", type=Path, nargs="?", help=say("data"))
        parser.add_argument("--run", metavar="FOLDER", type=Path, help=say("run"))
        parser.add_argument("--start-from", metavar="FOLDER", type=Path, nargs="+", help=say("start"))
        parser.add_argument("--teacher", metavar="FOLDER", type=Path, nargs="+", default=[], help=say("teacher"))
        parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help=say("set"))
        parser.add_argument("--epochs", type=float, help=say("epochs"))
        parser.add_argument("--budget-minutes", type=float, help=say("budget"))
        parser.add_argument("--export", metavar="FOLDER", type=Path, help=say("export"))
        parser.add_argument("--mean-with", metavar="FOLDER", type=Path, nargs="+", default=[], help=say("mean"))
        parser.add_argument("--machine", default="", help=say("machine"))
    else:
        parser.add_argument("model", metavar="MODEL", help=say("model"))
        parser.add_argument("data", metavar="DATA", type=Path, help=say("data"))
        parser.add_argument("--patch-size", type=int, nargs="+", help=say("patch"))
        parser.add_argument("--all", action="store_true", help=say("all"))
    parser.add_argument("--threads", type=int, help=say("threads"))


def run(args: argparse.Namespace) -> int:
    """Run the subcommand that the arguments belong to.

    Parameters
    ----------
    args : Namespace
        What a parser with :func:`add_arguments` made.

    Returns
    -------
    int
        Exit status: 0, or :data:`INTERRUPTED`.

    Raises
    ------
    ExplorerError
        For data, settings or folders that cannot be used.
    """
    commands: dict[str, Callable[[argparse.Namespace], int]] = {"train": _train, "evaluate": _evaluate}
    return commands[args.training_command](args)


def _train(args: argparse.Namespace) -> int:
    from explorer.training.data import load_pictures
    from explorer.training.export import start_of
    from explorer.training.trainer import Trainer

    folder, settings = _run_and_settings(args)
    if args.export is not None:
        return _export(args, folder)
    if args.mean_with or args.machine:
        raise ExplorerError("training-no-export", option="--mean-with" if args.mean_with else "--machine")
    if args.data is None:
        raise ExplorerError("training-no-data")
    device = _device(args)
    pictures = load_pictures(args.data, settings.image_size, runs_folder() / "pictures")
    start, earlier = start_of(args.start_from or ())
    _say(args, "run", folder=str(folder))
    _say(args, "device", device=str(device))
    trainer = Trainer(settings, pictures, folder, device, start, earlier, args.lang, args.teacher)
    return 0 if trainer.run() else INTERRUPTED


def _export(args: argparse.Namespace, run_folder: Path) -> int:
    from explorer.training.data import load_pictures
    from explorer.training.export import evaluate_model, export_model, load_folder, write_card
    from explorer.training.settings import TrainSettings

    device = _device(args)
    facts = export_model(run_folder, args.export, args.mean_with)
    minutes = f"{facts['elapsed'] / 60:.1f}"
    _say(args, "exported", step=facts["step"], minutes=minutes, folder=str(args.export))
    if args.data is not None:
        loaded = load_folder(args.export)
        pictures = load_pictures(args.data, loaded.settings.image_size, runs_folder() / "pictures")
        sizes = TrainSettings.from_values(facts["settings"]).patch_sizes
        results = evaluate_model(loaded, pictures, sizes, device=device)
        for patch_size, accuracy in results.items():
            _say(args, "accuracy", patch=f"{patch_size:2d}", accuracy=accuracy.line())
        write_card(args.export, facts, results, args.machine or _machine(device))
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    import numpy as np

    from explorer.training.data import load_pictures
    from explorer.training.export import SETTINGS_NAME, evaluate_model, load_folder
    from explorer.training.settings import read_settings

    folder = _model_folder(args.model)
    device = _device(args)
    loaded = load_folder(folder)
    sizes = args.patch_size
    if sizes is None:
        kept = folder / SETTINGS_NAME
        sizes = read_settings(kept).patch_sizes if kept.is_file() else (loaded.settings.patch_size,)
    pictures = load_pictures(args.data, loaded.settings.image_size, runs_folder() / "pictures")
    indices = np.arange(len(pictures.labels)) if args.all else None
    for patch_size in sizes:
        results = evaluate_model(loaded, pictures, (patch_size,), device=device, indices=indices)
        accuracy = results[patch_size]
        _say(args, "evaluated", patch=f"{patch_size:2d}", accuracy=accuracy.line(), count=accuracy.count)
    return 0


def _say(args: argparse.Namespace, entry: str, **values: MessageValue) -> None:
    # Flushed at once: a run takes hours, and its lines may go to a file.
    print(text(f"training.line.{entry}", args.lang, **values), flush=True)


def _run_and_settings(args: argparse.Namespace) -> tuple[Path, TrainSettings]:
    from explorer.training.settings import load_preset, read_settings

    path = Path(args.settings)
    settings = read_settings(path) if path.suffix in (".toml", ".json") else load_preset(args.settings)
    folder: Path = args.run or runs_folder() / settings.name
    changes: dict[str, Any] = {}
    for item in args.set:
        name, equals, value = item.partition("=")
        if not equals:
            raise ExplorerError("training-settings", problem=Phrase("training.problem.no-value", item=item))
        try:
            changes[name] = json.loads(value)
        except ValueError:
            changes[name] = value
    if args.epochs is not None:
        changes |= {"epochs": args.epochs, "budget_minutes": 0.0}
    if args.budget_minutes is not None:
        changes["budget_minutes"] = args.budget_minutes
    return folder, type(settings).from_values({**json.loads(settings.to_json()), **changes})


def _model_folder(name: str) -> Path:
    """A path, or the name of a bundled model."""
    from explorer.resources import assets_path, named_model

    bundled = assets_path("models", named_model(name))
    return bundled if bundled.is_dir() and not Path(name).is_dir() else Path(name)


def _device(args: argparse.Namespace) -> torch.device:
    import torch

    if args.threads is not None:
        if args.threads < 1:
            problem = Phrase("training.problem.value", name="--threads", value=str(args.threads))
            raise ExplorerError("training-settings", problem=problem)
        torch.set_num_threads(args.threads)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _machine(device: torch.device) -> str:
    import os

    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{os.cpu_count()} cores of a {platform.machine()} processor, without a GPU"


def main() -> int:
    """``python -m explorer.training.cli train …``: the same without the program around it."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    for command in ("train", "evaluate"):
        add_arguments(commands.add_parser(command), command)
    return run(parser.parse_args())


if __name__ == "__main__":
    raise SystemExit(main())
