"""Ports, addresses that other machines can open, and the QR code for them."""

from __future__ import annotations

import errno
import io
import ipaddress
import socket
from dataclasses import dataclass

from tornado.netutil import bind_sockets

from explorer.errors import ExplorerError

__all__ = ["Addresses", "bind", "qr_code"]

#: Documentation address (RFC 5737). Connecting a UDP socket to it sends nothing; it only makes the system choose
#: which of its own addresses it would send from.
_ELSEWHERE = ("192.0.2.1", 9)


@dataclass(frozen=True)
class Addresses:
    """Where a server that listens can be opened.

    Attributes
    ----------
    here : str
        Address for a browser on this machine.
    room : str or None
        Address for the other machines in the room; None when the server listens to this machine only.
    """

    here: str
    room: str | None

    @classmethod
    def of(cls, host: str, port: int) -> Addresses:
        """Addresses of a server.

        Parameters
        ----------
        host : str
            Name or address that it was bound to; ``""``, ``0.0.0.0`` and ``::`` stand for all.
        port : int
        """
        if is_local(host):
            # "localhost" reads better than a number, and is the same machine.
            return cls(here=f"http://localhost:{port}", room=None)
        # A server that is bound to one address only, or to one family of them, does not answer on the others.
        if host == "::":
            here, shown = _url("::1", port), _own_address(socket.AF_INET6)
        elif host in ("", "0.0.0.0"):  # noqa: S104 - compared, not bound
            here, shown = f"http://localhost:{port}", _own_address()
        else:
            here, shown = _url(host, port), host
        return cls(here=here, room=None if shown is None else _url(shown, port))


def is_local(host: str) -> bool:
    """Whether a server bound to `host` can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bind(host: str, port: int) -> list[socket.socket]:
    """Listen on a port.

    Parameters
    ----------
    host : str
        Name or address to listen on.
    port : int
        0 takes any free one.

    Returns
    -------
    list of socket
        At least one, listening.

    Raises
    ------
    ExplorerError
        ``port-in-use``, ``port-denied`` or ``host-unknown``.
    """
    if not 0 <= port <= 65535:
        # The system would take it modulo 65536.
        raise ExplorerError("port-denied", port=port)
    try:
        return list(bind_sockets(port, host or None))
    except socket.gaierror as error:
        raise ExplorerError("host-unknown", host=host) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ExplorerError("port-in-use", port=port, other=port + 1 if port < 65535 else 8866) from error
        if error.errno == errno.EACCES:
            raise ExplorerError("port-denied", port=port) from error
        raise ExplorerError("host-unknown", host=host) from error


def qr_code(address: str) -> str:
    """An address as a QR code in characters, for a terminal."""
    import segno

    text = io.StringIO()
    segno.make(address, micro=False).terminal(text, compact=True)
    return text.getvalue()


def _own_address(only: socket.AddressFamily | None = None) -> str | None:
    for family, elsewhere in ((socket.AF_INET, _ELSEWHERE), (socket.AF_INET6, ("2001:db8::1", 9))):
        if only not in (None, family):
            continue
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect(elsewhere)
                address = str(probe.getsockname()[0])
        except OSError:
            continue
        if not is_local(address):
            return address
    if only is socket.AF_INET6:
        return None
    # Without a route to anywhere, the machine's name may still have an address in the room.
    try:
        found = socket.gethostbyname_ex(socket.gethostname())[2]
    except OSError:
        return None
    return next((address for address in found if not is_local(address)), None)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
