"""Whatever the bytes: the decoders of unix, netlink, packet, vsock and XDP sockets raise nothing but ParseError."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockdiag.errors import ParseError, SourceError
from sockdiag.model.query import Query
from sockdiag.model.socket import Socket
from sockdiag.sources.netlink import netlink_diag, packet_diag, unix_diag, vsock_diag, xdp_diag
from sockdiag.sources.system.proc_root import ProcRoot
from tests.unit.sources.netlink_messages import message, nlmsg, system

if TYPE_CHECKING:
    from collections.abc import Callable

# family number, length of the fixed part, decoder, module
FAMILIES: dict[str, tuple[int, int, Callable[[bytes], Socket], Any]] = {
    "unix": (1, 16, unix_diag.decode, unix_diag),
    "netlink": (16, 28, netlink_diag.decode, netlink_diag),
    "packet": (17, 16, lambda data: packet_diag.decode(data, str), packet_diag),
    "vsock": (40, 32, vsock_diag.decode, vsock_diag),
    "xdp": (44, 16, lambda data: xdp_diag.decode(data, str), xdp_diag),
}

attributes = st.dictionaries(st.integers(0, 12), st.binary(max_size=60), max_size=8)


def attempt(decode: Callable[[bytes], Socket], data: bytes) -> Socket | ParseError:
    try:
        return decode(data)
    except ParseError as error:
        return error


@pytest.mark.parametrize("netid", FAMILIES)
@given(data=st.binary(max_size=200))
def test_any_bytes(netid: str, data: bytes) -> None:
    result = attempt(FAMILIES[netid][2], data)
    if isinstance(result, ParseError):
        assert result.path == f"netlink:{netid}_diag"
    else:
        assert result.netid == netid


@pytest.mark.parametrize("netid", FAMILIES)
@given(data=st.data())
def test_any_attributes(netid: str, data: st.DataObject) -> None:
    family, length, decode, _module = FAMILIES[netid]
    fixed = bytes((family,)) + data.draw(st.binary(min_size=length - 1, max_size=length - 1))
    sent = data.draw(attributes)
    result = attempt(decode, message(fixed, sent))
    if isinstance(result, ParseError):
        assert result.path == f"netlink:{netid}_diag"
        assert result.column.startswith(f"{netid.upper()}_DIAG_")
    else:
        assert type(result) is Socket
        assert len(result) == len(Socket.FIELDS)
        assert dict(result.unknown_attributes).items() <= sent.items()


@pytest.mark.parametrize("netid", FAMILIES)
@given(data=st.data())
def test_order_of_attributes_does_not_matter(netid: str, data: st.DataObject) -> None:
    family, length, decode, _module = FAMILIES[netid]
    fixed = bytes((family,)) + bytes(length - 1)
    sent = data.draw(attributes)
    shuffled = dict(data.draw(st.permutations(list(sent.items()))))

    def result(parts: dict[int, bytes]) -> Any:
        socket = attempt(decode, message(fixed, parts))
        if isinstance(socket, ParseError):
            return None
        return socket._replace(unknown_attributes=sorted(socket.unknown_attributes))

    assert result(sent) == result(shuffled)


@pytest.mark.parametrize("netid", FAMILIES)
@given(
    datagrams=st.lists(
        st.binary(max_size=120) | st.lists(st.binary(max_size=60)).map(lambda p: b"".join(map(nlmsg, p)))
    )
)
def test_any_datagrams(netid: str, datagrams: list[bytes]) -> None:
    """A table reads to its end, with what was wrong as errors."""
    module = FAMILIES[netid][3]
    reading = module.read(system(ProcRoot(), *datagrams), Query())
    assert all(isinstance(error, ParseError | SourceError) for error in reading.errors)
    assert len(reading.errors) <= 6
    assert all(socket.netid == netid for socket in reading.sockets)


@given(
    name=st.binary(min_size=1, max_size=108),
    inode=st.integers(0, 2**32 - 1),
    cookie=st.integers(0, 2**64 - 1),
    queues=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
)
def test_unix_socket_is_what_was_encoded(name: bytes, inode: int, cookie: int, queues: tuple[int, int]) -> None:
    sent = message(struct.pack("=BBBxIQ", 1, 1, 1, inode, cookie), {0: name, 4: struct.pack("=II", *queues)})
    socket = unix_diag.decode(sent)
    assert (socket.inode, socket.cookie, socket.recv_q, socket.send_q) == (inode, cookie, *queues)
    assert socket.local.address == (name if name[:1] == b"\0" else name.split(b"\0")[0])
