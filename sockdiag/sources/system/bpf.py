"""Maps of the kernel's BPF programs: what they hold, and the types of that (BTF).

**Source:** bpf(2); ``struct bpf_map_info``, ``struct bpf_btf_info``, include/uapi/linux/bpf.h.
"""

from __future__ import annotations

import ctypes
import os
from struct import Struct, pack

from sockdiag.errors import SourceError
from sockdiag.sources.system.proc_root import close_fd, source_error


class MapInfo:
    """What the kernel tells of a map.

    Attributes:
        fd: a descriptor of it.
        type: BPF_MAP_TYPE_….
        value_size: bytes of a value.
        btf_id: of its types.
        value_type: the type of a value among them.
    """

    __slots__ = ("btf_id", "fd", "type", "value_size", "value_type")

    def __init__(self, fd: int, kind: int, value_size: int, btf_id: int, value_type: int) -> None:
        self.fd = fd
        self.type = kind
        self.value_size = value_size
        self.btf_id = btf_id
        self.value_type = value_type


BPF_MAP_TYPE_SK_STORAGE = 24

_MAP_GET_FD_BY_ID, _OBJ_GET_INFO_BY_FD, _BTF_GET_FD_BY_ID = 14, 15, 19
_MAP_INFO_SIZE = 88
# type, value_size; btf_id, btf_value_type_id
_MAP_HEAD, _MAP_BTF = Struct("=I8xI"), Struct("=I4xI")
_MAP_BTF_AT = 64
_BTF_INFO = Struct("=QIIQII")  # btf, btf_size, id, name, name_len, kernel_btf
_MOST_BTF = 1 << 24
# __NR_bpf; the architectures that are not here share one table, include/uapi/asm-generic/unistd.h.
_NUMBERS = {
    "x86_64": 321,
    "i386": 357,
    "i686": 357,
    "armv7l": 386,
    "armv8l": 386,
    "ppc64": 361,
    "ppc64le": 361,
    "s390x": 351,
}
_GENERIC_NUMBER = 280


def call(command: int, attributes: bytes) -> int:
    """Call bpf(2) and return its result.

    Raises:
        SourceError: it failed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    number = _NUMBERS.get(os.uname().machine, _GENERIC_NUMBER)
    result = int(libc.syscall(number, command, ctypes.c_char_p(attributes), len(attributes)))
    if result < 0:
        raise source_error("bpf(2)", OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno())))
    return result


def open_map(number: int) -> int:
    """Return a descriptor of a map.

    Raises:
        SourceError: there is none of this id, or it takes privileges.
    """
    return call(_MAP_GET_FD_BY_ID, pack("=III", number, 0, 0))


def map_info(fd: int) -> MapInfo:
    """Return what a map is.

    Raises:
        SourceError: the kernel does not tell.
    """
    buffer = ctypes.create_string_buffer(_MAP_INFO_SIZE)
    call(_OBJ_GET_INFO_BY_FD, pack("=IIQ", fd, _MAP_INFO_SIZE, ctypes.addressof(buffer)))
    kind, value_size = _MAP_HEAD.unpack_from(buffer.raw)
    btf_id, value_type = _MAP_BTF.unpack_from(buffer.raw, _MAP_BTF_AT)
    return MapInfo(fd, kind, value_size, btf_id, value_type)


def btf(number: int) -> bytes:
    """Return the types that were loaded under this id, in the format of BTF.

    Raises:
        SourceError: there are none, or more than is sensible.
    """
    fd = call(_BTF_GET_FD_BY_ID, pack("=III", number, 0, 0))
    try:
        size = _BTF_INFO.unpack(_read_btf(fd, 0)[1])[1]
        if size > _MOST_BTF:
            raise SourceError("bpf(2)", f"{size} bytes of BTF")
        return _read_btf(fd, size)[0]
    finally:
        close_fd(fd)


def _read_btf(fd: int, size: int) -> tuple[bytes, bytes]:
    data = ctypes.create_string_buffer(size) if size else None
    info = ctypes.create_string_buffer(
        _BTF_INFO.pack(0 if data is None else ctypes.addressof(data), size, 0, 0, 0, 0), _BTF_INFO.size
    )
    call(_OBJ_GET_INFO_BY_FD, pack("=IIQ", fd, _BTF_INFO.size, ctypes.addressof(info)))
    return b"" if data is None else data.raw, info.raw
