"""MPTCP sockets and their subflows, from mptcp_diag and the ULP of tcp_diag."""

from __future__ import annotations

import ctypes
import socket
from typing import TYPE_CHECKING

import pytest

from sockdiag.model.query import INET, SKMEM, TCP_INFO
from tests.kernels.guest.seen import need_diag, row, rows, same_as_ss

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("own_netns")

IPPROTO_MPTCP, SOL_MPTCP, MPTCP_INFO = 262, 284, 1


class Info(ctypes.Structure):
    """``struct mptcp_info`` up to what Linux 6.1 fills, as a C compiler lays it out."""

    _fields_ = (
        *((name, ctypes.c_uint8) for name in ("subflows", "add_addr_signal", "add_addr_accepted", "subflows_max")),
        *((name, ctypes.c_uint8) for name in ("add_addr_signal_max", "add_addr_accepted_max")),
        *((name, ctypes.c_uint32) for name in ("flags", "token")),
        *((name, ctypes.c_uint64) for name in ("write_seq", "snd_una", "rcv_nxt")),
        *((name, ctypes.c_uint8) for name in ("local_addr_used", "local_addr_max", "csum_enabled")),
    )


@pytest.fixture(scope="module")
def ends() -> Iterator[tuple[socket.socket, socket.socket, socket.socket]]:
    try:
        listener, client = (socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP) for _ in range(2))
    except OSError as error:
        pytest.skip(f"this kernel: socket(IPPROTO_MPTCP): {error.strerror}")
    need_diag("mptcp", "mptcp_diag")
    listener.bind(("127.0.0.1", 0))
    listener.listen(5)
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    client.send(bytes(1000))
    yield listener, client, server
    for sock in (listener, client, server):
        sock.close()


def test_connection(ends: tuple[socket.socket, socket.socket, socket.socket]) -> None:
    """Both ends of an MPTCP connection have the members that getsockopt(MPTCP_INFO) gives their owner."""
    for sock in ends[1:]:
        said = row("mptcp", sock, SKMEM, INET, TCP_INFO)
        assert (said.state, said.local[:2], said.peer[:2]) == ("ESTABLISHED", sock.getsockname(), sock.getpeername())
        info = said.mptcp_info
        assert info is not None
        data = sock.getsockopt(SOL_MPTCP, MPTCP_INFO, 256)
        told = Info.from_buffer_copy(data.ljust(ctypes.sizeof(Info), b"\0"))
        compared = {field.sources[0].rpartition("mptcpi_")[2]: getattr(info, field.name) for field in info.FIELDS}
        for name, *_ in Info._fields_:
            assert compared[name] == getattr(told, name), name


def test_subflows(ends: tuple[socket.socket, socket.socket, socket.socket]) -> None:
    """Each end's TCP subflow has its ULP mptcp, with the tokens and sequence numbers of the connection."""
    for sock in ends[1:]:
        whole = row("mptcp", sock, INET, TCP_INFO)
        (subflow,) = [one for one in rows("tcp", INET, TCP_INFO) if one.inode == whole.inode]
        assert subflow.unknown_attributes == ()
        assert subflow.inet is not None
        assert subflow.inet.ulp is not None
        assert (subflow.inet.ulp.name, subflow.inet.ulp.tls) == ("mptcp", None)
        assert subflow.inet.ulp.mptcp is not None
        assert whole.mptcp_info is not None
        assert subflow.inet.ulp.mptcp.token_loc == whole.mptcp_info.token


@pytest.mark.parametrize("options", ["-Mna", "-MnaeimO", "-Mnl", "-tnaiO", "-MtnaeiO"])
def test_ss(ends: object, options: str) -> None:
    """`sockdiag ss -M` prints the bytes of ss for MPTCP sockets and for their subflows."""
    assert ends
    same_as_ss(*options.split())
