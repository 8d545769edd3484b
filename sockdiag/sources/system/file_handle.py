"""File handles, by which the kernel names files in numbers: a cgroup's handle is its id.

Source: name_to_handle_at(2).
"""

from __future__ import annotations

import os
from struct import Struct

from sockdiag.sources.system.proc_root import source_error

_AT_FDCWD = -100
# handle_bytes, handle_type
_HEAD = Struct("=Ii")


def handle(path: str, room: int) -> bytes:
    """Return the handle of a file.

    Args:
        path: its path.
        room: the most bytes that a handle may have.

    Raises:
        SourceError: there is no such file, or its file system has no handles, or longer ones.
    """
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(_HEAD.pack(room, 0) + bytes(room), _HEAD.size + room)
    mount = ctypes.c_int()
    if libc.name_to_handle_at(_AT_FDCWD, os.fsencode(path), buffer, ctypes.byref(mount), 0) < 0:
        raise source_error(path, OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno())))
    return buffer.raw[_HEAD.size :][: _HEAD.unpack_from(buffer.raw)[0]]
