"""The HTTP server on real sockets, with looks that the test controls."""

from __future__ import annotations

import contextlib
import gzip
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from sockdiag.cli.env import Env
from sockdiag.errors import SockdiagError
from sockdiag.metrics import http_server, serve
from sockdiag.model.metric_family import MetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator


class Looks:
    """Stands for a scraper: counts looks, and lets the test decide how long one takes."""

    def __init__(self) -> None:
        self.taken = 0
        self.at_once = 0
        self.most_at_once = 0
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None

    def scrape(self) -> Any:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            assert self.gate.wait(20)
            self.taken += 1
            if self.error is not None:
                raise self.error
            families = [
                MetricFamily("sockdiag_looks", "Looks.", (), "counter", "", (((), self.taken),)),
                MetricFamily("sockdiag_x", "Names.", ("local",), samples=((('a"b\\\x1b\n',), 1),)),
            ]
            return type("Scraped", (), {"families": families})
        finally:
            self.at_once -= 1


class Running:
    """A server in a thread."""

    def __init__(self) -> None:
        self.looks = Looks()
        self.said, writer = os.pipe()
        env = Env(err=writer, environ={})
        self.server = serve.listen("127.0.0.1:0")
        self.place: tuple[str, int] = self.server.server_address[:2]  # type: ignore[assignment]
        self.server.set_app(serve._application(serve._Shared(self.looks), env.warn, debug=False))  # type: ignore[arg-type]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        self._writer = writer

    def close(self) -> None:
        self.looks.gate.set()
        self.server.shutdown()
        self.thread.join()
        self.server.close()
        os.close(self._writer)
        os.close(self.said)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.place, 20)

    def ask(self, request: bytes = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") -> tuple[int, dict[str, str], bytes]:
        """Send a request and return status, headers and body of the answer; status 0 where there is none."""
        with self.connect() as client:
            client.sendall(request)
            return answer(client)


def answer(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(65536):
            data += piece
    if not data.startswith(b"HTTP/"):
        return 0, {}, data  # as HTTP 0.9 answers
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, body


@pytest.fixture
def running() -> Iterator[Running]:
    """A server whose looks the test controls."""
    found = Running()
    yield found
    found.close()


def no_threads_left(server: http_server.Server) -> bool:
    end = time.monotonic() + 60
    while server._guests and time.monotonic() < end:
        time.sleep(0.01)
    return not server._guests


def test_formats_are_negotiated(running: Running) -> None:
    """Prometheus asks for OpenMetrics and gets it, who asks for nothing gets text; names are escaped in both."""
    status, headers, body = running.ask()
    assert (status, headers["content-type"].split(";")[0]) == (200, "text/plain")
    found = {m.name: m for m in read_text(body.decode())}
    assert found["sockdiag_looks"].type == "counter"
    assert found["sockdiag_x"].samples[0].labels == {"local": 'a"b\\\\\\x1b\\x0a'}
    request = (
        b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text; version=1.0.0\r\nAccept-Encoding: gzip\r\n\r\n"
    )
    status, headers, body = running.ask(request)
    assert (status, headers["content-type"].split(";")[0]) == (200, "application/openmetrics-text")
    text = gzip.decompress(body).decode()
    assert {m.name for m in read_openmetrics(text)} == {"sockdiag_looks", "sockdiag_x"}
    assert text.endswith("# EOF\n")
    assert "python" not in str(headers).lower()


def test_pages(running: Running) -> None:
    """A page that links to the metrics; nothing else is there, and nothing else is done."""
    status, headers, body = running.ask(b"GET / HTTP/1.0\r\n\r\n")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    length = str(len(body))
    assert b"href=/metrics" in body
    assert running.ask(b"GET /etc/passwd HTTP/1.0\r\n\r\n")[0] == 404
    assert running.ask(b"GET /metrics/../x HTTP/1.0\r\n\r\n")[0] == 404
    assert running.ask(b"POST /metrics HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello")[0] == 405
    status, headers, _body = running.ask(b"DELETE /metrics HTTP/1.0\r\n\r\n")
    assert (status, headers["allow"]) == (405, "GET")
    status, headers, body = running.ask(b"HEAD / HTTP/1.0\r\n\r\n")
    assert (status, headers["content-length"], body) == (200, length, b"")
    assert running.looks.taken == 0


def test_a_client_may_ask_for_some_families(running: Running) -> None:
    """By ``name[]``, as of any exporter that prometheus_client serves."""
    families = [
        MetricFamily("sockdiag_gaps", "Gaps.", samples=(((), 3),)),
        MetricFamily("sockdiag_x", "X.", samples=(((), 1),)),
    ]
    running.looks.scrape = lambda: type("Scraped", (), {"families": families})  # type: ignore[method-assign]
    _status, _headers, body = running.ask(b"GET /metrics?name[]=sockdiag_gaps HTTP/1.0\r\n\r\n")
    assert [s.name for m in read_text(body.decode()) for s in m.samples] == ["sockdiag_gaps"]


def test_scrapes_that_overlap_share_a_look(running: Running) -> None:
    """One look at a time, and all get it."""
    running.looks.gate.clear()
    bodies: list[bytes] = []
    threads = [threading.Thread(target=lambda: bodies.append(running.ask()[2])) for _ in range(10)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    running.looks.gate.set()
    for thread in threads:
        thread.join()
    assert (running.looks.taken, running.looks.most_at_once) == (1, 1)
    assert len(set(bodies)) == 1
    assert b"sockdiag_looks_total 1.0" in bodies[0]


def test_a_later_scrape_looks_again(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look is shared for a moment only."""
    monkeypatch.setattr(serve, "_SHARED_S", 0.05)
    assert b"sockdiag_looks_total 1.0" in running.ask()[2]
    time.sleep(0.06)
    assert b"sockdiag_looks_total 2.0" in running.ask()[2]


def test_a_look_that_fails_is_told_and_the_next_one_works(running: Running) -> None:
    """Without a traceback, on either side."""
    running.looks.error = SockdiagError("nothing could be read")
    status, _headers, body = running.ask()
    assert (status, body) == (503, b"nothing could be read\n")
    running.looks.error = RuntimeError("oops")
    status, _headers, body = running.ask()
    assert (status, body) == (500, b"internal error; see the log\n")
    assert (
        os.read(running.said, 1000) == b"sockdiag: internal error: RuntimeError: oops; SOCKDIAG_DEBUG=1 shows where\n"
    )
    running.looks.error = None
    assert running.ask()[0] == 200


def test_a_look_that_hangs_does_not_hold_everybody(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for it is told."""
    monkeypatch.setattr(serve, "_PATIENCE_S", 0.2)
    running.looks.gate.clear()
    first = threading.Thread(target=running.ask)
    first.start()
    time.sleep(0.2)
    status, _headers, body = running.ask()
    assert (status, body) == (503, b"timed out waiting 0.2 s for a scrape in progress\n")
    running.looks.gate.set()
    first.join()


def test_a_slow_client_is_cut_off(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that sends a byte now and then; others are answered meanwhile."""
    monkeypatch.setattr(http_server, "REQUEST_S", 0.5)
    with running.connect() as silent, running.connect() as slow:
        begun = time.monotonic()
        assert running.ask()[0] == 200
        with contextlib.suppress(OSError):
            for _ in range(200):
                slow.sendall(b"G")
                time.sleep(0.05)
        assert silent.recv(1) == b""
        assert 0.4 < time.monotonic() - begun < 11
    assert no_threads_left(running.server)
    assert running.looks.taken == 1


def test_a_client_that_does_not_read_is_cut_off(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer does not wait in memory for ever."""
    monkeypatch.setattr(http_server, "ANSWER_S", 0.3)
    many = tuple(((f"{n}" * 100,), n) for n in range(100_000))
    monkeypatch.setattr(
        running.looks,
        "scrape",
        lambda: type("Scraped", (), {"families": [MetricFamily("sockdiag_x", "X.", ("a",), samples=many)]}),
    )
    with running.connect() as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert no_threads_left(running.server)


def test_requests_that_are_too_large(running: Running) -> None:
    """They are refused at a limit: the line, a header, or many headers."""
    line = b"GET /" + b"a" * 100_000 + b" HTTP/1.0\r\n\r\n"
    header = b"GET /metrics HTTP/1.0\r\nX: " + b"a" * 60_000 + b"\r\n\r\n"
    many = b"GET /metrics HTTP/1.0\r\n" + b"".join(b"X%d: %s\r\n" % (n, b"a" * 500) for n in range(99)) + b"\r\n"
    for request in (line, header, many):
        assert running.ask(request)[0] in (0, 431)
    assert running.looks.taken == 0
    assert no_threads_left(running.server)


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"\0" * 100,
        b"GET /metrics\r\n\r\n",
        b"G\xffT /m\xfftrics HTTP/1.0\r\n\r\n",
        b"GET http://[ HTTP/1.0\r\n\r\n",
        b"GET /metrics HTTP/1.0\r\nContent-Length: x\r\n\r\n",
        b"GET /metrics?name[]=%ff&name[]=x HTTP/1.0\r\n\r\n",
    ],
)
def test_garbage_is_no_matter(running: Running, request_: bytes) -> None:
    """Nothing is written to the log, and the next scrape works."""
    with running.connect() as client:
        client.sendall(request_)
        client.shutdown(socket.SHUT_WR)
        answer(client)
    assert running.ask()[0] == 200
    os.set_blocking(running.said, False)
    with pytest.raises(BlockingIOError):
        os.read(running.said, 1000)


def test_there_are_so_many_connections_and_no_more(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """While all wait for a sample, the next ones are refused; when they have been answered there is room again."""
    monkeypatch.setattr(http_server, "PATIENCE_S", 0.05)
    running.looks.gate.clear()
    held = [running.connect() for _ in range(http_server.CONNECTIONS)]
    for client in held:
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    end = time.monotonic() + 20
    while time.monotonic() < end:
        stages = [guest.stage for guest in list(running.server._guests.values())]
        if stages == ["waiting"] * http_server.CONNECTIONS:
            break
        time.sleep(0.01)
    threads = threading.active_count()
    assert {running.ask(b"")[0] for _ in range(5)} == {503}
    assert threading.active_count() == threads
    running.looks.gate.set()
    assert {answer(client)[0] for client in held} == {200}
    for client in held:
        client.close()
    assert no_threads_left(running.server)
    assert running.ask()[0] == 200


class Slow(threading.Thread):
    """A client that sends its request in pieces, or does not read the answer, and comes back whenever it is thrown out."""

    def __init__(self, place: tuple[str, int], begin: bytes) -> None:
        super().__init__(daemon=True)
        self.place = place
        self.begin = begin
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            with contextlib.suppress(OSError), socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                client.settimeout(5)
                client.connect(self.place)
                client.sendall(self.begin)
                if self.begin.endswith(b"\r\n\r\n"):
                    self.over.wait(5)
                    continue
                while not self.over.wait(0.2):
                    client.sendall(b"x")


@pytest.mark.parametrize("begin", [b"GET /metr", b"GET /metrics HTTP/1.0\r\n\r\n"], ids=["do not ask", "do not read"])
def test_slow_clients_starve_nobody(running: Running, begin: bytes) -> None:
    """Twice as many as there are places, all reconnecting at once, from the address that scrapes come from."""
    many = tuple(((f"{n}" * 3000,), n) for n in range(1000))
    families = [MetricFamily("sockdiag_x", "X.", ("a",), samples=many)]
    running.looks.scrape = lambda: type("Scraped", (), {"families": families})  # type: ignore[method-assign]
    clients = [Slow(running.place, begin) for _ in range(2 * http_server.CONNECTIONS)]
    for client in clients:
        client.start()
    end = time.monotonic() + 20
    while len(running.server._guests) < http_server.CONNECTIONS and time.monotonic() < end:
        time.sleep(0.01)
    try:
        assert [running.ask()[0] for _ in range(5)] == [200] * 5
    finally:
        for client in clients:
            client.over.set()
        for client in clients:
            client.join()


def test_the_client_with_most_connections_gives_way(running: Running) -> None:
    """A newcomer from elsewhere need not wait until they are late."""
    held = []
    for _ in range(http_server.CONNECTIONS):
        client = socket.socket()
        client.bind(("127.0.0.2", 0))
        client.connect(running.place)
        held.append(client)
    end = time.monotonic() + 20
    while len(running.server._guests) < http_server.CONNECTIONS and time.monotonic() < end:
        time.sleep(0.01)
    newcomer = http_server._Guest(None, "192.0.2.1")
    with running.server._changed:
        for guest in running.server._guests.values():
            guest.enter("reading")
        running.server._make_room(newcomer)
        assert [guest.stage for guest in running.server._guests.values()].count("leaving") == 1
    for client in held:
        client.close()


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=zz",
        "application/openmetrics-text;version=1.x",
        "application/openmetrics-text;version=",
        "application/openmetrics-text;version=1.0.0.0.0",
        "application/openmetrics-text;version=99999999999999999999.0.0",
        "text/plain;version=zz",
        "text/plain;;;=;==;version",
        ",;,;",
        "\xff/\xff",
        "*/*;q=zz",
    ],
)
def test_odd_accept_headers(running: Running, accept: str) -> None:
    """Each gets an answer in a format that exists, and the log stays empty."""
    status, headers, body = running.ask(f"GET /metrics HTTP/1.0\r\nAccept: {accept}\r\n\r\n".encode("latin-1"))
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b"sockdiag_looks_total 1.0" in body
    os.set_blocking(running.said, False)
    with pytest.raises(BlockingIOError):
        os.read(running.said, 1000)


@pytest.mark.parametrize(
    ("address", "family"), [("0", "127.0.0.1"), (":0", "127.0.0.1"), ("[::1]:0", "::1"), ("localhost:0", "127.0.0.1")]
)
def test_where_it_listens(address: str, family: str) -> None:
    """Without an address on loopback alone."""
    server = serve.listen(address)
    try:
        assert server.server_address[0] in (family, "::1" if address.startswith("localhost") else family)
        assert server.server_port > 0
    finally:
        server.server_close()
