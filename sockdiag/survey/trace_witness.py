"""Whether a TCP socket that a tracepoint names is in this network namespace: the kernel's answer, since no tracepoint says it.

A request for one socket finds those of this namespace only, and only its own sockets are announced to it when they are
destroyed. A socket of which neither is true is in another namespace.
"""

from __future__ import annotations

import errno
from _socket import AF_INET6 as _PYTHON_AF_INET6  # start-up: docs/rejected.md
from _socket import inet_aton, inet_pton  # start-up: docs/rejected.md

from sockdiag.errors import ParseError, SourceError
from sockdiag.kernel.inet_diag import SOCKID
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, IPPROTO_TCP
from sockdiag.model.provenance import Gap
from sockdiag.sources.netlink.inet_diag import decode
from sockdiag.sources.netlink.inet_request import request
from sockdiag.sources.system.destroy_events import SOURCE, DestroyEvents
from sockdiag.sources.system.transport import KernelTransport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.analysis.trace_sockets import KnownSocket
    from sockdiag.model.socket import Socket
    from sockdiag.sources.system.transport import Request
    from sockdiag.survey.reader import SystemReader

# How long the kernel's worker may take to announce the end of a socket, and how long events wait for it.
PATIENCE_S = 0.4
_ANY_STATE = 0xFFFFFFFF
# Announcements that are kept for events that have not come yet.
_MOST = 20_000
# A socket that is bound to a device is found by that device only.
_MOST_DEVICES = 16


class NamespaceWitness:
    """Asks the kernel about sockets, and listens for their ends.

    Args:
        survey: the system; gaps are noted there.
    """

    def __init__(self, survey: SystemReader) -> None:
        self._ended: dict[int, Socket] = {}
        # Which socket has a cookie.
        self._cookies: dict[int, KnownSocket] = {}
        self._transport = KernelTransport(survey.system.modules)
        self._devices = (0, *_devices())
        self._survey = survey
        self._events = survey.attempt(lambda: DestroyEvents(survey.system.modules))
        self._answers = True

    @property
    def complete(self) -> bool:
        """Whether every socket of this namespace has been seen that was asked for or announced."""
        return self._answers and self._events is not None and not self._events.lost

    def close(self) -> None:
        """Stop listening."""
        if self._events is not None:
            self._events.close()

    def claim(self, known: KnownSocket) -> None:
        """Note who has the cookie of a socket."""
        if known.cookie:
            self._cookies[known.cookie] = known

    def read(self) -> None:
        """Take in what was announced."""
        if self._events is None:
            return
        for message in self._events.pending():
            try:
                socket = decode(message, "tcp", _no_name, SOURCE)
            except ParseError as error:
                self._survey.note(Gap.from_error(error))
                continue
            if socket.cookie is not None:
                self._ended[socket.cookie] = socket
        while len(self._ended) > _MOST:
            del self._ended[next(iter(self._ended))]
        while len(self._cookies) > 4 * _MOST:
            del self._cookies[next(iter(self._cookies))]

    def end_of(self, known: KnownSocket) -> bool:
        """Return whether the end of a socket was announced; its last figures are kept with it."""
        if known.end is not None:
            return True
        # A connection that failed has lost its addresses by then.
        end = self._ended.pop(known.cookie or 0, None)
        if end is None:
            return False
        known.end, known.ours = end, True
        self._cookies.pop(known.cookie or 0, None)
        return True

    def has(self, known: KnownSocket) -> bool:
        """Ask the kernel for a socket that is there, and return whether this namespace has it."""
        for device in self._devices:
            found = self._ask(known, device)
            if found is not None and not self._is_of_another(found, known):
                known.ours, known.cookie, known.inode = True, found.cookie, found.inode or known.inode
                self.claim(known)
                return True
        return False

    def _is_of_another(self, socket: Socket, known: KnownSocket) -> bool:
        holder = self._cookies.get(socket.cookie or 0)
        return holder is not None and holder is not known

    def _ask(self, known: KnownSocket, device: int) -> Socket | None:
        try:
            asked = _request(known, device)
        except OSError:
            return None  # no address
        try:
            socket = decode(self._transport.query(asked), "tcp", _no_name)
        except ParseError:
            return None
        except SourceError as error:
            if error.errno != errno.ENOENT:
                self._answers = False
            return None
        # Where there is no such connection, the kernel finds its listener.
        same = (socket.local.port, socket.peer.port or 0) == (known.local.port, known.peer.port or 0)
        return socket if same else None


def _request(known: KnownSocket, device: int) -> Request:
    local, peer = known.local, known.peer
    four = ":" not in str(local.address)
    identity = SOCKID.pack(
        (local.port or 0).to_bytes(2, "big"),
        (peer.port or 0).to_bytes(2, "big"),
        _packed(local.address),
        _packed(peer.address),
        device,
        b"\xff" * 8,
    )
    return request(AF_INET if four else AF_INET6, IPPROTO_TCP, _ANY_STATE, identity=identity)


def _packed(address: object) -> bytes:
    text = str(address).partition("%")[0]
    if ":" in text:
        return inet_pton(_PYTHON_AF_INET6, text)
    return inet_aton(text).ljust(16, b"\0")


def _no_name(_index: int) -> str | None:
    return None


def _devices() -> list[int]:
    from socket import if_nameindex

    try:
        return [index for index, _name in if_nameindex()][:_MOST_DEVICES]
    except OSError:
        return []
