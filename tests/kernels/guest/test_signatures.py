"""TCP connections whose segments are signed: MD5 (RFC 2385) and TCP-AO (RFC 5925)."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from sockdiag.model.query import INET, SKMEM, TCP_INFO
from tests.kernels.guest.seen import row, same_as_ss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.usefixtures("own_netns")

TCP_MD5SIG, TCP_MD5SIG_EXT, TCP_AO_ADD_KEY = 14, 32, 38
PREFIX_FLAG = 1
# Bytes that ss has to escape are among them.
KEY = b"se cret\x01,\\"


def sockaddr(address: str) -> bytes:
    """Return a sockaddr_storage of IPv4, without a port."""
    return struct.pack("=HH4s120x", socket.AF_INET, 0, socket.inet_aton(address))


def md5(address: str, prefix: int) -> bytes:
    """Return a struct tcp_md5sig."""
    return sockaddr(address) + struct.pack("=BBHi80s", PREFIX_FLAG, prefix, len(KEY), 0, KEY)


def ao(address: str, prefix: int) -> bytes:
    """Return a struct tcp_ao_add."""
    numbers = struct.pack("=iIHBBBBBB", 0, 0, 0, prefix, 100, 100, 12, 0, len(KEY))
    return sockaddr(address) + b"hmac(sha1)".ljust(64, b"\0") + numbers + KEY.ljust(80, b"\0")


@contextlib.contextmanager
def signed(option: int, key: Callable[[str, int], bytes]) -> Iterator[tuple[socket.socket, ...]]:
    """Give a listener with a key for a network, and both ends of a connection with one for the other's address."""
    with socket.socket() as listener, socket.socket() as client:
        listener.bind(("127.0.0.1", 0))
        try:
            listener.setsockopt(socket.IPPROTO_TCP, option, key("127.0.0.0", 8))
        except OSError as error:
            pytest.skip(f"this kernel: {key.__name__}: {error.strerror}")
        client.setsockopt(socket.IPPROTO_TCP, option, key("127.0.0.1", 32))
        listener.listen()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            client.send(b"signed")
            yield listener, client, server


def test_md5() -> None:
    """The MD5 keys of listener and connection, with their networks, are those that setsockopt(TCP_MD5SIG_EXT) set."""
    with signed(TCP_MD5SIG_EXT, md5) as (listener, client, server):
        for sock, network in ((listener, ("127.0.0.0", 8)), (client, ("127.0.0.1", 32)), (server, ("127.0.0.0", 8))):
            inet = row("tcp", sock, INET, TCP_INFO).inet
            assert inet is not None
            assert inet.md5_keys is not None
            keys = [(key.address, key.prefixlen, key.key) for key in inet.md5_keys]
            if sock is server:
                # Of the listener's key the kernel gives a connection one for its peer alone.
                assert keys[0][2] == KEY
            else:
                assert keys == [(*network, KEY)]
        same_as_ss("-tnaiO")


def test_ao() -> None:
    """A connection signed by TCP-AO is listed with all that the kernel sends of it, and ss prints the same."""
    with signed(TCP_AO_ADD_KEY, ao) as (_listener, client, server):
        for sock in (client, server):
            assert row("tcp", sock, INET, SKMEM).state == "ESTABLISHED"
        same_as_ss("-tnaiO")
