"""The process that downloads one model's files into Hugging Face's cache; started by :mod:`explorer.hub`.

It is a process of its own because only a process can be stopped at any moment: in a thread, a look-up of a host name
or a read from a silent server ends when it pleases. It imports ``huggingface_hub`` and nothing of the explorer, and
says what happens as lines of JSON on its standard output::

    {"done": 1048576, "total": 22869664}
    {"error": "download-not-found", "detail": ""}
    {"ready": true}

Only ``config.json`` and ``model.safetensors`` are ever asked for.
"""

from __future__ import annotations

import errno
import hashlib
import json
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

FILES = ("config.json", "model.safetensors")

#: How often a server may make a download start again from its first byte before it is given up.
MAX_RESTARTS = 2

#: Bytes that are read at a time. The library's ten megabytes would be all that a small model's progress ever shows, and
#: all that is lost when a connection breaks.
CHUNK_SIZE = 32 * 1024

#: A line about progress is due after so many seconds, or after such a share of the bytes.
_REPORT_EVERY = 0.1
_REPORT_SHARE = 0.01


class _Failure(Exception):
    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def main(repo: str) -> int:
    """Download, and say how it went; the exit status is 0 only for a whole model."""
    # The default action would leave the half-written temporary file behind; an exception lets it be removed.
    signal.signal(signal.SIGTERM, _stop)
    try:
        _download(repo)
    except BrokenPipeError:
        return 1  # nobody listens any more
    except Exception as error:  # noqa: BLE001 - whatever it was, the other process has to hear of it
        failure = _failure(error)
        _say(error=failure.code, detail=failure.detail)
        return 1
    _say(ready=True)
    return 0


def _stop(_signal: int, _frame: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # asked again, it must not interrupt its own tidying up
    raise SystemExit(1)


def _say(**line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class _Progress:
    """Bytes of all files together."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.restarts = 0
        self._told = 0
        self._told_at = 0.0

    def add(self, count: float) -> None:
        if count < 0:
            # huggingface_hub takes back what it had when a server ignores "go on from here", and would do so for ever.
            self.restarts += 1
            if self.restarts > MAX_RESTARTS:
                raise _Failure("download-cut")
        self.done += int(count)
        now = time.monotonic()
        if now - self._told_at >= _REPORT_EVERY or abs(self.done - self._told) >= _REPORT_SHARE * self.total:
            self._told, self._told_at = self.done, now
            _say(done=max(self.done, 0), total=max(self.total, self.done))

    def finish(self) -> None:
        _say(done=self.total, total=self.total)


def _download(repo: str) -> None:
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.utils.tqdm import tqdm

    constants.DOWNLOAD_CHUNK_SIZE = CHUNK_SIZE

    # Asked first, without the library's long retries: what is wrong is known at once, and the sizes are.
    sizes = []
    for file in FILES:
        metadata = get_hf_file_metadata(hf_hub_url(repo, file))
        sizes.append(metadata.size or 0)
    progress = _Progress(sum(sizes))
    progress.add(0)

    class Bar(tqdm):
        """What huggingface_hub tells its progress to; draws nothing (HF_HUB_DISABLE_PROGRESS_BARS is set)."""

        def update(self, n: float | None = 1) -> None:
            progress.add(n or 0)

    paths = [Path(hf_hub_download(repo, file, tqdm_class=Bar)) for file in FILES]
    if paths[0].parent != paths[1].parent:
        raise _Failure("download-changed")  # the repository got a new version between the two
    for path in paths:
        _check(path)
    progress.finish()


def _check(path: Path) -> None:
    """Compare a file with its checksum, and remove it where they differ.

    Hugging Face names a large file in its cache by its SHA-256, and checks its size only. Where the cache has no
    symbolic links the name is not known, and the file's own header is checked by the caller.

    A process that got the same file at the same time may have removed it already: the caller sees that it is missing.
    """
    blob = path.resolve()
    if not re.fullmatch(r"[0-9a-f]{64}", blob.name):
        return
    try:
        with blob.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return
    if digest != blob.name:
        path.unlink(missing_ok=True)
        blob.unlink(missing_ok=True)
        raise _Failure("download-damaged")


def _failure(error: BaseException) -> _Failure:
    """Which of the catalogue's sentences fits."""
    if isinstance(error, _Failure):
        return error
    from huggingface_hub import errors

    for cause in _causes(error):
        if isinstance(cause, _Failure):
            return cause
        if isinstance(cause, errors.OfflineModeIsEnabled):
            return _Failure("download-offline")
        if isinstance(cause, errors.GatedRepoError):
            return _Failure("download-gated")
        if isinstance(cause, errors.RemoteEntryNotFoundError):
            return _Failure("download-no-safetensors" if FILES[1] in str(cause) else "download-no-config")
        if isinstance(cause, errors.RepositoryNotFoundError | errors.RevisionNotFoundError):
            return _Failure("download-not-found")
        if isinstance(cause, errors.FileMetadataError):
            return _Failure("download-no-hub")
        if isinstance(cause, errors.HfHubHTTPError):
            return _Failure("download-refused", str(cause.response.status_code))
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return _Failure("download-disk-full")
        if isinstance(cause, OSError) and cause.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            return _Failure("download-not-writable", str(cause.filename or ""))
        # The transport is httpx in version 1 of huggingface_hub and httpx2 in version 2: known by their classes' names.
        kinds = {kind.__name__ for kind in type(cause).__mro__}
        if kinds & {"ConnectError", "ConnectTimeout", "ProxyError"}:
            return _Failure("download-no-network")
        if "TransportError" in kinds:
            return _Failure("download-cut")
        if isinstance(cause, OSError) and "Consistency check failed" in str(cause):
            return _Failure("download-cut")
    return _Failure("download-failed", f"{type(error).__name__}: {error}".splitlines()[0][:300])


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and so on; innermost last."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
