"""A stand-in for the Hugging Face Hub on 127.0.0.1, as far as downloads ask it.

It speaks what ``huggingface_hub`` needs: HEAD and GET of ``/{repo}/resolve/main/{file}``, the headers that name commit,
ETag and size, ranges, and the errors' codes. It is also offered as the proxy, so that a request to any other host
arrives here, too, is refused and is remembered in :attr:`StandinHub.strangers`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from safetensors.numpy import save

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Repo:
    """One repository, and how it misbehaves.

    Attributes
    ----------
    files : mapping of str to bytes
    error : (status, code), optional
        Answer to everything.
    cut_after : int, optional
        The connection is closed after so many bytes of the weights, every time.
    ranges : bool
        Whether "go on from here" is understood.
    hold : threading.Event, optional
        After ``hold_after`` bytes of the weights nothing is sent until it is set.
    served : mapping of str to bytes
        What is really sent, where that differs from ``files`` (which headers are made from).
    """

    files: Mapping[str, bytes]
    error: tuple[int, str] | None = None
    cut_after: int | None = None
    ranges: bool = True
    hold: threading.Event | None = None
    hold_after: int = 1
    served: Mapping[str, bytes] = field(default_factory=dict)


@dataclass
class StandinHub:
    """The running stand-in."""

    endpoint: str
    repos: dict[str, Repo] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Variables for a process that shall see this Hub and nothing else."""
        return {
            "HF_ENDPOINT": self.endpoint,
            "HF_HUB_OFFLINE": "0",
            "HTTP_PROXY": self.endpoint,
            "HTTPS_PROXY": self.endpoint,
            "ALL_PROXY": self.endpoint,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }


@contextmanager
def standin_hub() -> Iterator[StandinHub]:
    """Run a stand-in for as long as the block lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    hub = StandinHub(f"http://127.0.0.1:{server.server_address[1]}")
    server.hub = hub  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        for repo in hub.repos.values():
            if repo.hold is not None:
                repo.hold.set()
        server.shutdown()
        server.server_close()


def small_vit(classes: int = 3, seed: int = 0) -> dict[str, bytes]:
    """Files of a ViT with one layer and random weights, as timm exports them: 32×32 input, P = 16, D = 16, h = 2."""
    random = np.random.default_rng(seed)
    dim, hidden, patches = 16, 64, 4
    shapes = {
        "cls_token": (1, 1, dim),
        "pos_embed": (1, 1 + patches, dim),
        "patch_embed.proj.weight": (dim, 3, 16, 16),
        "patch_embed.proj.bias": (dim,),
        "blocks.0.norm1.weight": (dim,),
        "blocks.0.norm1.bias": (dim,),
        "blocks.0.attn.qkv.weight": (3 * dim, dim),
        "blocks.0.attn.qkv.bias": (3 * dim,),
        "blocks.0.attn.proj.weight": (dim, dim),
        "blocks.0.attn.proj.bias": (dim,),
        "blocks.0.norm2.weight": (dim,),
        "blocks.0.norm2.bias": (dim,),
        "blocks.0.mlp.fc1.weight": (hidden, dim),
        "blocks.0.mlp.fc1.bias": (hidden,),
        "blocks.0.mlp.fc2.weight": (dim, hidden),
        "blocks.0.mlp.fc2.bias": (dim,),
        "norm.weight": (dim,),
        "norm.bias": (dim,),
        "head.weight": (classes, dim),
        "head.bias": (classes,),
    }
    tensors = {name: random.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    arguments = {"img_size": 32, "patch_size": 16, "embed_dim": dim, "depth": 1, "num_heads": 2}
    names = [f"kind {index}" for index in range(classes)]
    config = {
        "architecture": "vit_tiny_patch16_224",
        "num_classes": classes,
        "num_features": dim,
        "global_pool": "token",
        "label_names": names,
        "model_args": arguments,
        "pretrained_cfg": {
            "input_size": [3, 32, 32],
            "fixed_input_size": True,
            "interpolation": "bicubic",
            "crop_pct": 0.9,
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "num_classes": classes,
            "first_conv": "patch_embed.proj",
            "classifier": "head",
        },
    }
    return {"config.json": json.dumps(config).encode(), "model.safetensors": save(tensors)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> StandinHub:
        return self.server.hub  # type: ignore[attr-defined,no-any-return]

    def log_message(self, *_args: object) -> None:
        """Stay quiet."""

    def do_CONNECT(self) -> None:
        self.hub.strangers.append(self.path)
        self._refuse(403, "Proxy")

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, *, body: bool) -> None:
        if not self.path.startswith("/"):
            self.hub.strangers.append(self.path)
            self._refuse(403, "Proxy")
            return
        self.hub.requests.append((self.command, self.path))
        name, _, file = self.path.removeprefix("/").partition("/resolve/main/")
        repo = self.hub.repos.get(name)
        if repo is None:
            self._refuse(401, "RepoNotFound")
        elif repo.error is not None:
            self._refuse(*repo.error)
        elif file not in repo.files:
            self._refuse(404, "EntryNotFound")
        else:
            self._send(repo, file, body=body)

    def _send(self, repo: Repo, file: str, *, body: bool) -> None:
        whole = repo.files[file]
        content = repo.served.get(file, whole)
        start = 0
        wanted = self.headers.get("Range")
        if wanted and repo.ranges:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(whole).hexdigest()}"')
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if not body:
            return
        piece = content[start:]
        weights = file.endswith(".safetensors")
        if weights and repo.cut_after is not None:
            self.wfile.write(piece[: repo.cut_after])
            self.close_connection = True
            return
        if weights and repo.hold is not None and not repo.hold.is_set():
            self.wfile.write(piece[: repo.hold_after])
            self.wfile.flush()
            repo.hold.wait()
            piece = piece[repo.hold_after :]
        try:
            self.wfile.write(piece)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the other side was cancelled: that is the point
