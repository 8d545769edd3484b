"""A transport that answers inet_diag requests as the kernel does, from a list of sockets, some of them locked."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

from sockdiag.errors import SourceUnavailable
from sockdiag.kernel import inet_diag as k
from sockdiag.sources.netlink.attributes import attributes
from tests.unit.sources.inet_messages import inet_message
from tests.unit.sources.netlink_messages import nlattr

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sockdiag.sources.system.transport import Request

INFO_PAYLOAD = bytes([1]) + bytes(279)
# A locked socket answers after this long, or never as far as a test is concerned.
LOCKED_S = 30.0


def row(cookie: int, state: int = 1, family: int = 2, **members: int) -> bytes:
    """Build a row as listed without tcp_info, with ports of its own."""
    # The first attribute of every full socket is SHUTDOWN.
    full = {k.SHUTDOWN: b"\0"} if state != 6 else {}
    values = {"cookie": cookie, "state": state, "family": family, "sport": 1000 + cookie, "dport": 2000, **members}
    return inet_message(full, **values)


def with_info(plain: bytes) -> bytes:
    """Add tcp_info to a row."""
    body = plain[4:] + nlattr(k.INFO, INFO_PAYLOAD)
    return struct.pack("=I", 4 + len(body)) + body


def cookie_of(message: bytes) -> int:
    return int(struct.unpack_from("=Q", message, 60)[0])


def passes(code: bytes, message: bytes) -> bool:
    """Run a filter on a row, as inet_diag_bc_run() does; also check what inet_diag_bc_audit() checks."""
    family = message[16]
    sport, dport = struct.unpack_from("!HH", message, 20)
    starts = set()
    at = 0
    while at < len(code):
        starts.add(at)
        at += code[at + 1]
    assert at == len(code)
    at = 0
    while at < len(code):
        assert at in starts
        operation, yes, no = struct.unpack_from("=BBH", code, at)
        assert not yes & 3
        assert not no & 3
        assert yes >= 4
        assert no <= len(code) - at + 4
        if operation == k.BC_JMP:
            holds = False
        else:
            assert operation in (k.BC_S_COND, k.BC_D_COND)
            cond_family, bits, port = struct.unpack_from("=BBxxi", code, at + 4)
            length = bits // 8
            assert yes == 12 + length
            offset, own = (24, sport) if operation == k.BC_S_COND else (40, dport)
            operand = code[at + 12 : at + 12 + length]
            holds = cond_family == family and port == own and message[offset : offset + length] == operand
        at += yes if holds else no
    return at == len(code)


class Kernel:
    """Answers from *rows*; a question for tcp_info of a locked socket sleeps.

    Args:
        rows: as listed without tcp_info.
        locked: cookies of locked sockets.
        together: rows that go into one datagram.
        blocked: whether one sleeping question keeps all others sleeping, as before Linux 6.9.
    """

    def __init__(
        self, rows: Sequence[bytes], locked: Sequence[int] = (), *, together: int = 2, blocked: bool = False
    ) -> None:
        self.rows = rows
        self.locked = set(locked)
        self.together = together
        self.blocked = blocked

    def dump(self, request: Request) -> Iterator[bytes]:
        compat = request.type == 18
        payload = request.payload
        ext = payload[3] if compat else payload[2]
        states = struct.unpack_from("=I", payload, 52 if compat else 4)[0]
        found = attributes(payload, 60 if compat else 56, "request")
        code = found.get(k.REQ_BYTECODE, b"")
        self._maybe_block()
        datagram: list[bytes] = []
        for plain in self.rows:
            if states >> plain[17] & 1 and (compat or payload[0] == plain[16]) and passes(code, plain):
                datagram.append(self._answer(plain, ext))
            if len(datagram) == self.together:
                yield b"".join(datagram)
                datagram = []
        if datagram:
            yield b"".join(datagram)

    def query(self, request: Request) -> bytes:
        assert request.type == 20
        self._maybe_block()
        for plain in self.rows:
            if plain[16] == request.payload[0] and plain[20:68] == request.payload[8:56]:
                return self._answer(plain, request.payload[2])
        raise SourceUnavailable(request.source, "No such file or directory", 2)

    def _answer(self, plain: bytes, ext: int) -> bytes:
        if not ext & k.EXT_INFO or plain[17] == 6:
            return plain
        if plain[17] != 10 and cookie_of(plain) in self.locked:
            time.sleep(LOCKED_S)
        return with_info(plain)

    def _maybe_block(self) -> None:
        if self.blocked:
            time.sleep(LOCKED_S)
