"""RTM_NEWNEIGH, RTM_NEWNEIGHTBL and RTM_NEWLINK: what the messages say, and what becomes of damaged ones."""

from __future__ import annotations

import socket
import struct

import pytest

from sockdiag.errors import ParseError, SourceInterrupted, SourceTruncated
from sockdiag.model.route import LinkState, Neighbour, NeighbourTable
from sockdiag.sources.netlink.rtnetlink_neighbours import read_link_states, read_neighbour_tables, read_unanswering
from tests.unit.sources.netlink_messages import Answers, nlattr, nlmsg

NAMES = {1: "lo", 2: "eth0"}
INCOMPLETE, REACHABLE, FAILED = 1, 2, 32


def neighbour(
    state: int, address: str = "10.0.0.2", index: int = 2, probes: int | None = 4, used: int | None = 7
) -> bytes:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    body = struct.pack("=BxxxiHBB", family, index, state, 0, 1) + nlattr(1, socket.inet_pton(family, address))
    body += b"" if probes is None else nlattr(4, struct.pack("=I", probes))
    body += b"" if used is None else nlattr(3, struct.pack("=IIII", 1, used, 3, 0))
    return nlmsg(body, 28)


def unanswering(*datagrams: bytes, error: Exception | None = None) -> list[Neighbour]:
    return read_unanswering(NAMES.get, Answers(*datagrams, error=error))


def test_only_those_that_do_not_answer() -> None:
    """Both families, with probes and the time of the last use, in USER_HZ."""
    found = unanswering(
        neighbour(INCOMPLETE) + neighbour(REACHABLE, "10.0.0.3"), neighbour(FAILED, "fe80::1", 9, None, None)
    )
    assert found == [
        Neighbour("10.0.0.2", INCOMPLETE, None, 4, "eth0", 70),
        Neighbour("fe80::1", FAILED, None, None, "if9", None),
    ]


def test_other_families_are_passed_over() -> None:
    """A bridge's forwarding entries are no neighbours."""
    assert unanswering(nlmsg(struct.pack("=BxxxiHBB", 7, 2, FAILED, 0, 1) + nlattr(1, bytes(6)), 28)) == []


@pytest.mark.parametrize(
    ("datagram", "expected"),
    [
        (nlmsg(struct.pack("=BxxxiHBB", 2, 2, FAILED, 0, 1) + nlattr(1, bytes(4)), 16), SourceTruncated),
        (nlmsg(struct.pack("=Bxxxi", 2, 2), 28), SourceTruncated),
        (nlmsg(struct.pack("=BxxxiHBB", 2, 2, FAILED, 0, 1) + nlattr(1, bytes(3)), 28), SourceTruncated),
        (
            nlmsg(struct.pack("=BxxxiHBB", 2, 2, FAILED, 0, 1) + nlattr(1, bytes(4)) + nlattr(3, bytes(8)), 28),
            ParseError,
        ),
    ],
)
def test_damaged(datagram: bytes, expected: type[Exception]) -> None:
    """An answer that is not understood is an error, not an empty list."""
    with pytest.raises(expected):
        unanswering(datagram)


def test_interrupted() -> None:
    """A dump that changed while it was read is not taken for complete."""
    with pytest.raises(SourceInterrupted):
        unanswering(neighbour(FAILED), error=SourceInterrupted("rtnetlink:RTM_GETNEIGH", "changed"))


def table(name: bytes = b"arp_cache\0", entries: int = 31, limit: int = 1024, fulls: int = 6) -> bytes:
    config = struct.pack("=HHI", 4, 400, entries) + bytes(24)
    stats = struct.pack("=11Q", *range(10), fulls)
    body = struct.pack("=Bxxx", 2) + nlattr(1, name) + nlattr(4, struct.pack("=I", limit))
    return nlmsg(body + nlattr(5, config) + nlattr(7, stats), 64)


def test_tables() -> None:
    """Entries, their limit, and what was refused; the parameters of devices are no table."""
    parameters = nlmsg(struct.pack("=Bxxx", 2) + nlattr(1, b"arp_cache\0"), 64)
    assert read_neighbour_tables(Answers(table() + parameters + table(b"ndisc_cache\0", 3, 9, 0))) == [
        NeighbourTable("arp_cache", 31, 1024, 6),
        NeighbourTable("ndisc_cache", 3, 9, 0),
    ]


def test_a_table_without_the_last_counter() -> None:
    """Kernels before 4.19 send ten."""
    body = struct.pack("=Bxxx", 2) + nlattr(1, b"arp_cache\0") + nlattr(4, struct.pack("=I", 1))
    short = nlmsg(body + nlattr(5, bytes(32)) + nlattr(7, bytes(80)), 64)
    with pytest.raises(ParseError):
        read_neighbour_tables(Answers(short))


def test_links() -> None:
    """Up and carrier are two things; a name may be any bytes."""

    def link(index: int, flags: int, name: bytes) -> bytes:
        return nlmsg(struct.pack("=BxHiII", 0, 1, index, flags, 0) + nlattr(3, name), 16)

    found = read_link_states(Answers(link(1, 0x10041, b"lo\0") + link(2, 0x1, b"eth0\0"), link(3, 0, b"\xff\0")))
    assert found == [LinkState("lo", True, True), LinkState("eth0", True, False), LinkState("\udcff", False, False)]
