from __future__ import annotations

import struct

import pytest

from sockdiag.errors import ParseError
from sockdiag.model.address import Endpoint
from sockdiag.model.query import Query
from sockdiag.model.socket import Socket
from sockdiag.sources.netlink.vsock_diag import decode, read, requests
from sockdiag.sources.system.proc_root import ProcRoot
from tests.unit.sources.netlink_messages import message, system

ANY = 0xFFFFFFFF


def vsock(
    src: tuple[int, int] = (3, 1024),
    dst: tuple[int, int] = (2, 5000),
    *,
    family: int = 40,
    kind: int = 1,
    state: int = 1,
    attributes: dict[int, bytes] | None = None,
) -> bytes:
    return message(struct.pack("=BBBBIIIIIQ", family, kind, state, 2, *src, *dst, 4711, 5), attributes)


def test_connection() -> None:
    assert decode(vsock()) == Socket(
        netid="vsock",
        family="AF_VSOCK",
        type="SOCK_STREAM",
        state="ESTABLISHED",
        local=Endpoint("3", 1024),
        peer=Endpoint("2", 5000),
        inode=4711,
        cookie=5,
        shutdown=2,
    )


def test_listener_on_any_context_has_no_peer() -> None:
    socket = decode(vsock((ANY, 22), (ANY, ANY), state=10))
    assert (socket.state, socket.local, socket.peer) == ("LISTEN", Endpoint(None, 22), Endpoint())


def test_datagram_socket() -> None:
    assert decode(vsock(kind=2)).type == "SOCK_DGRAM"


def test_attributes_are_kept() -> None:
    assert decode(vsock(attributes={3: b"new"})).unknown_attributes == ((3, b"new"),)


def test_short_message_and_other_family() -> None:
    with pytest.raises(ParseError, match="nlmsg_len: expected at least 48, got '47'"):
        decode(vsock()[:47])
    with pytest.raises(ParseError, match="vdiag_family: expected 40, got '1'"):
        decode(vsock(family=1))


def test_request_has_nothing_but_family_and_states() -> None:
    (request,) = requests(Query(states=1 << 10))
    assert (request.name, request.states) == ("vsock_diag", 1 << 10)
    # The kernel refuses a request whose other members are not 0.
    assert struct.unpack("=BBHIIIII", request.payload) == (40, 0, 0, 1 << 10, 0, 0, 0, 0)


def test_read() -> None:
    reading = read(system(ProcRoot(), vsock() + vsock(state=10)), Query())
    assert [socket.state for socket in reading.sockets] == ["ESTABLISHED", "LISTEN"]
