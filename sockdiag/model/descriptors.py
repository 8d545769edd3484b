"""How many files a process has open, and may have."""

from __future__ import annotations

from sockdiag.model.record import COUNT, ID, LABEL, Record, field


class Descriptors(Record):
    """Open files of one process. Source: ``/proc/PID/fd``, ``/proc/PID/limits``."""

    pid: int = field("Process.", kind=ID, sources=("/proc/PID",))
    comm: bytes | None = field("Its name.", kind=LABEL, sources=("/proc/PID/comm",))
    open: int = field("Open descriptors.", unit=COUNT, kernel="files->fdt", sources=("/proc/PID/fd",))
    limit: int | None = field(
        "Most that it may have open, its soft limit; null is unlimited.",
        unit=COUNT,
        kernel="rlimit(RLIMIT_NOFILE)",
        sources=("/proc/PID/limits",),
    )
    inodes: frozenset[int] = field(
        "sockfs inodes of the sockets among the first of them.", default=frozenset(), kind=ID
    )
