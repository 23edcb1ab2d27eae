"""Our Voilà: one notebook, our template, no CDN, no source code, kernels ready before they are asked for."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tornado.ioloop
import tornado.web
from ipykernel.kernelspec import RESOURCES, make_ipkernel_cmd
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from jupyter_server.utils import url_path_join
from tornado.httpserver import HTTPServer
from traitlets import Bool, Unicode
from traitlets.config import Config
from voila.app import Voila

from explorer.errors import ExplorerError
from explorer.kernels.provisioner import PROVISIONER, ForkedKernels
from explorer.resources import notebooks_path
from explorer.serving.addresses import Addresses, bind, is_local
from explorer.serving.frontend import FrontEnd
from explorer.serving.handlers import BundleHandler, PackedFileHandler, PageHandler
from explorer.serving.shell import shell_html

__all__ = ["ServeOptions", "serve_page"]

TEMPLATE = "vit-explorer"

#: Largest websocket message: phone photos are 3–15 MB, and ten times that must not vanish without a word.
MAX_MESSAGE_BYTES = 200 * 1024 * 1024

#: No server runs for as many (a century); Python's time spans have no room for much more, and none for infinity.
FOREVER_MINUTES = 100 * 366 * 24 * 60

#: The only extensions of JupyterLab's front end that the page needs. All that are installed would be loaded otherwise,
#: among them plotly's, with 4.8 MB.
EXTENSIONS = ("@voila-dashboards/widgets-manager8", "@jupyter-widgets/jupyterlab-manager", "anywidget")

#: What the front end asks of MathJax, done by nobody. It is loaded as a script, with more put behind it: hence the //.
NO_MATHJAX = (
    "data:text/javascript,window.MathJax={Hub:{Config(){},Queue(){},Configured(){},Register:{StartupHook(){}}},"
    "Ajax:{},InputJax:{TeX:{resetEquationNumbers(){}}}};//"
)

#: What the front end reads of its settings; the others name folders of this machine.
PAGE_SETTINGS = (
    "appUrl",
    "appVersion",
    "baseUrl",
    "disabledExtensions",
    "extensionConfig",
    "federated_extensions",
    "fullLabextensionsUrl",
    "fullStaticUrl",
    "jupyterLabTheme",
    "labextensionsUrl",
    "progressiveRendering",
    "terminalsAvailable",
    "themesUrl",
)


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """How the page is served.

    Attributes
    ----------
    host : str
        Address to listen on. 127.0.0.1: this machine only; 0.0.0.0: everyone in the room.
    port : int
        0 takes any free one.
    ready_kernels : int or None
        Kernels kept ready for the next readers; 0: each page starts its own when it is opened. By default one, and
        three where a room is served.
    idle_minutes : float
        How long a kernel is kept that no page is connected to (a closed laptop, a phone out of reach); 0: for ever.
    language : str
        Language of the page for browsers that ask for neither of ours.
    open_browser : bool
        Open the page in this machine's browser.
    verbose : bool
        Write Voilà's own log.
    bundled : bool
        Send the front end's scripts in one file; else one by one, as they are recorded.
    notebook : str or None
        Another notebook than the dashboard's, served with the same settings.
    split_kernels : bool
        Split kernels off one process that has imported the dashboard, where the system bears it; else start each from
        nothing.
    """

    host: str = "127.0.0.1"
    port: int = 8866
    ready_kernels: int | None = None
    idle_minutes: float = 10.0
    language: str = "en"
    open_browser: bool = True
    verbose: bool = False
    bundled: bool = True
    notebook: str | None = None
    split_kernels: bool = True

    def __post_init__(self) -> None:
        """Refuse what no time can be.

        Raises
        ------
        ExplorerError
            ``idle-minutes-unknown``: less than none, or not a number.
        """
        if not self.idle_minutes >= 0:
            raise ExplorerError("idle-minutes-unknown", minutes=f"{self.idle_minutes:g}")

    @property
    def kernels(self) -> int:
        """How many kernels are kept ready."""
        if self.ready_kernels is not None:
            return self.ready_kernels
        return 1 if is_local(self.host) else 3

    @property
    def idle_seconds(self) -> int:
        """How long a kernel without a page is kept, in the words of Jupyter's servers: 0 for ever, else 1 or more."""
        return max(1, round(60 * self.idle_minutes)) if 0 < self.idle_minutes < FOREVER_MINUTES else 0


class OwnKernels(KernelSpecManager):
    """One kernel: the Python that runs the server. Whatever else is installed for this user does not matter."""

    split = Bool(True, help="Split kernels off one process that has everything imported").tag(config=True)

    def find_kernel_specs(self) -> dict[str, str]:
        return {"python3": str(RESOURCES)}

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:  # noqa: ARG002 - there is but one
        # Each would warn that what it says to the server, on this machine, is not encrypted.
        level = "INFO" if self.log.isEnabledFor(logging.INFO) else "ERROR"
        return KernelSpec(
            argv=[*make_ipkernel_cmd(), f"--log-level={level}"],
            display_name="Python 3",
            language="python",
            resource_dir=str(RESOURCES),
            interrupt_mode="signal",
            metadata={"kernel_provisioner": {"provisioner_name": PROVISIONER}} if self.split else {},
        )


class KernelsHere(AsyncMappingKernelManager):
    """Kernels that run where the server was started, so that a relative path means what its user means."""

    def cwd_for_path(self, path: str, **settings: Any) -> str:  # noqa: ARG002
        return os.getcwd()


class ExplorerVoila(Voila):
    """Voilà, serving one page from sockets that are already bound.

    Voilà's own way is to try other ports when its own is taken; who wrote the address on a board needs that one.
    """

    name = "voila"
    language = Unicode("en")
    bundled = Bool(True)
    sockets: list[socket.socket]
    when_listening: Callable[[], None]

    def init_handlers(self) -> list[Any]:
        base = self.server_url
        static, labextensions = (
            url_path_join(base, r"/voila/static/(.*)"),
            url_path_join(base, r"/voila/labextensions/(.*)"),
        )
        page = url_path_join(base, r"/(.*)")
        # The notebook's own folder and the themes are nobody's business.
        hidden = (url_path_join(base, r"/voila/files/(.*)"), url_path_join(base, r"/voila/api/themes/(.*)"))
        frontend = FrontEnd({"static": list(self.static_paths), "labextensions": list(self.labextensions_path)})
        bundle = url_path_join(base, "/voila/frontend.js")
        address = "" if frontend.empty or not self.bundled else f"{bundle}?v={frontend.tag}"
        handlers: list[Any] = [(bundle, BundleHandler, {"frontend": frontend})]
        for pattern, handler, *settings in super().init_handlers():
            if pattern == static:
                handlers.append((pattern, PackedFileHandler, {"roots": list(self.static_paths)}))
            elif pattern == labextensions:
                handlers.append((pattern, PackedFileHandler, {"roots": list(self.labextensions_path)}))
            elif pattern == page:
                handlers.append(
                    (pattern, PageHandler, {**settings[0], "language": self.language, "frontend_url": address})
                )
            elif pattern not in hidden:
                handlers.append((pattern, handler, *settings))
        return handlers

    def listen(self) -> None:
        server = HTTPServer(self.app)
        server.add_sockets(self.sockets)
        self.ioloop = tornado.ioloop.IOLoop.current()
        self.ioloop.add_callback(self.when_listening)
        try:
            self.ioloop.start()
        except KeyboardInterrupt:
            self.log.info("Stopping")
        finally:
            server.stop()
            self.stop()

    def launch_browser(self) -> None:
        """Nothing: the address that opens is the one that was printed."""


def serve_page(options: ServeOptions, announce: Callable[[Addresses], None]) -> None:
    """Serve the dashboard until the process is told to stop.

    Parameters
    ----------
    options : ServeOptions
    announce : callable
        Called once, with the addresses, when they can be opened.

    Raises
    ------
    ExplorerError
        If the port cannot be had.
    """
    notebook = notebooks_path("explorer.ipynb") if options.notebook is None else options.notebook
    sockets = bind(options.host, options.port)
    port = int(sockets[0].getsockname()[1])
    addresses = Addresses.of(options.host, port)
    if sys.platform != "win32":
        _raise_open_files()
    # Jupyter looks for templates below its data folders; ours lies in the package.
    ours = os.path.join(os.path.dirname(__file__), "page")
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, (ours, os.environ.get("JUPYTER_PATH"))))
    shell_html(options.language)  # A catalogue that is not whole fails here, not in a reader's browser.

    app = ExplorerVoila(config=_config(options, port), language=options.language, bundled=options.bundled)
    app.sockets = sockets
    app.config_file_paths = []
    app.log.setLevel(logging.INFO if options.verbose else logging.ERROR)
    # Jupyter counts pings in milliseconds and Tornado, which warns of so long a time, in seconds.
    logging.getLogger("tornado.general").setLevel(app.log.level)

    def listening() -> None:
        announce(addresses)
        if options.open_browser:
            threading.Thread(target=webbrowser.open, args=(addresses.here,), daemon=True).start()

    app.when_listening = listening
    if options.split_kernels:
        # What takes longest is begun first.
        ForkedKernels.prepare()
    try:
        app.initialize([str(notebook)])
        app.start()
    finally:
        ForkedKernels.stop()


def _config(options: ServeOptions, port: int) -> Config:
    everywhere = not is_local(options.host)
    config = Config()
    config.Voila.port = port
    config.Voila.open_browser = False
    config.Voila.log_level = logging.INFO if options.verbose else logging.ERROR
    config.Voila.tornado_settings = {
        "websocket_max_message_size": MAX_MESSAGE_BYTES,
        "compress_response": True,
        # A page elsewhere that gives this machine another name (DNS rebinding) must not reach a kernel.
        "allow_remote_access": everywhere,
        "local_hostnames": ["localhost", "127.0.0.1", "::1"],
        "disable_check_xsrf": False,
    }
    voila = config.VoilaConfiguration
    voila.template = TEMPLATE
    voila.allow_template_override = "NO"
    voila.allow_theme_override = "NO"
    voila.strip_sources = True
    # The template shows a cell's error. Its traceback names this machine's folders: only for who sits at it.
    voila.show_tracebacks = True
    voila.resources = {"show_details": not everywhere}
    voila.file_allowlist = []
    voila.extension_allowlist = list(EXTENSIONS)
    voila.page_config_hook = _page_settings
    voila.kernel_spec_manager_class = OwnKernels
    config.OwnKernels.split = options.split_kernels
    voila.multi_kernel_manager_class = KernelsHere
    voila.preheat_kernel = options.kernels > 0
    voila.default_pool_size = options.kernels
    # How long a kernel may take to start, and the outputs of a cell may come after its end. On a machine that a class
    # keeps busy they are late, and what is not waited for is left out: a page without its dashboard.
    config.VoilaExecutor.startup_timeout = 300
    config.VoilaExecutor.iopub_timeout = 120
    # The reader who has just taken a kernel needs the machine more than the next one does.
    config.VoilaKernelManager.fill_delay = 4.0
    config.MappingKernelManager.cull_idle_timeout = options.idle_seconds
    config.MappingKernelManager.cull_interval = max(1, min(30, options.idle_seconds // 2))
    config.MappingKernelManager.cull_connected = False
    return config


def _page_settings(current_page_config: dict[str, Any], **_: object) -> dict[str, Any]:
    kept = {name: value for name, value in current_page_config.items() if name in PAGE_SETTINGS}
    # JupyterLab typesets an empty element at its start, which takes 1 MB of MathJax. Our formulas are MathML.
    return {**kept, "mathjaxConfig": "none", "fullMathjaxUrl": NO_MATHJAX}


def _raise_open_files() -> None:
    """Each page needs a dozen sockets; the usual limit of 1,024 ends at some eighty pages."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft < wanted:
        # Where the system does not allow it, fewer pages can be open; that is no reason not to serve any.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
