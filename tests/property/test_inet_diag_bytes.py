"""Whatever the bytes, the inet_diag decoder gives a socket or a ParseError, and loses nothing."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from sockdiag.errors import ParseError, SourceTruncated
from sockdiag.kernel import inet_diag as k
from sockdiag.sources.netlink import inet_diag
from sockdiag.sources.netlink.inet_attributes import DECODERS
from sockdiag.sources.system.transport import Request, messages
from tests.unit.sources.inet_messages import inet_message

if TYPE_CHECKING:
    from sockdiag.model.socket import Socket

NEWEST = max(DECODERS)
TABLES = st.sampled_from(sorted(inet_diag.TABLES))
NUMBERS = st.one_of(st.integers(0, 30), st.integers(0, 0xFFFF))
# Sizes of the attributes and structs that are known, and those about them.
SIZES = [0, 1, 2, 4, 8, 16, 20, 28, 36, 80, 96, 100, 128, 200, 256, 280, 364, 368]
PAYLOADS = st.one_of(
    st.binary(max_size=300), st.sampled_from(SIZES).flatmap(lambda n: st.binary(min_size=n, max_size=n + 5))
)


def decode(message: bytes, table: str) -> Socket | None:
    try:
        return inet_diag.decode(message, table, lambda _index: None)
    except ParseError:
        return None


@given(st.binary(max_size=400), TABLES)
def test_any_bytes(data: bytes, table: str) -> None:
    """Nothing but ParseError is raised."""
    decode(data, table)


@given(st.binary(min_size=72, max_size=500), TABLES, st.sampled_from([2, 10]))
def test_any_bytes_of_an_ip_family(data: bytes, table: str, family: int) -> None:
    """The same where the fixed part is right."""
    decode(bytes(16) + bytes([family]) + data[1:], table)


@given(st.dictionaries(NUMBERS, PAYLOADS, max_size=6), TABLES, st.sampled_from([2, 10]))
def test_any_attributes(attributes: dict[int, bytes], table: str, family: int) -> None:
    """Well-formed attributes of any number and size always give a socket."""
    socket = decode(inet_message(attributes, family=family), table)
    assert socket is not None
    assert socket.inode == 77


@given(st.dictionaries(st.integers(NEWEST + 1, 0x3FFF), st.binary(max_size=50), max_size=6), TABLES)
def test_attributes_of_the_future_are_kept(attributes: dict[int, bytes], table: str) -> None:
    """An unknown number keeps its bytes."""
    socket = decode(inet_message(attributes), table)
    assert socket is not None
    assert dict(socket.unknown_attributes) == attributes


@given(st.binary(max_size=400))
def test_tcp_info_of_any_length(payload: bytes) -> None:
    """Members are there up to the length, and what is beyond the known ones is kept."""
    socket = decode(inet_message({k.INFO: payload}), "tcp")
    assert socket is not None
    assert socket.tcp_info is not None
    assert socket.unknown_attributes == (((k.INFO, payload[280:]),) if len(payload) > 280 else ())
    if len(payload) >= 136 and payload[0] != 10:
        received = struct.unpack_from("=Q", payload, 128)[0]
        assert socket.tcp_info.bytes_received == received


@given(st.binary(max_size=300))
def test_splitting_any_datagram(data: bytes) -> None:
    """A datagram is split into its messages or raises SourceTruncated."""
    try:
        rows = list(messages(Request("x", b""), data))
    except SourceTruncated:
        return
    for row in rows:
        decode(row, "tcp")
