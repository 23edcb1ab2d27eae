"""The command ``vit-explorer``: ``serve``, ``lab``, ``models``, ``trace``, ``export``, ``train`` and others.

What can be expected to go wrong is said in one sentence, in the user's language, with exit status 2.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.command_words import argparse_in
from explorer.errors import ExplorerError
from explorer.files import named_file
from explorer.texts import LANGUAGES, error_text, text

if TYPE_CHECKING:
    from explorer.images import Picture
    from explorer.models import ExplorerModel
    from explorer.trace import Trace

__all__ = ["main", "user_language"]

Command = Callable[[argparse.Namespace], int]
#: The stages that there are pictures of; said here, as importing them takes a second.
_STAGES = ("overview", "patches", "embedding", "position", "encoder", "attention", "classification")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        What stands behind ``vit-explorer`` on the command line.

    Returns
    -------
    int
        Exit status: 0, 2 for a failure that could be expected, 130 after Ctrl+C.
    """
    _spell_out_what_cannot_be_written()
    given = list(sys.argv[1:] if arguments is None else arguments)
    language = user_language(given)
    ours, lab_arguments = _for_us_and_for_lab(given)
    with argparse_in(language):
        parsed = _parser(language).parse_args(ours)
    parsed.lab_arguments = lab_arguments
    command: Command = parsed.command
    try:
        return command(parsed)
    except ExplorerError as error:
        print(error_text(error, language), file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - lives until the process ends
        return 0
    except KeyboardInterrupt:
        return 130


def user_language(arguments: Sequence[str] = (), environment: dict[str, str] | None = None) -> str:
    """Language to talk to the user in: ``--lang``, else what the system is set to, else English.

    Parameters
    ----------
    arguments : sequence of str
        The command line; ``--lang`` is looked for before it is parsed, as help is said in that language too.
    environment : dict, optional
        ``LC_ALL``, ``LC_MESSAGES`` and ``LANG`` as in POSIX; the process's own by default.
    """
    for place, argument in enumerate(arguments):
        value = argument.removeprefix("--lang=") if argument.startswith("--lang=") else ""
        if argument == "--lang" and place + 1 < len(arguments):
            value = arguments[place + 1]
        if value in LANGUAGES:
            return value
    values = os.environ if environment is None else environment
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if values.get(name):
            primary = values[name].lower().partition("_")[0].partition(".")[0]
            return primary if primary in LANGUAGES else "en"
    return "en"


def _for_us_and_for_lab(given: list[str]) -> tuple[list[str], list[str]]:
    """A command line without what stands behind ``--`` of ``lab``, and that: argparse would take it for the folder.

    For all other commands it means what it means everywhere: what follows is no option (a picture ``-photo.jpg``).
    """
    command = next((word for word in given if not word.startswith("-") and word not in LANGUAGES), "")
    if command != "lab" or "--" not in given:
        return given, []
    place = given.index("--")
    return given[:place], given[place + 1 :]


def _spell_out_what_cannot_be_written() -> None:
    """Write a letter that the terminal's encoding lacks as its number: there is no reason to fail for one."""
    for stream in (sys.stdout, sys.stderr):
        # What somebody chose on purpose, or what keeps the bytes of file names, stays.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


# -- the command line ----------------------------------------------------------------------------------------------


def _parser(language: str) -> argparse.ArgumentParser:
    def say(key: str, **values: str | int | float) -> str:
        # argparse has placeholders of its own, which begin with a percent sign.
        return text(f"cli.{key}", language, **values).replace("%", "%%")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--lang", choices=list(LANGUAGES), default=language, help=say("language"))
    parser = argparse.ArgumentParser(prog="vit-explorer", description=say("description"), parents=[common])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Command) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=say(name), description=say(name), parents=[common])
        added.set_defaults(command=command)
        return added

    serve = add("serve", _serve)
    serve.add_argument("--host", default="127.0.0.1", help=say("host", default="127.0.0.1"))
    serve.add_argument("--port", type=int, default=8866, help=say("port", default=8866))
    serve.add_argument("--no-browser", action="store_true", help=say("no-browser"))
    serve.add_argument("--ready-kernels", type=int, metavar="N", help=say("ready-kernels"))
    serve.add_argument("--idle-minutes", type=float, default=10.0, metavar="N", help=say("idle-minutes", default=10))
    serve.add_argument("--verbose", action="store_true", help=say("verbose"))

    lab = add("lab", _lab)
    lab.epilog = say("lab-arguments")
    lab.add_argument(
        "folder", nargs="?", type=Path, default=Path("vit-explorer"), help=say("folder", default="vit-explorer")
    )
    lab.add_argument("--port", type=int, help=say("port", default=8888))
    lab.add_argument("--no-browser", action="store_true", help=say("no-browser"))

    add("models", _models)

    download = add("download", _download)
    download.add_argument("names", nargs="+", metavar="NAME", help=say("model-names"))

    def add_run(name: str, command: Command) -> argparse.ArgumentParser:
        """A command that runs a model on a picture."""
        added = add(name, command)
        added.add_argument("picture", type=Path, help=say("picture"))
        added.add_argument("--model", default="bundled", help=say("model", default="bundled"))
        added.add_argument("--patch-size", type=int, metavar="P", help=say("patch-size"))
        added.add_argument("--image-size", type=int, metavar="N", help=say("image-size"))
        added.add_argument("--random-weights", action="store_true", help=say("random-weights"))
        return added

    trace = add_run("trace", _trace)
    trace.add_argument("--no-weights", action="store_true", help=say("no-weights"))
    trace.add_argument("--out", type=Path, metavar="FILE", help=say("out"))

    export = add_run("export", _export)
    export.epilog = say("export-example")
    export.add_argument("--out", type=Path, metavar="FOLDER", help=say("export-out"))
    export.add_argument("--deck", type=Path, metavar="FILE", help=say("export-deck"))
    export.add_argument("--html", type=Path, metavar="FILE", help=say("html"))
    export.add_argument("--stages", metavar="NAME,…", help=say("export-stages", names=",".join(_STAGES)))
    export.add_argument("--layer", type=int, metavar="L", default=1, help=say("export-layer", default=1))
    export.add_argument("--head", metavar="H", default="1", help=say("export-head", default=1))
    export.add_argument("--query", metavar="TOKEN", help=say("export-query"))
    export.add_argument("--caption", action=argparse.BooleanOptionalAction, default=True, help=say("export-caption"))
    export.add_argument("--language", choices=list(LANGUAGES), help=say("export-language"))

    from explorer.training import cli as training

    for name in ("train", "evaluate"):
        training.add_arguments(add(name, training.run), name, language)
    return parser


# -- the homes -----------------------------------------------------------------------------------------------------


def _serve(options: argparse.Namespace) -> int:
    from explorer.serving import ServeOptions, serve_page

    serve_page(
        ServeOptions(
            host=options.host,
            port=options.port,
            ready_kernels=options.ready_kernels,
            idle_minutes=options.idle_minutes,
            language=options.lang,
            open_browser=not options.no_browser and sys.stdout.isatty(),
            verbose=options.verbose,
        ),
        _announcer(options.lang, options.host),
    )
    return 0


def _announcer(language: str, host: str) -> Callable[..., None]:
    from explorer.serving import Addresses
    from explorer.serving.addresses import is_local, qr_code

    def announce(addresses: Addresses) -> None:
        lines = [text("cli.serving", language, address=addresses.here)]
        if addresses.room is not None:
            lines += [text("cli.serving-room", language, address=addresses.room), qr_code(addresses.room).rstrip("\n")]
        elif not is_local(host):
            lines.append(text("cli.serving-no-room", language))
        lines.append(text("cli.serving-stop", language))
        # Flushed at once: who waits for the address may read it through a pipe.
        print("\n".join(lines), flush=True)

    return announce


def _lab(options: argparse.Namespace) -> int:
    from explorer.serving import open_lab

    print(text("cli.lab-folder", options.lang, folder=str(options.folder.resolve())), flush=True)
    return open_lab(options.folder, options.lab_arguments, port=options.port, browser=not options.no_browser)


# -- models --------------------------------------------------------------------------------------------------------


def _models(options: argparse.Namespace) -> int:
    from explorer.catalog import known_models
    from explorer.hub import cached_models

    language = options.lang
    downloaded = set(cached_models())
    listed = known_models()
    rows = []
    for model in listed:
        state = "bundled" if model.bundled else "cached" if model.name in downloaded else "known"
        rows.append((model.name, state, f"{model.title} · {model.facts(language)}", model.note(language)))
    # Downloaded by name, without being on the list.
    rows += [(name, "cached", "", "") for name in sorted(downloaded - {model.name for model in listed})]
    for name, state, facts, note in rows:
        print(f"{name}  [{text(f'models.state-{state}', language)}]")
        for line in filter(None, (facts, note)):
            print(f"    {line}")
    return 0


def _download(options: argparse.Namespace) -> int:
    from explorer.catalog import known_model
    from explorer.models import find_weights

    language = options.lang
    for name in options.names:
        known = known_model(name)
        if known is not None and known.bundled:
            print(text("models.download-bundled", language, name=name))
            continue
        found = find_weights(name, progress=_progress(name, language))
        print(text(f"models.download-{'ready' if found.downloaded else 'already'}", language, name=name))
    return 0


def _progress(name: str, language: str) -> Callable[[int, int], None]:
    """Progress on one line of a terminal; elsewhere (a log) nothing."""
    shown = ""

    def show(done: int, total: int) -> None:
        nonlocal shown
        if not sys.stderr.isatty():
            return
        line = text("cli.downloading", language, name=name, done=round(done / 1e6), total=round(total / 1e6))
        if line != shown:
            print(f"\r{line}", end="\n" if total and done >= total else "", file=sys.stderr, flush=True)
            shown = line

    return show


def _run(options: argparse.Namespace) -> tuple[Picture, ExplorerModel, Trace]:
    """The picture, the model and the run that a command line asks for."""
    from explorer.images import read_picture

    # The picture first: it is read in an instant, and torch takes seconds.
    picture = read_picture(options.picture)

    from explorer.engine import trace_image
    from explorer.models import load_model

    model = load_model(options.model, pretrained=not options.random_weights)
    return picture, model, trace_image(model, picture, patch_size=options.patch_size, image_size=options.image_size)


def _trace(options: argparse.Namespace) -> int:
    # Before the model runs: what is asked for can be wrong.
    out = named_file(options.out or f"{options.picture.stem}.npz", ".npz")
    _, model, trace = _run(options)
    try:
        trace.save(out, weights=not options.no_weights)
    except OSError as error:
        raise ExplorerError("file-not-writable", file=str(out)) from error

    language = options.lang
    print(
        text(
            "cli.traced",
            language,
            file=str(out),
            model=trace.spec.name,
            patch=trace.patch_size,
            image=trace.image_size,
            tokens=trace.num_tokens,
            megabytes=f"{out.stat().st_size / 1e6:.1f}",
        )
    )
    if trace.spec.random_weights:
        print(text("cli.random-note", language))
    elif trace.probs is not None:
        for rank, index in enumerate((-trace.probs).argsort()[:5], 1):
            percent = f"{100 * float(trace.probs[index]):.1f}"
            name = model.labels.name(int(index), language)
            print("  " + text("cli.traced-class", language, rank=rank, name=name, percent=percent))
    return 0


def _export(options: argparse.Namespace) -> int:
    from explorer.cli_export import check, export

    # Before the model runs: what is asked for can be wrong, and a browser can be missing.
    check(options)
    picture, model, trace = _run(options)
    export(options, picture, model, trace)
    if trace.spec.random_weights:
        print(text("cli.random-note", options.lang))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
