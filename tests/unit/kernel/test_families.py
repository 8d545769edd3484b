"""The records of families and protocols fit the kernel's numbers and the readers that they lead to."""

from __future__ import annotations

import importlib
import socket

import pytest

from sockdiag.kernel.families import (
    FAMILIES,
    FAMILY_NAMES,
    IP_PROTOCOLS,
    IP_TABLES,
    LOSING_TABLES,
    OTHER_TABLES,
    Family,
    IpProtocol,
)
from sockdiag.kernel.proto_ops import table_of
from sockdiag.model.fields import resolve
from sockdiag.model.query import Query


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_a_family_has_its_number(family: Family) -> None:
    """A number is that of the C library, where it has the name."""
    assert family.number == getattr(socket, family.name, family.number)


def test_families_are_in_order() -> None:
    """The order of families is that of results."""
    assert list(FAMILY_NAMES) == sorted(FAMILY_NAMES)


@pytest.mark.parametrize("netid", OTHER_TABLES)
def test_a_table_has_a_reader(netid: str) -> None:
    """The table's netid names the modules that know its messages, and they agree on the family."""
    reader = importlib.import_module(f"sockdiag.sources.netlink.{netid}_diag")
    importlib.import_module(f"sockdiag.kernel.{netid}_diag")
    assert callable(reader.read)
    (request,) = reader.requests(Query())
    assert request.payload[0] == OTHER_TABLES[netid].number
    assert request.name == f"{netid}_diag"


@pytest.mark.parametrize("netid", OTHER_TABLES)
def test_what_a_family_has_is_a_field(netid: str) -> None:
    """``has`` names fields of a socket."""
    for name in OTHER_TABLES[netid].has:
        assert resolve(name) is not None


@pytest.mark.parametrize("protocol", IP_PROTOCOLS, ids=lambda p: p.netid)
def test_a_protocol_is_found_by_what_socket_takes(protocol: IpProtocol) -> None:
    """Every type and number of a protocol leads to its table."""
    for kind in protocol.types:
        for number in protocol.numbers:
            assert table_of(socket.AF_INET, kind, number) == protocol.netid


def test_other_sockets() -> None:
    """A raw socket is of any protocol; what no table lists is ``other``."""
    assert table_of(socket.AF_INET, "SOCK_RAW", socket.IPPROTO_TCP) == "raw"
    assert table_of(socket.AF_INET6, "SOCK_STREAM", 99) == "other"
    assert table_of(38, "SOCK_SEQPACKET", 0) == "other"
    assert table_of(socket.AF_UNIX, "SOCK_STREAM", 0) == "unix"


def test_tables_are_named_once() -> None:
    """No netid stands for two things; those that lose data are tables."""
    assert not IP_TABLES.keys() & OTHER_TABLES.keys()
    assert set(LOSING_TABLES) == {"udp", "udplite", "raw", "icmp", "netlink", "packet"}
