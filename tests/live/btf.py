"""Structs of the running kernel, from its own type information (/sys/kernel/btf/vmlinux).

Format: Documentation/bpf/btf.rst. A header, then types one after the other, then their names.
"""

from __future__ import annotations

import struct
from pathlib import Path

PATH = Path("/sys/kernel/btf/vmlinux")

# Bytes after the common part of a type, by kind: fixed, and for each of its vlen elements.
_SIZES = {
    1: (4, 0),
    3: (12, 0),
    4: (0, 12),
    5: (0, 12),
    6: (0, 8),
    13: (0, 8),
    14: (4, 0),
    15: (0, 12),
    17: (4, 0),
    19: (0, 12),
}
_STRUCT = 4


def structs(names: set[str]) -> dict[str, tuple[int, dict[str, tuple[int, int]]]]:
    """Return of each struct its size, and of each member its offset and size in bits; size 0: not a bit field."""
    data = PATH.read_bytes()
    (_magic, _version, _flags, header, types, types_len, strings, _strings_len) = struct.unpack_from("=HBBIIIII", data)
    strings += header

    def text(offset: int) -> str:
        return data[strings + offset : data.index(b"\0", strings + offset)].decode()

    found: dict[str, tuple[int, dict[str, tuple[int, int]]]] = {}
    offset, end = header + types, header + types + types_len
    while offset < end:
        name, meta, size = struct.unpack_from("=III", data, offset)
        offset += 12
        kind, count, bit_fields = meta >> 24 & 0x1F, meta & 0xFFFF, meta >> 31
        if kind == _STRUCT and name and text(name) in names:
            members = {}
            for index in range(count):
                member, _type, place = struct.unpack_from("=III", data, offset + 12 * index)
                members[text(member)] = (place & 0xFFFFFF, place >> 24) if bit_fields else (place, 0)
            found[text(name)] = (size, members)
        fixed, each = _SIZES.get(kind, (0, 0))
        offset += fixed + count * each
    return found
