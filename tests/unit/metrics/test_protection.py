"""Others than this host are served only with TLS and certificates, or if the caller insists."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import UsageError
from sockdiag.metrics import http_server, serve
from sockdiag.metrics.protection import Protection
from tests.needs import need
from tests.program import invoke
from tests.unit.metrics.test_serve import answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two certificates that sign themselves, for the server and a client, and a third that nobody trusts."""
    need("openssl")
    folder = tmp_path_factory.mktemp("keys")
    for name in ("server", "client", "stranger"):
        words = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ]
        words += ["-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}"]
        words += ["-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run(words, cwd=folder, check=True, capture_output=True)
    words = ["openssl", "ec", "-in", "server.key", "-aes128", "-passout", "pass:x", "-out", "locked.key"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return folder


def protection(keys: Path, *, insecure: bool = False) -> Protection:
    return Protection(f"{keys}/server.pem", f"{keys}/server.key", f"{keys}/client.pem", insecure=insecure)


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1", "[2001:db8::1]", "10.0.0.1", "[::ffff:192.0.2.1]"])
def test_others_are_not_served_openly(host: str, keys: Path) -> None:
    """Neither without TLS nor without certificates of clients; with both, or told so, the address is tried."""
    tls = Protection(f"{keys}/server.pem", f"{keys}/server.key")
    for lacking in (None, tls):
        with pytest.raises(UsageError, match=r"others reach .* --tls-client-ca; or --insecure"):
            serve.listen(f"{host}:0", lacking)
    for enough in (Protection(insecure=True), protection(keys)):
        enough.check(host.strip("[]"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_host_is_served(host: str) -> None:
    """Loopback needs nothing."""
    Protection().check(host)


def test_options() -> None:
    """They need each other, and --listen."""
    for words, message in (
        (("--listen", ":0", "--tls-cert", "x"), "--tls-cert and --tls-key need each other"),
        (("--listen", ":0", "--tls-client-ca", "x"), "--tls-client-ca needs --tls-cert and --tls-key"),
        (("--insecure",), "--insecure needs --listen"),
        (
            ("--listen", ":0", "--tls-cert", "/no", "--tls-key", "/no"),
            "--tls-cert, --tls-key: No such file or directory",
        ),
        (("--listen", "0.0.0.0:0"), "--listen: others reach 0.0.0.0, so give --tls-cert"),
    ):
        done = invoke("metrics", *words)
        assert (done.status, done.err.startswith(f"sockdiag: {message}")) == (2, True), done.err


def test_a_key_with_a_passphrase(keys: Path) -> None:
    """It is refused; nobody is asked for it."""
    with pytest.raises(UsageError, match="--tls-cert, --tls-key: "):
        Protection(f"{keys}/server.pem", f"{keys}/locked.key").context()


@pytest.fixture
def server(keys: Path) -> Iterator[http_server.Server]:
    """A server that answers clients with the right certificate."""
    found = serve.listen("127.0.0.1:0", protection(keys))

    def application(_request: object, start: object) -> list[bytes]:
        start("200 OK", [("Content-Length", "2")])  # type: ignore[operator]
        return [b"ok"]

    found.set_app(application)  # type: ignore[arg-type]
    thread = threading.Thread(target=found.serve_forever, args=(0.05,))
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.close()


def ask(server: http_server.Server, keys: Path, name: str | None) -> tuple[int, bytes]:
    context = ssl.create_default_context(cafile=f"{keys}/server.pem")
    if name is not None:
        context.load_cert_chain(f"{keys}/{name}.pem", f"{keys}/{name}.key")
    try:
        with (
            socket.create_connection(server.server_address[:2], 20) as plain,  # type: ignore[arg-type]
            context.wrap_socket(plain, server_hostname="127.0.0.1") as client,
        ):
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            status, _headers, body = answer(client)
            return status, body
    except OSError:  # an alert, or a reset before it has come
        return 0, b""


def test_certificates_of_clients(server: http_server.Server, keys: Path) -> None:
    """Who has one that the authority signed is answered; nobody else, and nobody without TLS."""
    assert ask(server, keys, "client") == (200, b"ok")
    for name in (None, "stranger"):
        assert ask(server, keys, name) == (0, b"")
    with socket.create_connection(server.server_address[:2], 20) as client:  # type: ignore[arg-type]
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert answer(client)[0] == 0
    assert ask(server, keys, "client") == (200, b"ok")


def test_handshakes_that_hang(server: http_server.Server, keys: Path) -> None:
    """They hold up nobody: neither the accepting of others nor, for long, their places."""
    held = [socket.create_connection(server.server_address[:2], 20) for _ in range(http_server.CONNECTIONS)]  # type: ignore[arg-type]
    end = time.monotonic() + 20
    while len(server._guests) < http_server.CONNECTIONS and time.monotonic() < end:
        time.sleep(0.01)
    assert ask(server, keys, "client") == (200, b"ok")
    for client in held:
        client.close()
