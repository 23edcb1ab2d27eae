"""timm's pretrained models from the Hugging Face Hub: found in its cache, or fetched into it.

What is in the cache is used without asking the network. A download runs in a process of its own
(:mod:`explorer.hub_worker`), so that it can be stopped at any moment; only a file that is whole gets a name in the
cache. Nothing but ``config.json`` and ``model.safetensors`` is ever fetched: other kinds of weights can run code when
they are opened. ``HF_ENDPOINT``, ``HF_HOME``, ``HF_HUB_CACHE``, ``HF_HUB_OFFLINE`` and ``HF_TOKEN`` mean what they
mean to ``huggingface_hub``.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

from explorer.catalog import KnownModel, bundled_models, known_model, known_models
from explorer.errors import ExplorerError
from explorer.weights import CONFIG_NAME, WEIGHTS_NAME, check_model_folder, read_config, weights_header

__all__ = [
    "KnownModel",
    "bundled_models",
    "cached",
    "cached_models",
    "fetch",
    "known_models",
    "repo_of",
]

#: timm's modules whose classes the explorer can open up.
VIT_MODULES = ("vision_transformer", "deit")

#: Seconds between two looks at whether the download was cancelled.
_CANCEL_EVERY = 0.1

#: Seconds that the worker gets to tidy up after itself before it is killed.
_STOP_WITHIN = 3.0

#: Seconds between two requests to stop.
_ASK_EVERY = 0.2

#: A file that is missing after its download was found damaged by another process, which shares the cache and threw it
#: away, or belongs to a version that another process has just replaced; the second time it comes.
_ATTEMPTS = 2

_FILES = (CONFIG_NAME, WEIGHTS_NAME)

_PREFIXES = ("hf-hub:", "hf_hub:", "timm/")


def fetch(
    name: str,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """The folder of a pretrained model of timm's, downloaded if it is not in the cache.

    Parameters
    ----------
    name : str
        timm's name, with or without its tag (``vit_tiny_patch16_224.augreg_in21k_ft_in1k``).
    progress : callable, optional
        Called with the bytes that have arrived and all bytes, in the calling thread.
    cancelled : callable, optional
        Asked ten times a second; as soon as it says ``True`` the download is stopped.

    Returns
    -------
    pathlib.Path
        A folder in Hugging Face's cache that holds ``config.json`` and ``model.safetensors``.

    Raises
    ------
    ExplorerError
        ``model-unknown``, ``model-not-vit``, ``model-no-weights``; ``download-cancelled``, ``-no-network``,
        ``-offline``, ``-not-found``, ``-gated``, ``-refused``, ``-no-hub``, ``-no-config``, ``-no-safetensors``,
        ``-cut``, ``-damaged``, ``-changed``, ``-disk-full``, ``-not-writable`` or ``-failed``.
    """
    found = cached(name)
    if found is not None:
        return found
    repo = repo_of(name)
    for _ in range(_ATTEMPTS):
        _discard_damaged(repo)
        _run_worker(name, repo, progress or (lambda _done, _total: None), cancelled or (lambda: False))
        folder = _cached_repo(repo)
        if folder is not None:
            return folder
        if len(_cached_files(repo)) == len(_FILES):
            break  # both are there, and one is bad: that is how the Hub sends it
    _discard_damaged(repo)
    raise ExplorerError("download-damaged", name=name)


def cached(name: str) -> Path | None:
    """The folder of a model that was downloaded before, or ``None``; the network is not asked.

    Raises
    ------
    ExplorerError
        As :func:`repo_of`.
    """
    plain = _plain(name)
    # timm's repositories bear the models' own names, but for some variants that share another's weights.
    if "." in plain and (folder := _cached_repo(f"timm/{plain}")) is not None:
        return folder
    return _cached_repo(repo_of(name))


def repo_of(name: str) -> str:
    """The Hub's repository that holds a model's weights.

    Models of the page's list are known; any other name is looked up in timm, which imports torch.

    Raises
    ------
    ExplorerError
        ``model-unknown`` (with the nearest names), ``model-not-vit`` or ``model-no-weights``.
    """
    plain = _plain(name)
    known = known_model(plain)
    if known is not None and not known.bundled:
        return known.repo
    return _repo_in_timm(plain)


def cached_models() -> tuple[str, ...]:
    """Names of all ViTs of timm's that are in the cache, whole."""
    from huggingface_hub import constants

    root = Path(constants.HF_HUB_CACHE)
    names = []
    for entry in sorted(root.glob("models--timm--*")):
        name = entry.name.removeprefix("models--timm--")
        folder = _cached_repo(f"timm/{name}")
        if folder is not None and _looks_like_vit(folder):
            names.append(name)
    return tuple(names)


def _looks_like_vit(folder: Path) -> bool:
    tensors = weights_header(folder / WEIGHTS_NAME)
    return "patch_embed.proj.weight" in tensors and "blocks.0.attn.qkv.weight" in tensors


def _plain(name: str) -> str:
    plain = name.strip()
    for prefix in _PREFIXES:
        plain = plain.removeprefix(prefix)
    return plain


def _repo_in_timm(name: str) -> str:
    from explorer.torch_compat import import_timm

    timm = import_timm()
    from timm.models import get_pretrained_cfg, is_model_in_modules

    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        raise ExplorerError("model-unknown", name=name, suggestions=_nearest(name))
    if not is_model_in_modules(architecture, VIT_MODULES):
        raise ExplorerError("model-not-vit", name=name)
    try:
        config = get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError as error:  # the architecture is there, the tag is not
        raise ExplorerError("model-unknown", name=name, suggestions=_nearest(name)) from error
    if config is None or not config.hf_hub_id:
        raise ExplorerError("model-no-weights", name=name)
    return str(config.hf_hub_id)


def _nearest(name: str) -> str:
    """Three names of ViTs like this one, or those of the list."""
    from timm.models import is_model_in_modules, list_pretrained

    names = [entry for entry in list_pretrained() if is_model_in_modules(entry.partition(".")[0], VIT_MODULES)]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return ", ".join(near or [model.name for model in known_models() if not model.bundled][:3])


def _cached_files(repo: str) -> list[Path]:
    """The two files' paths, as far as they are in the cache."""
    from huggingface_hub import constants, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = [try_to_load_from_cache(repo, file, cache_dir=constants.HF_HUB_CACHE) for file in _FILES]
    except HFValidationError:
        return []
    return [Path(path) for path in found if isinstance(path, str)]


def _cached_repo(repo: str) -> Path | None:
    files = _cached_files(repo)
    if len(files) < 2:
        return None
    try:
        check_model_folder(files[0].parent)
    except ExplorerError:
        return None
    return files[0].parent


def _discard_damaged(repo: str) -> None:
    """Remove each file that would be taken for downloaded but is not whole (a disk was full, a copy was cut off).

    A file whose partner is missing is left alone: many kernels share one cache, and another may be fetching the partner
    at this moment.
    """
    for path in _cached_files(repo):
        try:
            if path.name == CONFIG_NAME:
                read_config(path.parent)
            else:
                weights_header(path)
        except ExplorerError:
            blob = path.resolve()
            path.unlink(missing_ok=True)
            blob.unlink(missing_ok=True)


def _run_worker(name: str, repo: str, progress: Callable[[int, int], None], cancelled: Callable[[], bool]) -> None:
    from huggingface_hub import constants

    environment = {
        **os.environ,
        "HF_HUB_CACHE": str(constants.HF_HUB_CACHE),
        # Xet's own transport neither stops nor resumes as HTTP does; these files are small enough to do without.
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    worker = Path(__file__).with_name("hub_worker.py")
    # -P: the script's own folder must not come first on the path, its trace.py would hide Python's.
    process = subprocess.Popen(
        [sys.executable, "-P", str(worker), repo],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    lines: SimpleQueue[str | None] = SimpleQueue()
    complaints: list[str] = []
    readers = [
        threading.Thread(target=_read_lines, args=(process.stdout, lines), daemon=True),
        threading.Thread(target=_read_complaints, args=(process.stderr, complaints), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        while True:
            if cancelled():
                raise ExplorerError("download-cancelled", name=name)
            try:
                line = lines.get(timeout=_CANCEL_EVERY)
            except Empty:
                continue
            if line is None:
                break
            if _handle(name, line, progress):
                return
    finally:
        _stop(process)
        for reader in readers:
            reader.join(_STOP_WITHIN)
    detail = complaints[-1] if complaints else f"exit status {process.returncode}"
    raise ExplorerError("download-failed", name=name, detail=detail)


def _handle(name: str, line: str, progress: Callable[[int, int], None]) -> bool:
    """Act on one line of the worker's; ``True`` when it has everything."""
    try:
        message = json.loads(line)
    except ValueError:
        return False
    if "error" in message:
        raise ExplorerError(message["error"], name=name, detail=message["detail"])
    if "done" in message:
        progress(message["done"], message["total"])
    return "ready" in message


def _read_lines(stream: IO[str], lines: SimpleQueue[str | None]) -> None:
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)


def _read_complaints(stream: IO[str], complaints: list[str]) -> None:
    with stream:
        for line in stream:
            if line.strip():
                complaints[:] = [line.strip()[:300]]  # the last line names the exception


def _stop(process: subprocess.Popen[str]) -> None:
    """End the worker: asked first, so that it removes its temporary file, then made to.

    Asked again and again, because a signal that comes just before a read from a silent server does not end that read:
    Python would hear of it only when the read ends.
    """
    deadline = time.monotonic() + _STOP_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_ASK_EVERY)
    if process.poll() is None:
        process.kill()
        process.wait()
