"""What the server answers: the page, and the front end's files, packed once."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import tornado.web
from tornado.iostream import StreamClosedError
from voila.tornado.handler import TornadoVoilaHandler

from explorer.serving.frontend import FrontEnd
from explorer.serving.shell import choose_language, shell_html

__all__ = ["BundleHandler", "PackedFileHandler", "PageHandler"]

#: Nothing that the page shows or runs comes from another machine, whatever a widget asks for.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        # JupyterLab's front end is built with eval, anywidget imports modules from blobs, style sheets are inline.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' data: blob:",
        "connect-src 'self' ws: wss: data: blob:",
        "frame-ancestors 'self'",
        "base-uri 'none'",
        "object-src 'none'",
    )
)


class PageHandler(TornadoVoilaHandler):
    """Sends the shell at once, then what Voilà renders as it comes."""

    language = "en"
    frontend_url = ""

    def initialize(self, **settings: object) -> None:
        self.language = str(settings.pop("language"))
        self.frontend_url = str(settings.pop("frontend_url"))
        super().initialize(**settings)

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        self.set_header("Referrer-Policy", "no-referrer")

    @tornado.web.authenticated
    async def get(self, path: str | None = None) -> None:
        """Answer ``/``; there is no other page."""
        if path:
            raise tornado.web.HTTPError(404)
        accepted = self.request.headers.get("Accept-Language", "")
        language = choose_language(self.get_query_argument("lang", None), accepted, self.language)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Vary", "Accept-Language")
        # Sets the cookie that the page needs for the one request that changes something: its farewell ends its kernel.
        _ = self.xsrf_token
        self.write(shell_html(language, self.frontend_url))
        try:
            await self.flush()
            async for part in self.get_generator(path=None):
                self.write(part)
                await self.flush()
        except StreamClosedError:
            self.log.debug("The browser left before the page was whole")
        except Exception:
            # Too late for an error page: the shell is there, and says it.
            self.log.exception("The page could not be rendered")
            self.write("<script>vxServerError()</script></body></html>")


@dataclass(frozen=True)
class Packed:
    """A file as it is sent."""

    plain: bytes
    packed: bytes
    tag: str


@lru_cache(maxsize=1024)
def _pack(path: Path, modified: int, size: int) -> Packed:  # noqa: ARG001 - part of the key: a changed file is read anew
    plain = path.read_bytes()
    packed = gzip.compress(plain, 6, mtime=0)
    return Packed(plain, packed if len(packed) < 0.95 * len(plain) else b"", hashlib.sha256(plain).hexdigest()[:32])


class PackedFileHandler(tornado.web.RequestHandler):
    """Files below some folders, compressed once and kept: a class of students opens the page at the same moment.

    Parameters
    ----------
    roots : list of str
        Folders in which a path is looked up, the first that has it wins.
    """

    roots: tuple[Path, ...] = ()

    def initialize(self, roots: list[str]) -> None:
        self.roots = tuple(Path(root).resolve() for root in roots)

    def get(self, path: str) -> None:
        found = self._find(path)
        if found is None:
            raise tornado.web.HTTPError(404)
        status = found.stat()
        content = _pack(found, status.st_mtime_ns, status.st_size)
        self.set_header("Content-Type", mimetypes.guess_type(found.name)[0] or "application/octet-stream")
        self.set_header("X-Content-Type-Options", "nosniff")
        # The version is in the query or in the name of most; the rest is asked for again, and mostly not sent again.
        self.set_header("Cache-Control", "public, max-age=31536000" if "v" in self.request.arguments else "no-cache")
        self.set_header("ETag", f'"{content.tag}"')
        self.set_header("Vary", "Accept-Encoding")
        if self.check_etag_header():
            self.set_status(304)
            return
        if content.packed and "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.write(content.packed)
        else:
            self.write(content.plain)

    def compute_etag(self) -> str | None:
        return str(self._headers.get("ETag")) if "ETag" in self._headers else None

    def _find(self, path: str) -> Path | None:
        for root in self.roots:
            candidate = (root / path).resolve()
            if candidate.is_relative_to(root) and candidate.is_file():
                return candidate
        return None


class BundleHandler(tornado.web.RequestHandler):
    """The front end's scripts in one."""

    frontend: FrontEnd

    def initialize(self, frontend: FrontEnd) -> None:
        self.frontend = frontend

    async def get(self) -> None:
        bundle = await asyncio.wrap_future(self.frontend.bundle)
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.set_header("Vary", "Accept-Encoding")
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.write(bundle.packed)
        else:
            self.write(bundle.plain)
