"""kTLS: what tcp_diag tells of the upper layer protocol tls."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from sockdiag.model.query import INET, TCP_INFO
from tests.kernels.guest.seen import need_module, row, same_as_ss

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("own_netns")

TCP_ULP, SOL_TLS, TLS_TX, TLS_RX, TLS_TX_ZEROCOPY_RO, TLS_RX_EXPECT_NO_PAD = 31, 282, 1, 2, 3, 4
TLS_1_2, TLS_1_3 = 0x0303, 0x0304
# Number of a cipher, the bytes of its keys behind version and number, its name.
CIPHERS = {
    "AES_GCM_128": (51, 8 + 16 + 4 + 8),
    "AES_GCM_256": (52, 8 + 32 + 4 + 8),
    "CHACHA20_POLY1305": (54, 12 + 32 + 0 + 8),
}


def crypto(version: int, cipher: str) -> bytes:
    """Return a struct tls_crypto_info with keys that only this test uses."""
    number, length = CIPHERS[cipher]
    return struct.pack("=HH", version, number) + bytes(range(length))


@contextlib.contextmanager
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give two ends of TCP that are to encrypt."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        server, _ = listener.accept()
        with server:
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
            yield client, server


@pytest.mark.parametrize(("version", "word"), [(TLS_1_2, "1.2"), (TLS_1_3, "1.3")])
@pytest.mark.parametrize("cipher", CIPHERS)
def test_directions(version: int, word: str, cipher: str) -> None:
    """kTLS has version, cipher and what is done in software in which direction, as getsockopt(TLS_TX) tells the owner."""
    need_module("tls")
    with connection() as (client, server):
        try:
            client.setsockopt(SOL_TLS, TLS_TX, crypto(version, cipher))
            server.setsockopt(SOL_TLS, TLS_RX, crypto(version, cipher))
        except OSError as error:
            pytest.skip(f"this kernel: setsockopt(TLS_TX, {word}, {cipher}): {error.strerror}")
        client.send(b"a secret")
        assert server.recv(100) == b"a secret"
        for sock, tx, rx in ((client, "SW", "BASE"), (server, "BASE", "SW")):
            inet = row("tcp", sock, INET, TCP_INFO).inet
            assert inet is not None
            assert inet.ulp is not None
            assert inet.ulp.tls is not None
            assert inet.ulp.name == "tls"
            tls = inet.ulp.tls
            assert (tls.txconf, tls.rxconf) == (tx, rx)
            assert (tls.version, tls.cipher) == (word, cipher)
        told = client.getsockopt(SOL_TLS, TLS_TX, 4 + CIPHERS[cipher][1])
        assert struct.unpack_from("=HH", told) == (version, CIPHERS[cipher][0])
        same_as_ss("-tnieO", "state", "established")


def test_flags() -> None:
    """The kTLS flags of sending without a copy, and of receiving without padding, are those that were set."""
    need_module("tls")
    with connection() as (client, server):
        for sock in (client, server):
            sock.setsockopt(SOL_TLS, TLS_TX, crypto(TLS_1_3, "AES_GCM_128"))
            sock.setsockopt(SOL_TLS, TLS_RX, crypto(TLS_1_3, "AES_GCM_128"))
        try:
            server.setsockopt(SOL_TLS, TLS_RX_EXPECT_NO_PAD, struct.pack("=I", 1))
        except OSError as error:
            pytest.skip(f"this kernel: setsockopt(TLS_RX_EXPECT_NO_PAD): {error.strerror}")
        with contextlib.suppress(OSError):
            client.setsockopt(SOL_TLS, TLS_TX_ZEROCOPY_RO, struct.pack("=I", 1))
        for sock in (client, server):
            inet = row("tcp", sock, INET, TCP_INFO).inet
            assert inet is not None
            assert inet.ulp is not None
            assert inet.ulp.tls is not None
            tls = inet.ulp.tls
            (no_pad,) = struct.unpack("=I", sock.getsockopt(SOL_TLS, TLS_RX_EXPECT_NO_PAD, 4))
            (zerocopy,) = struct.unpack("=I", sock.getsockopt(SOL_TLS, TLS_TX_ZEROCOPY_RO, 4))
            assert tls.no_pad_rx == bool(no_pad) == (sock is server)
            # tcp_diag tells it of a card that encrypts alone.
            assert tls.zc_ro_tx == (bool(zerocopy) and tls.txconf == "HW")
        same_as_ss("-tnieO", "state", "established")


def test_no_keys_yet() -> None:
    """A connection whose kTLS has no keys yet has the upper layer, no cipher, and neither direction."""
    need_module("tls")
    with connection() as (client, _server):
        inet = row("tcp", client, INET, TCP_INFO).inet
        assert inet is not None
        assert inet.ulp is not None
        assert inet.ulp.name == "tls"
        same_as_ss("-tnieO", "state", "established")
