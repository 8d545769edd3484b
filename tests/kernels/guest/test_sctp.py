"""SCTP sockets, from sctp_diag."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest

from sockdiag.analysis.buffer_origin import SYSCTLS, buffer_origin
from sockdiag.model.query import INET, SKMEM, TCP_INFO
from sockdiag.sources.proc.sys_net import read_sysctls
from sockdiag.sources.system.proc_root import ProcRoot
from tests.kernels.guest.seen import need_diag, need_module, row, rows, same_as_ss

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("own_netns")

SOL_SCTP, SCTP_STATUS, SCTP_GET_ASSOC_STATS = 132, 14, 112
# struct sctp_status up to its primary path; then of that: state, cwnd, srtt, rto, mtu.
STATUS = struct.Struct("=4xiIHHHHI")
PRIMARY = struct.Struct("=iIIII")
COUNTS = (
    *("isacks", "osacks", "opackets", "ipackets", "rtxchunks", "outofseqtsns", "idupchunks", "gapcnt"),
    *("ouodchunks", "iuodchunks", "oodchunks", "iodchunks", "octrlchunks", "ictrlchunks"),
)


class Sctp:
    """A listener, and a connection on which a message waits to be read."""

    def __init__(self) -> None:
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(5)
        self.client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
        self.client.connect(self.listener.getsockname())
        self.server, _ = self.listener.accept()
        self.client.send(bytes(700))
        # One to many: the association has no descriptor of its own.
        self.many = socket.socket(socket.AF_INET6, socket.SOCK_SEQPACKET, socket.IPPROTO_SCTP)
        self.many.bind(("::1", 0))
        self.many.listen(3)
        self.port = self.many.getsockname()[1]
        self.sender = socket.socket(socket.AF_INET6, socket.SOCK_SEQPACKET, socket.IPPROTO_SCTP)
        self.sender.sendto(b"one", self.many.getsockname())


@pytest.fixture(scope="module")
def sctp() -> Iterator[Sctp]:
    need_module("sctp")
    need_diag("sctp", "sctp_diag")
    made = Sctp()
    yield made
    for sock in (made.listener, made.client, made.server, made.many, made.sender):
        sock.close()


def test_listener(sctp: Sctp) -> None:
    """An SCTP listener has its queue, its options, and nothing of an association that it does not have."""
    listener = row("sctp", sctp.listener, SKMEM, INET, TCP_INFO)
    assert (listener.state, listener.recv_q, listener.send_q, listener.recv_q_unit) == ("LISTEN", 0, 5, "connections")
    assert (listener.type, listener.local[:2]) == ("SOCK_STREAM", sctp.listener.getsockname())
    info = listener.sctp_info
    assert info is not None
    assert (info.tag, info.state, info.rwnd_bytes, info.instrms, info.p_address, info.p_cwnd_bytes) == (None,) * 6
    assert info.s_v4mapped == 1


@pytest.mark.parametrize("end", ["client", "server"])
def test_association(sctp: Sctp, end: str) -> None:
    """An SCTP association's sctp_info is what getsockopt(SCTP_STATUS) and SCTP_GET_ASSOC_STATS tell its owner."""
    sock: socket.socket = getattr(sctp, end)
    cookie, before = row("sctp", sock).cookie, None
    # Heartbeats are counted, and their answers change the path: read until nothing happened meanwhile.
    while (owners := told_to_owner(sock)) != before:
        before, every = owners, rows("sctp", INET, TCP_INFO)
    found = [one for one in every if one.cookie == cookie]
    endpoint, association = found
    assert (endpoint.state, association.state) == ("ESTABLISHED", "ESTABLISHED")
    assert association.local.port == sock.getsockname()[1]
    assert association.peer[:2] == sock.getpeername()
    assert association.unknown_attributes == ()
    info = association.sctp_info
    assert info is not None
    (state, *rest), primary, counts = owners
    # The window that the owner is told of is the peer's, and the largest message that is not fragmented is maxseg here.
    told = (info.peer_rwnd_bytes, info.unackdata, info.penddata, info.instrms, info.outstrms, info.maxseg)
    assert told == tuple(rest)
    assert info.fragmentation_point is None
    # What the one end has announced the other reckons with, less what is on its way.
    others = [one.sctp_info for one in every]
    (other,) = [one for one in others if one is not None and one.peer_tag == info.tag]
    assert (info.rwnd_bytes, info.peer_rwnd_bytes) == (other.peer_rwnd_bytes, other.rwnd_bytes)
    # The user's numbers begin with EMPTY, which no association is in.
    assert info.state == state - 1
    p_state, cwnd, srtt, rto, _mtu = primary
    assert (info.p_state, info.p_cwnd_bytes, info.p_srtt_ms, info.p_rto_ms) == (p_state, cwnd, srtt, rto)
    assert {name: getattr(info, name) for name in COUNTS} == dict(zip(COUNTS, counts, strict=True))


def told_to_owner(sock: socket.socket) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return what getsockopt tells of an association: its status, its primary path, and the counters of its statistics."""
    status = sock.getsockopt(SOL_SCTP, SCTP_STATUS, 176)
    stats = sock.getsockopt(SOL_SCTP, SCTP_GET_ASSOC_STATS, 256)
    # Between them the address of the path stands in a struct that the kernel does not fill to its end.
    primary = PRIMARY.unpack_from(status, len(status) - PRIMARY.size)
    return STATUS.unpack_from(status), primary, struct.unpack_from("=14Q", stats, 144)


def test_one_to_many(sctp: Sctp) -> None:
    """A one-to-many SCTP socket listens, and its association is a row of its own under the same inode.

    Up to 6.1 the listener comes once more before the association, as the endpoint of a connection comes before its own.
    """
    inode = row("sctp", sctp.many).inode
    found = [one for one in rows("sctp", INET, TCP_INFO) if one.inode == inode]
    listens = [one for one in found if one.state == "LISTEN"]
    (association,) = [one for one in found if one.state != "LISTEN"]
    assert {(one.state, one.type, one.send_q) for one in listens} == {("LISTEN", "SOCK_SEQPACKET", 3)}, found
    assert len(listens) <= 2
    assert (association.state, association.peer.port) == ("ESTABLISHED", sctp.sender.getsockname()[1])
    assert association.inet is not None
    assert association.inet.peers is not None
    assert "::1" in [end.address for end in association.inet.peers]


def test_buffers_at_creation(sctp: Sctp) -> None:
    """An SCTP socket begins with net.core.rmem_default and wmem_default, not with a number of sctp_rmem."""
    sysctls = read_sysctls(ProcRoot(), SYSCTLS)
    memory = row("sctp", sctp.listener, SKMEM).skmem
    assert memory is not None
    for value, sending in ((memory.rcvbuf, False), (memory.sndbuf, True)):
        origin = buffer_origin("sctp", value, sysctls, 0, sending=sending)
        assert origin is not None
        # Before 6.x other network namespaces than the first do not show the default.
        visible = sysctls.number("net.core.wmem_default" if sending else "net.core.rmem_default") is not None
        assert origin.origin == ("default" if visible else "unknown"), origin


@pytest.mark.parametrize("options", ["-Sna", "-SnaeimO", "-Snl", "-Snap state established", "-s"])
def test_ss(sctp: Sctp, options: str) -> None:
    """`sockdiag ss -S` prints the bytes of ss for SCTP listeners, associations and their details."""
    if sum(one.local.port == sctp.port and one.state == "LISTEN" for one in rows("sctp")) > 1:
        # Where both rows of this listener come in succession, which depends on the hash of its port, ss takes the second
        # for an association, and prints whatever lies behind its table of their states: (null) in 6.1, 0 in 7.1.
        sctp.many.close()
        sctp.sender.close()
    same_as_ss(*options.split())
