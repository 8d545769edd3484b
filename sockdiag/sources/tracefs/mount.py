"""Reach tracefs where it is mounted, or mount it for this process alone, attached nowhere."""

from __future__ import annotations

import ctypes
import errno
import os

from sockdiag.errors import SourceDenied, SourceError, SourceUnavailable, strerror
from sockdiag.sources.system.proc_root import source_error

SOURCE = "tracefs"
PLACES = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
# The same numbers on every architecture (alpha adds 110).
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_CLOEXEC, _CONFIG_CREATE = 1, 6
_LOCKDOWN = "/sys/kernel/security/lockdown"


def open_tracefs() -> int:
    """Return a descriptor of the root folder of tracefs, for the caller to close.

    Raises:
        SourceDenied: only root may read it, or the kernel is locked down.
        SourceUnavailable: the kernel has no tracefs.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    for path in PLACES:
        try:
            fd = os.open(path, flags)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                raise _denied(path, error.errno) from None
            continue
        if _is_tracefs(fd):
            return fd
        os.close(fd)
    return _detached()


def _is_tracefs(fd: int) -> bool:
    try:
        os.stat("instances", dir_fd=fd)
        os.stat("trace_clock", dir_fd=fd)
    except OSError:
        return False
    return True


def _detached() -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    context = libc.syscall(_FSOPEN, b"tracefs", _CLOEXEC)
    if context < 0:
        raise _refused("fsopen")
    try:
        if libc.syscall(_FSCONFIG, context, _CONFIG_CREATE, None, None, 0) < 0:
            raise _refused("fsconfig")
        mount = int(libc.syscall(_FSMOUNT, context, _CLOEXEC, 0))
        if mount < 0:
            raise _refused("fsmount")
    finally:
        os.close(context)
    # What fsmount returns is an O_PATH descriptor, in which no folder can be listed.
    try:
        root = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=mount)
    except OSError as error:
        raise source_error(SOURCE, error) from None
    finally:
        os.close(mount)
    if not _is_tracefs(root):
        os.close(root)
        raise SourceUnavailable(SOURCE, "the kernel offers no tracepoints here", hint=_hint())
    return root


def _refused(call: str) -> SourceError:
    number = ctypes.get_errno()
    if number in (errno.EPERM, errno.EACCES):
        return _denied(SOURCE, number)
    if number in (errno.ENODEV, errno.ENOSYS, errno.EINVAL):
        reason = f"{call}: {strerror(number)}"
        return SourceUnavailable(
            SOURCE, reason, number, "the kernel has no tracefs, or it is too old to mount it for us"
        )
    return SourceError(SOURCE, f"{call}: {strerror(number)}", number)


def _denied(path: str, number: int) -> SourceDenied:
    return SourceDenied(path, strerror(number), number, _hint() or "tracing needs root: CAP_SYS_ADMIN on the host")


def _hint() -> str:
    try:
        with open(_LOCKDOWN, encoding="ascii", errors="replace") as file:
            state = file.read()
    except OSError:
        return ""
    return "the kernel is locked down: confidentiality" if "[confidentiality]" in state else ""
