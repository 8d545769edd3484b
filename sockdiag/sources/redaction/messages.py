"""Netlink answers with pseudonyms: each kind of message by its struct and its attributes.

An attribute that is not known here is left out of the message; so is a message that is not known.
"""

from __future__ import annotations

from struct import Struct

from sockdiag.kernel import inet_diag, packet_diag, unix_diag
from sockdiag.kernel.byte_order import ORDER
from sockdiag.kernel.netlink import NLMSG_DONE, NLMSG_ERROR, NLMSG_HDRLEN, align4
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, AF_VSOCK, AF_XDP
from sockdiag.sources.redaction.attributes import (
    address,
    attributes,
    link_address,
    name,
    nested,
    network,
    numbers,
    word,
)
from sockdiag.sources.redaction.nft_rules import rewritten
from sockdiag.sources.redaction.proc_files import Unredactable
from sockdiag.sources.redaction.text import redacted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sockdiag.sources.redaction.attributes import Attributes
    from sockdiag.sources.redaction.mapping import Mapping


_MAX_MESSAGE = 1 << 20
_HEADER = Struct(f"{ORDER}IHH")
_PIECE = 1 << 18
_DEPTH = 8


def _same(kinds: Iterable[int]) -> Attributes:
    return dict.fromkeys(kinds, numbers)


def _md5_keys(payload: bytes, _head: bytes, mapping: Mapping) -> bytes:
    out = bytearray()
    for place in range(0, len(payload), inet_diag.MD5SIG_STRUCT.size):
        one = payload[place : place + inet_diag.MD5SIG_STRUCT.size]
        if len(one) < inet_diag.MD5SIG_KEY:
            break
        size = 4 if one[0] == AF_INET else 16
        out += one[:4] + mapping.address(one[4 : 4 + size]).ljust(16, b"\0")
        out += bytes(0x2A if byte else 0 for byte in one[inet_diag.MD5SIG_KEY :])
    return bytes(out)


# struct sockaddr_storage, of which only the addresses are kept.
_SOCKADDR = 128
_FAMILY = Struct(f"{ORDER}H")


def _endpoints(payload: bytes, _head: bytes, mapping: Mapping) -> bytes:
    out = bytearray()
    for place in range(0, len(payload) - _SOCKADDR + 1, _SOCKADDR):
        one = payload[place : place + _SOCKADDR]
        (family,) = _FAMILY.unpack_from(one)
        new = bytes(_SOCKADDR)
        if family == AF_INET:
            new = one[:4] + mapping.address(one[4:8])
        elif family == AF_INET6:
            new = one[:8] + mapping.address(one[8:24]) + one[24:28]
        out += new.ljust(_SOCKADDR, b"\0")
    return bytes(out)


_I = inet_diag
_INET: Attributes = {
    **_same(
        (
            _I.MEMINFO,
            _I.INFO,
            _I.VEGASINFO,
            _I.TOS,
            _I.TCLASS,
            _I.SKMEMINFO,
            _I.SHUTDOWN,
            _I.DCTCPINFO,
            _I.PROTOCOL,
            _I.SKV6ONLY,
            _I.PAD,
            _I.MARK,
            _I.BBRINFO,
            _I.CLASS_ID,
            _I.CGROUP_ID,
            _I.SOCKOPT,
        )
    ),
    _I.CONG: word,
    _I.LOCALS: _endpoints,
    _I.PEERS: _endpoints,
    _I.MD5SIG: _md5_keys,
    _I.ULP_INFO: nested(
        {_I.ULP_NAME: word, _I.ULP_TLS: nested(_same(range(1, 16))), _I.ULP_MPTCP: nested(_same(range(1, 16)))}
    ),
}
_INET_HEAD = _I.MSG_ATTRIBUTES - NLMSG_HDRLEN
_SRC, _DST = _I.MSG_SRC - NLMSG_HDRLEN, _I.MSG_DST - NLMSG_HDRLEN


def _inet(payload: bytes, mapping: Mapping) -> bytes | None:
    if len(payload) < _INET_HEAD:
        return None
    if payload[0] == AF_INET:
        source = mapping.address(payload[_SRC : _SRC + 4]) + bytes(12)
        target = mapping.address(payload[_DST : _DST + 4]) + bytes(12)
    else:
        source = mapping.address(payload[_SRC:_DST])
        target = mapping.address(payload[_DST : _DST + 16])
    head = payload[:_SRC] + source + target + payload[_DST + 16 : _INET_HEAD]
    return head + attributes(payload[_INET_HEAD:], _INET, payload, mapping)


def _unix_name(payload: bytes, _head: bytes, mapping: Mapping) -> bytes:
    return redacted(payload, mapping)


_UNIX: Attributes = {**_same(range(1, 8)), unix_diag.NAME: _unix_name}

_JUMP, _LOAD = 0x05, (0x00, 0x01)
_CLASS, _IMMEDIATE = 0x07, 0x00


def _bpf(payload: bytes, _head: bytes, _mapping: Mapping) -> bytes:
    """Keep a filter's instructions without the values that packets are compared with."""
    out = bytearray()
    for place in range(0, len(payload) - packet_diag.FILTER_STRUCT.size + 1, packet_diag.FILTER_STRUCT.size):
        code, yes, no, value = packet_diag.FILTER_STRUCT.unpack_from(payload, place)
        loads = code & _CLASS in _LOAD and code >> 5
        returns = code & _CLASS == 0x06
        out += packet_diag.FILTER_STRUCT.pack(code, yes, no, value if loads or returns else 0)
    return bytes(out)


def _multicast(payload: bytes, _head: bytes, mapping: Mapping) -> bytes:
    out = bytearray()
    layout = packet_diag.MCLIST_STRUCT
    for place in range(0, len(payload) - layout.size + 1, layout.size):
        index, count, kind, length, raw = layout.unpack_from(payload, place)
        out += layout.pack(index, count, kind, length, mapping.mac(raw[: min(length, 32)]))
    return bytes(out)


_PACKET: Attributes = {
    **_same(
        (
            packet_diag.INFO,
            packet_diag.RX_RING,
            packet_diag.TX_RING,
            packet_diag.FANOUT,
            packet_diag.UID,
            packet_diag.MEMINFO,
        )
    ),
    packet_diag.MCLIST: _multicast,
    packet_diag.FILTER: _bpf,
}


def _plain(head: int, known: Attributes) -> Callable[[bytes, Mapping], bytes | None]:
    """Rewrite messages with a header of numbers."""

    def one(payload: bytes, mapping: Mapping) -> bytes | None:
        if len(payload) < head:
            return None
        return payload[:head] + attributes(payload[head:], known, payload[:head], mapping)

    return one


_METRICS: Attributes = {**_same(range(1, 16)), 16: word, 17: numbers}


def _hops(payload: bytes, head: bytes, mapping: Mapping) -> bytes:
    # struct rtnexthop: length, flags, hops, index; attributes follow.
    out = bytearray()
    offset = 0
    while len(payload) - offset >= 8:
        (length,) = _FAMILY.unpack_from(payload, offset)
        if not 8 <= length <= len(payload) - offset:
            raise Unredactable(f"a next hop of {length} bytes")
        inner = attributes(payload[offset + 8 : offset + length], _ROUTE, head, mapping)
        out += _FAMILY.pack(8 + len(inner)) + payload[offset + 2 : offset + 8] + inner
        offset += align4(length)
    return bytes(out)


def _via(payload: bytes, _head: bytes, mapping: Mapping) -> bytes:
    return payload[:2] + mapping.address(payload[2:])


_ROUTE: Attributes = {
    **_same((3, 4, 6, 10, 11, 12, 14, 15, 16, 17, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30)),
    1: network(1),
    2: network(2),
    5: address,
    7: address,
    8: nested(_METRICS),
    9: _hops,
    18: _via,
}
_RULE: Attributes = {
    **_same((4, 6, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 24)),
    1: network(1),
    2: network(2),
    3: name,
    17: name,
}


def _ifa_broadcast(payload: bytes, head: bytes, mapping: Mapping) -> bytes:
    mapping.broadcast(payload, head[1])
    return mapping.address(payload)


_ADDRESS: Attributes = {
    **_same((6, 8, 9, 11)),
    1: address,
    2: address,
    3: name,
    4: _ifa_broadcast,
    5: address,
    7: address,
}
_LINK: Attributes = {
    **_same((4, 5, 7, 8, 9, 10, 13, 14, 15, 16, 17, 19, 21, 23, 27, 28, 29, 30, 31, 32, 33, 35, 37, 39, 40, 41, 42)),
    **_same((45, 46, 47, 48, 49, 50, 51, 58, 59, 60, 61, 63, 64, 65)),
    1: link_address,
    2: link_address,
    3: name,
    6: word,
    18: nested({1: word, 4: word}),
    52: nested({53: name}),
    54: link_address,
}
_NEIGHBOUR: Attributes = {**_same((3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15)), 1: address, 2: link_address}
_NEIGHBOUR_TABLE: Attributes = {**_same((2, 3, 4, 5, 7, 8, 9)), 6: nested(_same(range(1, 32))), 1: word}
_DISCIPLINE: Attributes = {**_same((3, 5, 6, 9, 11, 12, 13, 14)), 1: word, 7: nested(_same(range(1, 16)))}


def _by_type(
    kinds: dict[int, Callable[[bytes, Mapping], bytes | None]],
) -> Callable[[int, bytes, Mapping], bytes | None]:
    def one(kind: int, payload: bytes, mapping: Mapping) -> bytes | None:
        rewrite = kinds.get(kind)
        return None if rewrite is None else rewrite(payload, mapping)

    return one


_SOCKETS: dict[int, Callable[[bytes, Mapping], bytes | None]] = {
    AF_UNIX: _plain(unix_diag.MSG_LEN, _UNIX),
    AF_INET: _inet,
    AF_INET6: _inet,
    AF_NETLINK: _plain(28, _same(range(5))),
    AF_PACKET: _plain(packet_diag.MSG_LEN, _PACKET),
    AF_VSOCK: _plain(32, {}),
    AF_XDP: _plain(16, _same(range(1, 10))),
}


def _socket(kind: int, payload: bytes, mapping: Mapping) -> bytes | None:
    rewrite = _SOCKETS.get(payload[0]) if payload and kind in (18, 20) else None
    return None if rewrite is None else rewrite(payload, mapping)


# By the beginning of the file's name.
_ANSWERS: dict[str, Callable[[int, bytes, Mapping], bytes | None]] = {
    "RTM_GETLINK": _by_type({16: _plain(16, _LINK)}),
    "RTM_GETADDR": _by_type({20: _plain(8, _ADDRESS)}),
    "RTM_GETROUTE": _by_type({24: _plain(12, _ROUTE)}),
    "RTM_GETRULE": _by_type({32: _plain(12, _RULE)}),
    "RTM_GETNEIGHTBL": _by_type({64: _plain(4, _NEIGHBOUR_TABLE)}),
    "RTM_GETNEIGH": _by_type({28: _plain(12, _NEIGHBOUR)}),
    "RTM_GETQDISC": _by_type({36: _plain(20, _DISCIPLINE)}),
    "NFT_MSG_GETRULE": rewritten,
    "NFT_MSG_GETCHAIN": rewritten,
    **dict.fromkeys(
        (
            *(
                f"inet_diag_{p}{six}"
                for p in ("tcp", "udp", "udplite", "raw", "sctp", "dccp", "mptcp")
                for six in ("", "6")
            ),
            "unix_diag",
            "netlink_diag",
            "packet_diag",
            "vsock_diag",
            "xdp_diag",
        ),
        _socket,
    ),
}


def is_known(request: str) -> bool:
    """Return whether the answers to a request can be redacted."""
    return request in _ANSWERS


def redacted_answer(request: str) -> Callable[[Iterable[bytes], Mapping], Iterator[bytes]]:
    """Return what rewrites the answers to a request."""
    rewrite = _ANSWERS[request]

    def one(pieces: Iterable[bytes], mapping: Mapping) -> Iterator[bytes]:
        out = bytearray()
        for message in messages_of(pieces):
            length, kind, _flags = _HEADER.unpack_from(message)
            payload = message[NLMSG_HDRLEN:length]
            new: bytes | None
            if kind in (NLMSG_DONE, NLMSG_ERROR):
                # The error; what may follow it quotes the request, or is a text.
                new = payload[:4].ljust(20 if kind == NLMSG_ERROR else 4, b"\0")
            else:
                new = rewrite(kind, payload, mapping)
            if new is None:
                continue
            out += _HEADER.pack(NLMSG_HDRLEN + len(new), *_HEADER.unpack_from(message)[1:]) + message[8:NLMSG_HDRLEN]
            out += new
            out += bytes(-len(new) & 3)
            if len(out) > _PIECE:
                yield bytes(out)
                out.clear()
        yield bytes(out)

    return one


def messages_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the messages of a file.

    Raises:
        Unredactable: it is damaged.
    """
    rest = b""
    for piece in pieces:
        data = rest + piece
        offset, end = 0, len(data)
        while end - offset >= NLMSG_HDRLEN:
            (length,) = _LENGTH.unpack_from(data, offset)
            if not NLMSG_HDRLEN <= length <= _MAX_MESSAGE:
                raise Unredactable(f"damaged: a message of {length} bytes")
            if align4(length) > end - offset:
                break
            yield data[offset : offset + length]
            offset += align4(length)
        rest = data[offset:]
    if len(rest) >= NLMSG_HDRLEN:
        (length,) = _LENGTH.unpack_from(rest)
        if NLMSG_HDRLEN <= length <= len(rest):
            yield rest[:length]
            return
    if rest:
        raise Unredactable(f"damaged: {len(rest)} bytes of an incomplete message")


_LENGTH = Struct(f"{ORDER}I")
