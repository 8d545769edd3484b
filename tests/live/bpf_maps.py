"""Socket storage, made with bpf(2) as a loader of programs makes it."""

from __future__ import annotations

import ctypes
import struct
from pathlib import Path

from sockdiag.sources.system import bpf

_MAP_CREATE, _MAP_UPDATE, _BTF_LOAD = 0, 2, 18
_SK_STORAGE, _NO_PREALLOC = 24, 1


def load_types(data: bytes) -> int:
    """Give types to the kernel; return their descriptor."""
    buffer = ctypes.create_string_buffer(data, len(data))
    return bpf.call(_BTF_LOAD, struct.pack("=QQIIII", ctypes.addressof(buffer), 0, len(data), 0, 0, 0))


def make_map(types: int, key: int, value: int, size: int) -> int:
    """Make a map of socket storage; return its descriptor."""
    return bpf.call(
        _MAP_CREATE,
        struct.pack("=IIIIIII16sIIII", _SK_STORAGE, 4, size, 0, _NO_PREALLOC, 0, 0, b"stored", 0, types, key, value),
    )


def map_id(fd: int) -> int:
    """Return the id of a map."""
    for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines():
        name, _colon, value = line.partition(":")
        if name == "map_id":
            return int(value)
    raise LookupError(fd)


def store(fd: int, socket: int, value: bytes) -> None:
    """Store a value with a socket."""
    key = ctypes.create_string_buffer(struct.pack("=i", socket), 4)
    data = ctypes.create_string_buffer(value, len(value))
    bpf.call(_MAP_UPDATE, struct.pack("=IIQQQ", fd, 0, ctypes.addressof(key), ctypes.addressof(data), 0))
