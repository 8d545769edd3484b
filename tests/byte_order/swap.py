"""Rewrite a capture of a little-endian kernel as a big-endian one would have made it.

The layouts are written down here once more, after the headers in include/uapi/linux: a mistake in the program's own
declarations must not be repeated in what it is tested with.
"""

from __future__ import annotations

import re
import shutil
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Swap = Callable[[bytes], bytes]

_DONE, _ERROR = 3, 2
_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

_TCP_INFO = "8B24I4Q6I4Q2I2Q6I2H8I2H"
_MPTCP_INFO = "6B2xII3Q3BxI4QBB2xIII"


def ints(layout: str) -> Swap:
    """Swap a struct; what a newer kernel appended stays, and a struct that ends early is cut at a member."""
    codes = [(int(n or 1), code) for n, code in re.findall(r"(\d*)([a-zA-Z])", layout)]
    members = [code for n, code in codes if code not in "sx" for code in [code] * n]
    if any(code in "sx" for _n, code in codes):
        members = [f"{n}{code}" if code in "sx" else code for n, code in codes for _ in range(1 if code in "sx" else n)]

    def swap(data: bytes) -> bytes:
        there = ""
        for member in members:
            if struct.calcsize(f"<{there}{member}") > len(data):
                break
            there += member
        size = struct.calcsize(f"<{there}")
        return struct.pack(f">{there}", *struct.unpack(f"<{there}", data[:size])) + data[size:]

    return swap


def each(layout: str) -> Swap:
    """Swap an array of structs."""
    one, size = ints(layout), struct.calcsize(f"<{layout}")
    return lambda data: b"".join([one(data[at : at + size]) for at in range(0, len(data), size)])


def same(data: bytes) -> bytes:
    """Leave bytes and text alone."""
    return data


def integer(data: bytes) -> bytes:
    """Swap a number of any size."""
    return data[::-1]


def sockopt(data: bytes) -> bytes:
    """Reverse the bit fields of each byte."""
    return data.translate(_BITS)


def tcp_info(data: bytes) -> bytes:
    """Swap struct tcp_info, whose bytes 6 and 7 are bit fields: two of four bits; one of one and one of two bits."""
    swapped = bytearray(ints(_TCP_INFO)(data))
    swapped[6] = (swapped[6] & 0xF) << 4 | swapped[6] >> 4
    swapped[7] = (swapped[7] & 1) << 7 | (swapped[7] >> 1 & 3) << 5
    return bytes(swapped)


def sockaddr(data: bytes) -> bytes:
    """Swap struct sockaddr_storage: port, flow label and address are big-endian on every machine."""
    family = struct.unpack_from("<H", data)[0]
    rest = data[2:24] + struct.pack(">I", *struct.unpack_from("<I", data, 24)) + data[28:] if family == 10 else data[2:]
    return struct.pack(">H", family) + rest


def sockaddrs(data: bytes) -> bytes:
    """Swap an array of struct sockaddr_storage."""
    return b"".join([sockaddr(data[at : at + 128]) for at in range(0, len(data), 128)])


def sctp_info(data: bytes) -> bytes:
    """Swap struct sctp_info."""
    head, tail = "3I4H8I2BH14Q", "i10I2H3I4B2I"
    at = struct.calcsize(f"<{head}")
    return ints(head)(data[:at]) + sockaddr(data[at : at + 128]) + ints(tail)(data[at + 128 :])


def attributes(kinds: dict[int, Swap]) -> Swap:
    """Swap attributes, each by its number."""

    def swap(data: bytes) -> bytes:
        out, at = b"", 0
        while len(data) - at >= 4:
            length, kind = struct.unpack_from("<HH", data, at)
            payload = kinds[kind & 0x3FFF](data[at + 4 : at + length])
            out += struct.pack(">HH", length, kind) + payload
            at = length + at
            padded = min((at + 3) & ~3, len(data))
            out += data[at:padded]
            at = padded
        return out + data[at:]

    return swap


def message(fixed: str, kinds: dict[int, Swap]) -> Swap:
    """Swap the payload of a message: its struct, then its attributes."""
    size = struct.calcsize(f"<{fixed}")
    head, tail = ints(fixed), attributes(kinds)
    return lambda data: head(data[:size]) + tail(data[size:])


_WORDS = each("I")
_TLS = attributes({1: integer, 2: integer, 3: integer, 4: integer, 5: same, 6: same})
_SUBFLOW = attributes(dict.fromkeys(range(1, 12), integer))


def _inet(info: Swap) -> Swap:
    return message(
        "BBBB2s2s16s16sI2IIIIII",
        {
            1: _WORDS,  # MEMINFO
            2: info,
            3: _WORDS,  # VEGASINFO
            4: same,  # CONG
            5: integer,  # TOS
            6: integer,  # TCLASS
            7: _WORDS,  # SKMEMINFO
            8: integer,  # SHUTDOWN
            9: ints("HHIII"),  # DCTCPINFO
            10: integer,  # PROTOCOL
            11: integer,  # SKV6ONLY
            12: sockaddrs,  # LOCALS
            13: sockaddrs,  # PEERS
            14: same,  # PAD
            15: integer,  # MARK
            16: ints("IIIII"),  # BBRINFO: the low word of the bandwidth is first on every machine
            17: integer,  # CLASS_ID
            18: each("BBH16s80s"),  # MD5SIG
            19: attributes({1: same, 2: _TLS, 3: _SUBFLOW}),  # ULP_INFO
            21: integer,  # CGROUP_ID
            22: sockopt,
        },
    )


_MESSAGES: dict[str, Swap] = {
    "inet_diag": _inet(tcp_info),
    "inet_diag_mptcp": _inet(ints(_MPTCP_INFO)),
    "inet_diag_sctp": _inet(sctp_info),
    "unix_diag": message(
        "BBBBI2I", {0: same, 1: _WORDS, 2: integer, 3: _WORDS, 4: _WORDS, 5: _WORDS, 6: integer, 7: integer}
    ),
    # The groups are an array of unsigned longs.
    "netlink_diag": message("BBBBIIII2I", {0: _WORDS, 1: each("Q"), 4: integer}),
    "packet_diag": message(
        "BBHI2I",
        {
            0: _WORDS,  # INFO
            1: each("IIHH32s"),  # MCLIST
            2: _WORDS,  # RX_RING
            3: _WORDS,  # TX_RING
            4: integer,  # FANOUT
            5: integer,  # UID
            6: _WORDS,  # MEMINFO
            7: each("HBBI"),  # FILTER
        },
    ),
    "vsock_diag": message("BBBBIIIII2I", {}),
    "xdp_diag": message(
        "BBHI2I",
        {
            1: _WORDS,  # INFO
            2: integer,  # UID
            3: integer,  # RX_RING
            4: integer,  # TX_RING
            5: ints("QIIIIIIII"),  # UMEM
            6: integer,  # UMEM_FILL_RING
            7: integer,  # UMEM_COMPLETION_RING
            8: _WORDS,  # MEMINFO
            9: ints("QQQQQQ"),  # STATS
        },
    ),
}


def answer(name: str, data: bytes) -> bytes:
    """Swap an answer of the kernel.

    Args:
        name: the stem of its file.
        data: its messages.
    """
    payload = next(swap for prefix, swap in sorted(_MESSAGES.items(), reverse=True) if name.startswith(prefix))
    out, at = b"", 0
    while at < len(data):
        length, kind, flags, seq, pid = struct.unpack_from("<IHHII", data, at)
        body = data[at + 16 : at + length]
        swapped = ints("i")(body) if kind in (_DONE, _ERROR) else payload(body)
        end = (length + 3) & ~3
        out += struct.pack(">IHHII", length, kind, flags, seq, pid) + swapped + data[at + length : at + end]
        at += end
    return out


def proc_table(text: bytes) -> bytes:
    """Swap the addresses of a table of IP sockets in /proc/net, which are words in the machine's order."""

    def word(found: re.Match[bytes]) -> bytes:
        return bytes.fromhex(found[0].decode())[::-1].hex().upper().encode()

    def end(found: re.Match[bytes]) -> bytes:
        return re.sub(rb"[0-9A-F]{8}", word, found[1]) + found[2]

    return re.sub(rb"\b([0-9A-F]{8}|[0-9A-F]{32})(:[0-9A-F]{4}\b)", end, text)


def capture(source: Path, target: Path) -> None:
    """Copy a captured system, the netlink answers and the addresses in /proc swapped."""
    shutil.copytree(source, target, symlinks=True)
    for file in (target / "netlink").glob("*.nl"):
        file.write_bytes(answer(file.stem, file.read_bytes()))
    for name in ("tcp", "udp", "udplite", "raw", "icmp"):
        for file in (target / "proc/net").glob(f"{name}*"):
            if file.name in (name, f"{name}6"):
                file.write_bytes(proc_table(file.read_bytes()))
