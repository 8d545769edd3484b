"""Netlink messages as the kernel builds them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from sockdiag.sources.system.machine import System

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sockdiag.sources.system.proc_root import ProcRoot
    from sockdiag.sources.system.transport import Request


def nlmsg(payload: bytes, kind: int = 20, flags: int = 2) -> bytes:
    """Put a header before a payload and pad it."""
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, 7, 99) + payload + bytes(-len(payload) & 3)


def nlattr(kind: int, payload: bytes) -> bytes:
    """Put an attribute header before a payload and pad it."""
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) & 3)


def message(fixed: bytes, attributes: dict[int, bytes] | None = None) -> bytes:
    """Build a message of a fixed part and attributes."""
    return nlmsg(fixed + b"".join(nlattr(kind, payload) for kind, payload in (attributes or {}).items()))


def u32(*values: int) -> bytes:
    """Pack 32-bit words."""
    return struct.pack(f"={len(values)}I", *values)


SKMEM_WORDS = (1, 212992, 3, 212993, 5, 6, 7, 8, 9)
DONE = struct.pack("=IHHIIi", 20, 3, 2, 7, 99, 0)


class Answers:
    """A transport that gives the same datagrams to every request, and keeps the requests."""

    def __init__(self, *datagrams: bytes, error: Exception | None = None) -> None:
        self.datagrams: Sequence[bytes] = datagrams
        self.error = error
        self.requests: list[Request] = []

    def dump(self, request: Request) -> Iterator[bytes]:
        self.requests.append(request)
        yield from self.datagrams
        if self.error is not None:
            raise self.error

    def query(self, request: Request) -> bytes:
        raise NotImplementedError


def system(files: ProcRoot, *datagrams: bytes, error: Exception | None = None) -> System:
    """Return a system whose netlink gives these datagrams."""
    return System(files, Answers(*datagrams, error=error))
