"""DCCP sockets, from dccp_diag; gone from kernels since 6.16."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from sockdiag.model.query import SKMEM
from tests.kernels.guest.seen import need_diag, need_module, row, same_as_ss
from tests.live.world.sockopts import SO_COOKIE

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("own_netns")

SOCK_DCCP, IPPROTO_DCCP, SOL_DCCP, DCCP_SOCKOPT_SERVICE = 6, 33, 269, 2


@pytest.fixture(scope="module")
def ends() -> Iterator[tuple[socket.socket, socket.socket, socket.socket]]:
    for name in ("dccp", "dccp_ipv4"):
        need_module(name)
    need_diag("dccp", "dccp_diag")
    listener, client = (socket.socket(socket.AF_INET, SOCK_DCCP, IPPROTO_DCCP) for _ in range(2))
    for sock in (listener, client):
        sock.setsockopt(SOL_DCCP, DCCP_SOCKOPT_SERVICE, struct.pack("!I", 42))
    listener.bind(("127.0.0.1", 0))
    listener.listen(5)
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    client.send(b"hello")
    # Until something comes back the client is in PARTOPEN, which has the number of another state in other kernels: no
    # program asks for it.
    server.send(b"hello")
    assert client.recv(100) == b"hello"
    yield listener, client, server
    for sock in (listener, client, server):
        sock.close()


def test_rows(ends: tuple[socket.socket, socket.socket, socket.socket]) -> None:
    """DCCP listener and connection have state, ends, cookie and SO_MEMINFO as their owner is told."""
    for sock, state in zip(ends, ("LISTEN", "ESTABLISHED", "ESTABLISHED"), strict=True):
        said = row("dccp", sock, SKMEM)
        assert (said.state, said.type, said.local[:2]) == (state, "SOCK_DCCP", sock.getsockname())
        if state != "LISTEN":
            assert said.peer[:2] == sock.getpeername()
        assert said.cookie == int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), "little")
        assert said.skmem is not None
        words = struct.unpack("=9I", sock.getsockopt(socket.SOL_SOCKET, 55, 36))
        assert (said.skmem.rmem_alloc, said.skmem.rcvbuf, said.skmem.drops) == (words[0], words[1], words[8])
        assert said.inode == os.fstat(sock.fileno()).st_ino


@pytest.mark.parametrize("options", ["-dna", "-dnaieO", "-dnl"])
def test_ss(ends: object, options: str) -> None:
    """`sockdiag ss -d` prints the bytes of ss for DCCP sockets."""
    assert ends
    same_as_ss(*options.split())
