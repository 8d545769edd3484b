"""An HTTP server with bounds on everything that a client can do.

A client has a few seconds for its request and a few for the answer. The number of connections and the size of a request
are limited.
"""

from __future__ import annotations

import time
from socket import SHUT_RDWR, SO_REUSEADDR, SOL_SOCKET
from socketserver import ThreadingMixIn
from threading import BoundedSemaphore, Lock
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# There are one or two Prometheus servers; the rest is room for connections that hang.
CONNECTIONS = 16
REQUEST_S = 5.0
_ANSWER_S = 10.0
MOST_BYTES = 1 << 15
_FAREWELL_S = 2.0


class Stopped(Exception):
    """The server was asked to stop."""


class Server(ThreadingMixIn, WSGIServer):
    """A WSGI server with one thread per connection, and a limited number of connections.

    Args:
        family: family of the address.
        place: address and port.

    Attributes:
        stopped_by: the signal that asked it to stop; None until then.
    """

    daemon_threads = True
    request_queue_size = 64
    allow_reuse_address = True

    def __init__(self, family: int, place: tuple[Any, ...]) -> None:
        self.address_family = family
        self.stopped_by: int | None = None
        self._free = BoundedSemaphore(CONNECTIONS)
        self._guard = Lock()
        # Deadline for each connection's request; None once the request has arrived.
        self._due: dict[Any, float | None] = {}
        super().__init__(place, _Handler)

    def server_bind(self) -> None:
        """Bind without asking the resolver for this host's name."""
        self.socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, or refuse it if there are too many."""
        if not self._free.acquire(blocking=False):
            self._refuse(request)
            return
        with self._guard:
            self._due[request] = time.monotonic() + REQUEST_S
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

    def arrived(self, request: Any) -> None:
        """Note that a request has arrived completely."""
        with self._guard:
            if request in self._due:
                self._due[request] = None

    def stop(self, number: int) -> None:
        """Make serve_forever() raise Stopped within half a second."""
        self.stopped_by = number

    def service_actions(self) -> None:
        """Disconnect clients whose request takes too long; called twice per second.

        Raises:
            Stopped: stop() was called.
        """
        if self.stopped_by is not None:
            raise Stopped
        now = time.monotonic()
        with self._guard:
            late = [request for request, due in self._due.items() if due is not None and due < now]
        for request in late:
            try:
                request.shutdown(SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """Log nothing: a client that disconnects is not an error."""

    def close(self) -> None:
        """Stop listening, and allow answers in progress a moment to finish."""
        self.server_close()
        end = time.monotonic() + _FAREWELL_S
        while self._due and time.monotonic() < end:
            time.sleep(0.02)

    def _leave(self, request: Any) -> None:
        with self._guard:
            known = self._due.pop(request, self) is not self
        if known:
            self._free.release()

    def _refuse(self, request: Any) -> None:
        try:
            request.setblocking(False)
            request.send(b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            pass
        self.shutdown_request(request)


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

    def log_exception(self, _info: Any) -> None:
        """Log nothing: the client has gone."""


class _Handler(WSGIRequestHandler):
    timeout = _ANSWER_S
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
        self.server.arrived(self.request)
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
