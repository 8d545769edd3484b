"""RTM_NEWQDISC: what a message says of a queueing discipline, and what becomes of one that is damaged or refused."""

from __future__ import annotations

import errno
import struct

import pytest

from sockdiag.errors import ParseError, SourceInterrupted, SourceTruncated, SourceUnavailable
from sockdiag.kernel.netlink import NETLINK_ROUTE
from sockdiag.model.qdisc import Qdisc
from sockdiag.sources.netlink.rtnetlink_qdisc import SOURCE, read_qdiscs
from sockdiag.sources.system.transport import Request, raise_errno
from tests.unit.sources.netlink_messages import Answers, nlattr, nlmsg

ROOT = 0xFFFFFFFF
NAMES = {1: "lo", 2: "eth0"}


def tcmsg(index: int = 2, handle: int = 0x10000, parent: int = ROOT) -> bytes:
    return struct.pack("=BxxxiIII", 0, index, handle, parent, 2)


def stats(packets: int = 7, drops: int = 3, backlog: int = 1514) -> bytes:
    basic = nlattr(1, struct.pack("=QI", 9000, packets))
    return nlattr(7, basic + nlattr(3, struct.pack("=IIIII", 1, backlog, drops, 0, 0)))


def read(*datagrams: bytes, error: Exception | None = None) -> list[Qdisc]:
    return read_qdiscs(NAMES.get, Answers(*datagrams, error=error))


def test_disciplines_of_all_datagrams() -> None:
    """Names, handles and counters, in the kernel's order."""
    first = nlmsg(tcmsg() + nlattr(1, b"tbf\0") + stats(), 36)
    second = nlmsg(tcmsg(1, 0, 0xFFFFFFF1) + nlattr(1, b"ingress\0") + stats(0, 0, 0), 36)
    assert read(first + second, first) == [
        Qdisc("eth0", "tbf", 7, 3, 1514, 0x10000, ROOT),
        Qdisc("lo", "ingress", 0, 0, 0, 0, 0xFFFFFFF1),
        Qdisc("eth0", "tbf", 7, 3, 1514, 0x10000, ROOT),
    ]


def test_what_is_not_said_is_unknown() -> None:
    """Without statistics nothing is zero; a device that is gone has its number for a name."""
    assert read(nlmsg(tcmsg(9), 36)) == [Qdisc("if9", "", None, None, None, 0x10000, ROOT)]


def test_bytes_that_are_no_text() -> None:
    """A kind is kept whatever bytes it has."""
    assert read(nlmsg(tcmsg() + nlattr(1, b"\xff\0"), 36))[0].kind == "\udcff"


@pytest.mark.parametrize(
    ("datagram", "expected"),
    [
        (nlmsg(tcmsg(), 16), SourceTruncated),
        (nlmsg(tcmsg()[:12], 36), SourceTruncated),
        (nlmsg(tcmsg() + nlattr(7, nlattr(1, bytes(4))), 36), ParseError),
        (nlmsg(tcmsg() + struct.pack("=HH", 40, 1), 36), ParseError),
    ],
)
def test_damaged_messages(datagram: bytes, expected: type[Exception]) -> None:
    """A message that is another, short, or lies about its attributes."""
    with pytest.raises(expected):
        read(datagram)


def test_an_interrupted_dump_is_no_answer() -> None:
    """After three attempts it is an error."""
    with pytest.raises(SourceInterrupted):
        read(nlmsg(tcmsg(), 36), error=SourceInterrupted(SOURCE, "changed"))


def test_the_request() -> None:
    """A dump of NETLINK_ROUTE, under the name that rules and counters have for it."""
    answers = Answers()
    assert read_qdiscs(NAMES.get, answers) == []
    (request,) = answers.requests
    assert (request.protocol, request.type, request.payload) == (NETLINK_ROUTE, 38, bytes(20))
    assert request.source == SOURCE == "rtnetlink:RTM_GETQDISC"


def test_a_kernel_without_traffic_control() -> None:
    """The reason is the kernel's; no module of sock_diag is named for it."""
    request = Request("RTM_GETQDISC", b"", 38, protocol=NETLINK_ROUTE)
    with pytest.raises(SourceUnavailable) as caught:
        raise_errno(request, struct.pack("=IHHIIi", 36, 2, 0, 0, 0, -errno.EOPNOTSUPP), 0)
    assert (caught.value.source, caught.value.reason, caught.value.hint) == (SOURCE, "Operation not supported", "")
