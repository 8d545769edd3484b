"""Types in the format of BTF, made one by one."""

from __future__ import annotations

import struct

INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST = range(1, 11)
FUNC_PROTO, FLOAT, ENUM64 = 13, 16, 19


class BtfBuilder:
    """Collect types; each method returns the id of the one that it adds."""

    def __init__(self) -> None:
        self._strings = b"\0"
        self._types = b""
        self._count = 0

    def _add(self, name: str, kind: int, count: int, size: int, rest: bytes = b"", *, flag: bool = False) -> int:
        self._types += struct.pack("=III", self._name(name), flag << 31 | kind << 24 | count, size) + rest
        self._count += 1
        return self._count

    def _name(self, name: str) -> int:
        if not name:
            return 0
        at = len(self._strings)
        self._strings += name.encode() + b"\0"
        return at

    def int(self, name: str, size: int, *, signed: bool = False) -> int:
        return self._add(name, INT, 0, size, struct.pack("=I", signed << 24 | size * 8))

    def float(self, name: str, size: int) -> int:
        return self._add(name, FLOAT, 0, size)

    def refer(self, kind: int, target: int, name: str = "") -> int:
        """Add a pointer, a typedef, or a modifier."""
        return self._add(name, kind, 0, target)

    def forward(self, name: str) -> int:
        return self._add(name, FWD, 0, 0)

    def array(self, target: int, index: int, count: int) -> int:
        return self._add("", ARRAY, 0, 0, struct.pack("=III", target, index, count))

    def struct(self, name: str, size: int, members: list[tuple[str, int, int]], kind: int = STRUCT) -> int:
        """Add a struct or union of members: name, type, bit offset; with the size of a bit field in its highest byte."""
        rest = b"".join(struct.pack("=III", self._name(m), target, offset) for m, target, offset in members)
        return self._add(name, kind, len(members), size, rest, flag=any(offset >> 24 for _m, _t, offset in members))

    def enum(self, name: str, values: list[tuple[str, int]], *, signed: bool = False) -> int:
        rest = b"".join(struct.pack("=II", self._name(word), value & 0xFFFFFFFF) for word, value in values)
        return self._add(name, ENUM, len(values), 4, rest, flag=signed)

    def enum64(self, name: str, values: list[tuple[str, int]], *, signed: bool = False) -> int:
        rest = b"".join(
            struct.pack("=III", self._name(word), value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF)
            for word, value in values
        )
        return self._add(name, ENUM64, len(values), 8, rest, flag=signed)

    def prototype(self, result: int, taken: list[int]) -> int:
        rest = b"".join(struct.pack("=II", 0, target) for target in taken)
        return self._add("", FUNC_PROTO, len(taken), result, rest)

    def data(self) -> bytes:
        """Return the whole."""
        sizes = (0, len(self._types), len(self._types), len(self._strings))
        return struct.pack("=HBBIIIII", 0xEB9F, 1, 0, 24, *sizes) + self._types + self._strings
