"""Which process of this pid namespace a task is that a tracepoint names.

Tracepoints name the current task by its number in the first pid namespace. A perf event of the same tracepoint has that number
too, beside the process id in the pid namespace of whoever opened it, 0 for a task that is not in that namespace. Each of its
samples so proves what one number means here.

Source: ``perf_event_pid_type()``, kernel/events/core.c; ``struct perf_event_attr``, ``struct perf_event_mmap_page``,
include/uapi/linux/perf_event.h.
"""

from __future__ import annotations

import ctypes
import os
from mmap import ACCESS_WRITE, PAGESIZE, mmap
from struct import Struct, pack
from struct import error as struct_error

from sockdiag.errors import SourceError, SourceUnavailable, strerror
from sockdiag.kernel.byte_order import ORDER, U64
from sockdiag.sources.system.proc_root import close_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SOURCE = "perf_event_open"
# __NR_perf_event_open; the architectures that are not here share one table, include/uapi/asm-generic/unistd.h.
_NUMBERS = {
    "x86_64": 298,
    "i386": 336,
    "i686": 336,
    "armv7l": 364,
    "armv8l": 364,
    "ppc64": 319,
    "ppc64le": 319,
    "s390x": 331,
}
_GENERIC_NUMBER = 241
_TYPE_TRACEPOINT, _SAMPLE_TID, _SAMPLE_RAW, _CLOEXEC = 2, 1 << 1, 1 << 10, 8
_ATTR_SIZE = 112  # PERF_ATTR_SIZE_VER5, Linux 4.1
_SET_FILTER = 0x40082406
_SET_FILTER_POWER = 0x80082406
_HEADER = Struct(f"{ORDER}IHH")  # type, misc, size
# pid, tid; size of the raw data; its common_type, flags, preempt_count, pid
_SAMPLE = Struct(f"{ORDER}iiIHBBi")
_RECORD_SAMPLE = 9
_HEAD_AT, _TAIL_AT = 1024, 1032
# Per CPU; all CPUs together at most 8 MiB.
_PAGES, _ALL_PAGES = 64, 2048
_MOST_TASKS = 50_000


class TaskNumbers:
    """Learns what the numbers of tasks mean, from the same tracepoint that names them.

    Args:
        tracepoint: number of the tracepoint.
        condition: the kernel's filter.
        cpus: CPUs that have a buffer.

    Raises:
        SourceError: the kernel does not offer it, or not to us.
    """

    def __init__(self, tracepoint: int, condition: str, cpus: Iterable[int]) -> None:
        self._known: dict[int, int] = {}
        self._rings: list[tuple[int, mmap]] = []
        cpus = list(cpus)
        pages = _PAGES
        while pages > 1 and pages * len(cpus) > _ALL_PAGES:
            pages >>= 1
        try:
            for cpu in cpus:
                fd = _open(tracepoint, cpu)
                if fd >= 0:
                    self._rings.append((fd, _map(fd, pages)))
                    _filter(fd, condition)
        except BaseException:
            self.close()
            raise

    def read(self) -> None:
        """Take in the samples that have come."""
        known = self._known
        if len(known) > _MOST_TASKS:
            known.clear()
        for _fd, ring in self._rings:
            size = len(ring) - PAGESIZE
            head, at = U64.unpack_from(ring, _HEAD_AT)[0], U64.unpack_from(ring, _TAIL_AT)[0]
            data = bytes(ring[PAGESIZE:])
            while at < head:
                place = at % size
                kind, _misc, length = _HEADER.unpack_from(data, place)
                if length < _HEADER.size:
                    break
                if kind == _RECORD_SAMPLE:
                    body = data[place + _HEADER.size : place + length]
                    if place + length > size:
                        body += data[: place + length - size]
                    try:
                        pid, _tid, _raw, _type, _flags, _count, task = _SAMPLE.unpack_from(body)
                    except struct_error:
                        break
                    known[task] = pid
                at += length
            ring[_TAIL_AT : _TAIL_AT + 8] = U64.pack(head)

    def process_of(self, task: int) -> int | None:
        """Return the process id here of a task; 0 if it is in another pid namespace, None if no sample has told."""
        pid = self._known.get(task)
        return None if pid is None or pid < 0 else pid

    def close(self) -> None:
        """Stop learning."""
        for fd, ring in self._rings:
            ring.close()
            close_fd(fd)
        self._rings = []


def _open(tracepoint: int, cpu: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    number = _NUMBERS.get(os.uname().machine, _GENERIC_NUMBER)
    attr = pack(f"{ORDER}IIQQQ", _TYPE_TRACEPOINT, _ATTR_SIZE, tracepoint, 1, _SAMPLE_TID | _SAMPLE_RAW)
    buffer = ctypes.create_string_buffer(attr, _ATTR_SIZE)
    fd = int(libc.syscall(number, buffer, -1, cpu, -1, _CLOEXEC))
    if fd < 0:
        error = ctypes.get_errno()
        if error == _ENODEV:
            return -1  # it is offline
        raise SourceUnavailable(SOURCE, strerror(error), error)
    return fd


_ENODEV = 19


def _map(fd: int, pages: int) -> mmap:
    while True:
        try:
            return mmap(fd, (1 + pages) * PAGESIZE, access=ACCESS_WRITE)
        except OSError as error:
            if pages > 1:
                pages >>= 1
                continue
            close_fd(fd)
            raise SourceError(SOURCE, f"mmap: {strerror(error.errno or 0)}", error.errno) from None


def _filter(fd: int, condition: str) -> None:
    from fcntl import ioctl

    operation = _SET_FILTER_POWER if os.uname().machine.startswith("ppc") else _SET_FILTER
    try:
        ioctl(fd, operation, condition.encode("ascii") + b"\0")
    except OSError:
        return  # it then samples more than is needed
