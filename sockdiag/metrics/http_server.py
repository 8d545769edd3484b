"""An HTTP server with bounds on everything that a client can do.

A client has a few seconds for its request and a few for the answer. The number of connections and the size of a request
are limited. Where all places are taken, a newcomer waits, and the slowest connection of the client with the most of them
gives way: no number of slow clients keeps out one that asks and reads at once.
"""

from __future__ import annotations

import time
from contextlib import suppress
from socket import AF_INET6, SHUT_RDWR, SO_REUSEADDR, SOL_SOCKET, inet_pton, socket
from socketserver import ThreadingMixIn
from threading import Condition
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import SSLContext
    from typing import Any

# There are one or two Prometheus servers; the rest is room for connections that hang.
CONNECTIONS = 32
REQUEST_S = 5.0
ANSWER_S = 10.0
MOST_BYTES = 1 << 15
_FAREWELL_S = 2.0
# How long a newcomer waits for a place.
PATIENCE_S = 5.0
# A connection gives way once it has taken so long for its request, or for the answer; sooner if its client has several
# more than the newcomer's.
_PROMPT_S = {"reading": 0.25, "sending": 1.0}
_MORE = 2


class Stopped(Exception):
    """The server was asked to stop."""


class _Guest:
    """A connection: whose it is, what it is waiting for, and since when."""

    __slots__ = ("client", "request", "since", "stage")

    def __init__(self, request: Any, client: bytes | str) -> None:
        self.request = request
        self.client = client
        self.enter("reading")

    def enter(self, stage: str) -> None:
        """Begin a stage: ``reading`` the request, ``waiting`` for the sample, ``sending`` the answer."""
        self.stage = stage
        self.since = time.monotonic()

    def disconnect(self) -> None:
        """End its reads and writes; its thread notices."""
        self.stage = "leaving"
        with suppress(OSError):  # it may have gone
            socket.shutdown(self.request, SHUT_RDWR)


class Server(ThreadingMixIn, WSGIServer):
    """A WSGI server with one thread per connection, and a limited number of connections.

    Args:
        family: family of the address.
        place: address and port.
        tls: context of TLS, without which the server speaks plain HTTP.

    Attributes:
        stopped_by: the signal that asked it to stop; None until then.
    """

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, family: int, place: tuple[Any, ...], tls: SSLContext | None = None) -> None:
        self.address_family = family
        self.stopped_by: int | None = None
        self.tls = tls
        self._changed = Condition()
        self._guests: dict[Any, _Guest] = {}
        super().__init__(place, _Handler)

    def server_bind(self) -> None:
        """Bind without asking the resolver for this host's name."""
        self.socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection; its handshake is left to its thread."""
        request, address = super().get_request()
        if self.tls is not None:
            request = self.tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        return request, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, or refuse it if no place becomes free in time."""
        guest = _Guest(request, _client(client_address[0]))
        if not self._admit(guest):
            self._refuse(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._leave(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer in a thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._leave(request)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands, then read the request and answer it."""
        if self.tls is not None:
            request.settimeout(REQUEST_S)
            request.do_handshake()
        super().finish_request(request, client_address)

    def enter(self, request: Any, stage: str) -> None:
        """Note that a connection has got to a stage."""
        with self._changed:
            guest = self._guests.get(request)
            if guest is not None and guest.stage != "leaving":
                guest.enter(stage)

    def stop(self, number: int) -> None:
        """Make serve_forever() raise Stopped within half a second."""
        self.stopped_by = number

    def service_actions(self) -> None:
        """Disconnect clients whose request, or whose reading, takes too long; called twice per second.

        Raises:
            Stopped: stop() was called.
        """
        if self.stopped_by is not None:
            raise Stopped
        now = time.monotonic()
        limits = {"reading": REQUEST_S, "sending": ANSWER_S}
        with self._changed:
            for guest in self._guests.values():
                if guest.stage in limits and now - guest.since > limits[guest.stage]:
                    guest.disconnect()

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """Log nothing: a client that disconnects is not an error."""

    def close(self) -> None:
        """Stop listening, and allow answers in progress a moment to finish."""
        self.server_close()
        end = time.monotonic() + _FAREWELL_S
        while self._guests and time.monotonic() < end:
            time.sleep(0.02)

    def _admit(self, guest: _Guest) -> bool:
        end = time.monotonic() + PATIENCE_S
        with self._changed:
            while len(self._guests) >= CONNECTIONS:
                if self.stopped_by is not None or time.monotonic() > end:
                    return False
                if not any(one.stage == "leaving" for one in self._guests.values()):
                    self._make_room(guest)
                self._changed.wait(0.05)
            guest.enter("reading")
            self._guests[guest.request] = guest
            return True

    def _make_room(self, newcomer: _Guest) -> None:
        shares: dict[bytes | str, int] = {}
        for guest in self._guests.values():
            shares[guest.client] = shares.get(guest.client, 0) + 1
        now = time.monotonic()
        own = shares.get(newcomer.client, 0) + _MORE
        slow = [
            guest
            for guest in self._guests.values()
            if guest.stage in _PROMPT_S and (shares[guest.client] > own or now - guest.since > _PROMPT_S[guest.stage])
        ]
        if slow:
            max(slow, key=lambda guest: (shares[guest.client], now - guest.since)).disconnect()

    def _leave(self, request: Any) -> None:
        with self._changed:
            self._guests.pop(request, None)
            self._changed.notify()

    def _refuse(self, request: Any) -> None:
        try:
            request.setblocking(False)
            if self.tls is None:
                request.send(b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            pass
        self.shutdown_request(request)


def _client(address: str) -> bytes | str:
    # Whoever has an IPv6 address has a whole /64.
    return inet_pton(AF_INET6, address.partition("%")[0])[:8] if ":" in address else address


class _TooLarge(Exception):
    """A request is larger than any legitimate one."""


class _BoundedReader:
    """The beginning of what a client sends."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._rest = MOST_BYTES

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._file.readline(min(size, self._rest + 1) if size >= 0 else self._rest + 1)
        self._rest -= len(line)
        if self._rest < 0:
            raise _TooLarge
        return line

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._file.read(min(size, self._rest) if size >= 0 else self._rest)
        self._rest -= len(data)
        return data

    def close(self) -> None:
        self._file.close()


class _Quiet(ServerHandler):
    server_software = "sockdiag"
    request_handler: _Handler

    def finish_response(self) -> None:
        """Send the answer."""
        self.request_handler.server.enter(self.request_handler.request, "sending")
        super().finish_response()

    def log_exception(self, _info: Any) -> None:
        """Log nothing: the client has gone."""


class _Handler(WSGIRequestHandler):
    timeout = ANSWER_S
    server: Server

    def handle(self) -> None:
        """Read one request and answer it."""
        file: Any = _BoundedReader(self.rfile)
        self.rfile = file
        try:
            self.raw_requestline = self.rfile.readline(MOST_BYTES + 1)
            if not self.raw_requestline or not self.parse_request():
                return
        except _TooLarge:
            self.requestline, self.request_version, self.command = "", "HTTP/1.0", ""
            self.send_error(431)
            return
        except (OSError, ValueError):
            return
        self.server.enter(self.request, "waiting")
        output: Any = self.wfile
        application = self.server.get_app()
        assert application is not None
        handler: Any = _Quiet(file, output, self.get_stderr(), self.get_environ(), multithread=True)
        handler.request_handler = self
        handler.run(application)

    def address_string(self) -> str:
        """Return the client's address, unresolved."""
        return str(self.client_address[0])

    def log_message(self, format: str, *args: Any) -> None:
        """Write no log: scrapes come every few seconds."""
