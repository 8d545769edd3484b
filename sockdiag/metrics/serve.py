"""Serve metrics over HTTP, in the formats that prometheus_client writes.

Only one sample is taken at a time; requests that arrive in the meantime share it.
"""

from __future__ import annotations

import time
from threading import Lock

from sockdiag.errors import SockdiagError, UsageError
from sockdiag.metrics.http_server import Server, Stopped
from sockdiag.metrics.protection import Protection
from sockdiag.render.exposition import label_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeAlias

    from sockdiag.metrics.scrape import Scraper
    from sockdiag.model.metric_family import MetricFamily

    # Status, headers and body.
    _Answer: TypeAlias = tuple[str, list[tuple[str, str]], list[bytes]]

_LOOPBACK = "127.0.0.1"
# A result is shared up to this age.
_SHARED_S = 1.0
# Prometheus gives up after 10 s.
_PATIENCE_S = 30.0
_POLL_S = 0.5
# Formats of a sample that are kept; Prometheus servers of different age ask for two or three.
_MOST_ANSWERS = 8
_PAGE = (
    b"<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><title>sockdiag</title>\n"
    b"<h1>sockdiag</h1>\n<p><a href=/metrics>Metrics</a> of this host's sockets.</p>\n</html>\n"
)


def listen(address: str, protection: Protection | None = None) -> Server:
    """Open the socket that serves.

    Args:
        address: ``PORT``, ``:PORT``, ``ADDR:PORT`` or ``[ADDR]:PORT``; without ADDR only on loopback. Port 0 is any free one.
        protection: TLS and authentication, without which only this host is served.

    Raises:
        UsageError: the address is invalid or not protected, or prometheus_client is not installed.
        SockdiagError: the address cannot be listened on.
    """
    import socket

    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        raise UsageError(f"--listen needs the Python library prometheus_client: {_install()}") from None
    host, _, port = address.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (port.isascii() and port.isdecimal()) or int(port) > 65535 or (":" in host and address[0] != "["):
        raise UsageError(f"--listen takes [ADDR:]PORT, such as :9756 or [::1]:9756, not '{address}'")
    try:
        found = socket.getaddrinfo(host or _LOOPBACK, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(
            f"--listen: {host}: {error.strerror if isinstance(error, OSError) else 'no address'}"
        ) from None
    family, _type, _protocol, _name, place = found[0]
    protection = protection or Protection()
    protection.check(str(place[0]))
    tls = protection.context()
    try:
        return Server(family, place, tls)
    except OSError as error:
        raise SockdiagError(f"--listen {address}: {error.strerror}") from None


def _install() -> str:
    """Return the command that installs prometheus_client where this program runs."""
    import os
    import sys

    if sys.prefix == sys.base_prefix and os.path.exists("/usr/bin/apt"):
        return "apt install python3-prometheus-client"
    if os.path.basename(os.path.dirname(sys.prefix)) == "venvs":
        return f"pipx inject {os.path.basename(sys.prefix)} prometheus-client"
    return f"{sys.executable} -m pip install prometheus-client"


def serve(server: Server, scraper: Scraper, log: Callable[[str], None], *, debug: bool = False) -> int:
    """Answer until SIGTERM or SIGINT.

    Args:
        server: the listening server.
        scraper: samples and judges.
        log: writes a line to the log.
        debug: let internal errors through, with their tracebacks.

    Returns:
        0 after SIGTERM.

    Raises:
        KeyboardInterrupt: SIGINT.
    """
    import gc
    import signal

    # A single run does without garbage collection; a server that runs for months needs it.
    gc.enable()
    server.set_app(_application(_Shared(scraper), log, debug=debug))
    host, port = server.server_address[:2]
    shown = f"[{host!s}]" if ":" in str(host) else str(host)
    # An exception from a signal handler may arise anywhere, and be mistaken there for a client's error.
    numbers = (signal.SIGTERM, signal.SIGINT)
    earlier = [signal.signal(number, lambda number, _frame: server.stop(number)) for number in numbers]
    log(f"serving http{'' if server.tls is None else 's'}://{shown}:{port}/metrics")
    try:
        server.serve_forever(_POLL_S)
    except Stopped:
        pass
    finally:
        for number, handler in zip(numbers, earlier, strict=True):
            signal.signal(number, handler)
        server.close()
    if server.stopped_by == signal.SIGINT:
        raise KeyboardInterrupt
    return 0


class _Shared:
    """Takes one sample at a time; clients that waited for it share its result, and its text in each format."""

    def __init__(self, scraper: Scraper) -> None:
        self._scraper = scraper
        self._lock = Lock()
        self._taken_at: float | None = None
        self._answers: dict[Any, _Answer] = {}
        self.families: list[MetricFamily] = []

    def answer(self, key: Any, encode: Callable[[], _Answer]) -> _Answer:
        """Return an answer from a sample that is at most a moment old.

        Args:
            key: all that the answer depends on besides the sample; None for an answer that no other client gets.
            encode: makes it of ``families``.
        """
        if not self._lock.acquire(timeout=_PATIENCE_S):
            raise SockdiagError(f"timed out waiting {_PATIENCE_S:g} s for a scrape in progress")
        try:
            if self._taken_at is None or time.monotonic() - self._taken_at >= _SHARED_S:
                self.families = self._scraper.scrape().families
                self._taken_at = time.monotonic()
                self._answers.clear()
            found = self._answers.get(key)
            if found is None:
                found = encode()
                if key is not None and len(self._answers) < _MOST_ANSWERS:
                    self._answers[key] = found
            return found
        finally:
            self._lock.release()


class _Collector:
    """A collector, as prometheus_client defines it."""

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared

    def describe(self) -> Iterator[Any]:
        """Yield all families without samples: the names that ``?name[]=`` can ask for."""
        from sockdiag.analysis.measures import all_measures
        from sockdiag.analysis.metric_families import family_of
        from sockdiag.judging import finding_metrics
        from sockdiag.metrics import own as metrics_own

        for family in (*finding_metrics.DECLARED, *map(family_of, all_measures()), *metrics_own.DECLARED):
            yield _metric(family)

    def collect(self) -> Iterator[Any]:
        """Yield the families of a scrape."""
        for family in self._shared.families:
            yield _metric(family)


def _metric(family: MetricFamily) -> Any:
    from prometheus_client.core import Metric

    metric = Metric(family.name, family.help, family.kind, family.unit)
    for labels, value in family.samples:
        named = {name: label_text(text) for name, text in zip(family.labels, labels, strict=True)}
        metric.add_sample(family.sample_name, named, value)
    return metric


def _application(shared: _Shared, log: Callable[[str], None], *, debug: bool) -> Callable[..., Iterable[bytes]]:
    from prometheus_client import CollectorRegistry, make_wsgi_app

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(shared))
    metrics = make_wsgi_app(registry)

    def collected(request: dict[str, Any]) -> _Answer:
        request["HTTP_ACCEPT"] = _understood(request.get("HTTP_ACCEPT", ""))
        encoding = request.get("HTTP_ACCEPT_ENCODING", "")
        # Other headers than those of Prometheus, and questions, are answered each time: they are too many to remember.
        plain = encoding in ("", "gzip") and not request.get("QUERY_STRING")

        def encode() -> _Answer:
            said: list[Any] = []
            body = list(metrics(request, lambda *given: said.extend(given)))
            return said[0], said[1], body

        return shared.answer((request["HTTP_ACCEPT"], encoding) if plain else None, encode)

    def application(request: dict[str, Any], start: Any) -> Iterable[bytes]:
        body = answered(request, start)
        return () if request["REQUEST_METHOD"] == "HEAD" else body

    def answered(request: dict[str, Any], start: Any) -> Iterable[bytes]:
        path = request["PATH_INFO"]
        if path == "/metrics":
            # Releases of prometheus_client before 0.22 collect for any method.
            if request["REQUEST_METHOD"] != "GET":
                return _respond(start, "405 Method Not Allowed", b"method not allowed: use GET\n", allow="GET")
            try:
                status, headers, found = collected(request)
            except SockdiagError as error:
                return _respond(start, "503 Service Unavailable", f"{error}\n".encode("utf-8", "backslashreplace"))
            except Exception as error:
                if debug:
                    raise
                log(f"internal error: {type(error).__name__}: {error}; SOCKDIAG_DEBUG=1 shows where")
                return _respond(start, "500 Internal Server Error", b"internal error; see the log\n")
            start(status, headers)
            return found
        if path == "/":
            return _respond(start, "200 OK", _PAGE, "text/html; charset=utf-8")
        return _respond(start, "404 Not Found", b"not found: see /metrics\n")

    return application


# Formats of prometheus_client, with the versions that can be asked for.
_FORMATS = {"application/openmetrics-text": (None, "0.0.1", "1.0.0"), "text/plain": (None, "0.0.4", "1.0.0")}


def _understood(accept: str) -> str:
    """Leave out of an Accept header what is not known: prometheus_client compares versions that are no numbers."""
    kept = []
    for part in accept.split(","):
        kind, *parameters = (text.strip() for text in part.split(";"))
        values = dict(one.partition("=")[::2] for one in parameters)
        if values.get("version") in _FORMATS.get(kind, ()):
            kept.append(part)
    return ",".join(kept)


def _respond(
    start: Any, status: str, body: bytes, kind: str = "text/plain; charset=utf-8", allow: str | None = None
) -> list[bytes]:
    headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
    start(status, headers if allow is None else [*headers, ("Allow", allow)])
    return [body]
