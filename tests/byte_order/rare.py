"""Messages that the recorded system lacks, as a little-endian kernel sends them: attributes and families that few have."""

from __future__ import annotations

import socket
import struct

_V4, _V6 = socket.AF_INET, socket.AF_INET6


def _attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("<HH", 4 + len(payload), kind) + payload + bytes(-len(payload) & 3)


def _message(payload: bytes) -> bytes:
    return struct.pack("<IHHII", 16 + len(payload), 20, 2, 7, 99) + payload


def _inet(family: int, number: int, attributes: dict[int, bytes], state: int = 1, interface: int = 0) -> bytes:
    one, two = ("192.0.2.1", "198.51.100.2") if family == _V4 else ("2001:db8::1", "2001:db8::2")
    fixed = struct.pack("<BBBB", family, state, 1, 3) + struct.pack("!HH", 4000 + number, 443)
    fixed += socket.inet_pton(family, one).ljust(16, b"\0") + socket.inet_pton(family, two).ljust(16, b"\0")
    # The interface; the cookie, low word first; expiry, queues, user, inode.
    fixed += struct.pack(
        "<I2IIIIII", interface, 0x10203 + number, 0x42, 3700, 0x11223, 0x44556, 1000, 0x778899 + number
    )
    return _message(fixed + b"".join([_attribute(kind, payload) for kind, payload in attributes.items()]))


_SKMEM = struct.pack("<9I", 0x10001, 0x20002, 0x30003, 0x40004, 5, 6, 7, 0x80008, 0x90009)
_MEMINFO = struct.pack("<4I", 0x10001, 0x20002, 0x30003, 0x40004)
_TCP_INFO = (
    bytes((1, 0, 2, 0, 3, 0x3F, 0x7A, 0x05))
    + struct.pack("<24I", *range(201000, 201024))
    + struct.pack("<4Q", 1 << 40, 3 << 40, 5 << 40, 7 << 40)
    + struct.pack("<6I", *range(70001, 70007))
    + struct.pack("<4Q", 9 << 33, 3000000, 1000000, 500000)
    + struct.pack("<2I2Q6I", 11, 12, 13 << 32, 14 << 32, 15, 16, 17, 18, 19, 20)
    + struct.pack("<2H8I2H", 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32)
)
_SHUTDOWN, _MARK, _CGROUP, _SOCKOPT = b"\1", struct.pack("<I", 0x1234), struct.pack("<Q", 0x500000006), b"\x12\x05"
_COMMON = {8: _SHUTDOWN, 15: _MARK, 21: _CGROUP, 22: _SOCKOPT}
_SUBFLOW = {1: "I", 2: "I", 3: "Q", 4: "Q", 5: "I", 6: "I", 7: "H", 8: "I", 9: "B", 10: "B"}


def tcp() -> bytes:
    """Sockets with each congestion control that reports something, with MD5 keys, TLS, and as subflow of MPTCP."""
    tls = b"".join(
        [_attribute(kind, struct.pack("<H", value)) for kind, value in ((1, 0x304), (2, 52), (3, 2), (4, 3))]
    )
    subflow = b"".join([_attribute(kind, struct.pack(f"<{form}", 0x21 + kind)) for kind, form in _SUBFLOW.items()])
    md5 = struct.pack("<BBH16s80s", _V4, 24, 6, socket.inet_aton("192.0.2.0"), b"secret")
    info = {2: _TCP_INFO}
    rows = (
        {4: b"vegas\0", 3: struct.pack("<4I", 1, 70000, 80000, 90000), **info},
        {4: b"dctcp\0", 9: struct.pack("<HHIII", 1, 1, 1000, 70000, 80000), **info},
        {4: b"bbr\0", 16: struct.pack("<5I", 0x10002, 3, 80000, 739, 512), **info},
        {4: b"cubic\0", 5: b"\x10", 6: b"\x20", 17: struct.pack("<I", 0x10002), **info},
        {18: md5 * 2, **info},
        {19: _attribute(1, b"tls\0") + _attribute(0x8002, tls), **info},
        {19: _attribute(1, b"mptcp\0") + _attribute(0x8003, subflow), 2: _TCP_INFO[:104]},
    )
    return b"".join(
        [
            _inet(family, 10 * family + number, {1: _MEMINFO, **_COMMON, **row, 7: _SKMEM}, interface=number == 3)
            for number, row in enumerate(rows)
            for family in (_V4, _V6)
        ]
    )


def _storage(family: int) -> bytes:
    address = socket.inet_pton(family, "192.0.2.9" if family == _V4 else "2001:db8::9")
    port = struct.pack("!H", 4000)
    if family == _V4:
        return (struct.pack("<H", family) + port + address).ljust(128, b"\0")
    return (struct.pack("<H", family) + port + bytes(4) + address + struct.pack("<I", 3)).ljust(128, b"\0")


def sctp() -> bytes:
    """One endpoint and one association."""
    info = (
        struct.pack("<3I4H8I2BH", *range(70001, 70004), *range(11, 15), 3, *range(80001, 80008), 7, 1, 0)
        + struct.pack("<14Q", *range(1 << 33, (1 << 33) + 14))
        + _storage(_V6)
        + struct.pack("<i10I2H3I4B2I", 2, *range(90001, 90011), 5, 0, 6, 7, 8, 1, 0, 1, 0, 0, 0)
    )
    ends = {12: _storage(_V4) + _storage(_V6), 2: info}
    return _inet(_V4, 1, {**_COMMON, **ends}, 10) + _inet(_V4, 2, {**_COMMON, **ends, 13: _storage(_V6)})


def netlink() -> bytes:
    """A socket that is in groups beyond the first 64, and connected to one of them."""
    fixed = struct.pack("<BBBBIIII2I", 16, 3, 16, 1, 70001, 70002, 3, 0x778899, 0x10203, 0x42)
    groups = struct.pack("<3Q", 0x80000005, 1 << 40, 3)
    return _message(fixed + _attribute(0, _SKMEM) + _attribute(1, groups) + _attribute(4, struct.pack("<I", 0x11)))


def vsock() -> bytes:
    """A listener and a connection."""
    listens = struct.pack("<BBBBIIIII2I", 40, 1, 10, 0, 0xFFFFFFFF, 1234, 0, 0, 0x778899, 0x10203, 0)
    connected = struct.pack("<BBBBIIIII2I", 40, 1, 1, 3, 3, 1234, 2, 70001, 0x77889A, 0x10204, 0x42)
    return _message(listens) + _message(connected)


def xdp() -> bytes:
    """A socket with all its rings."""
    ring = struct.pack("<I", 2048)
    parts = {
        1: struct.pack("<2I", 1, 3),
        2: struct.pack("<I", 1000),
        3: ring,
        4: ring,
        5: struct.pack("<QIIIIIIII", 1 << 33, 3, 4096, 2048, 256, 1, 3, 1, 2),
        6: ring,
        7: ring,
        8: _SKMEM,
        9: struct.pack("<6Q", 1 << 33, 2, 3, 4, 5, 6),
    }
    fixed = struct.pack("<BBHI2I", 44, 3, 0, 0x778899, 0x10203, 0x42)
    return _message(fixed + b"".join([_attribute(kind, payload) for kind, payload in parts.items()]))


def packet() -> bytes:
    """A socket with rings, a fanout group, a filter and a multicast membership."""
    ring = struct.pack("<7I", 65536, 4, 2048, 128, 60, 0, 1)
    parts = {
        0: struct.pack("<6I", 1, 2, 4, 1500, 0, 0x13),
        1: struct.pack("<IIHH32s", 1, 2, 1, 6, b"\1\2\3\4\5\6"),
        2: ring,
        3: ring,
        4: struct.pack("<I", 0x20007),
        5: struct.pack("<I", 1000),
        6: _SKMEM,
        7: struct.pack("<HBBI", 0x28, 0, 0, 12) + struct.pack("<HBBI", 0x15, 1, 2, 0x800),
    }
    fixed = struct.pack("<BBHI2I", 17, 3, 0x88CC, 0x778899, 0x10203, 0x42)
    return _message(fixed + b"".join([_attribute(kind, payload) for kind, payload in parts.items()]))
