"""Network namespaces kept by nothing but a socket: its maker has gone, and another process holds it.

No file leads into such a namespace, but the socket does: SIOCGSKNS on a copy of its descriptor returns a descriptor of
the namespace, which can be entered as long as that is open here.
"""

from __future__ import annotations

import os
from errno import ENOSYS, ESRCH
from fcntl import ioctl

from sockdiag.errors import SourceError, SourceUnavailable
from sockdiag.model.provenance import Gap, Namespace
from sockdiag.sources.namespaces.search import FoundNamespace
from sockdiag.sources.process.pidfd_getfd import copied
from sockdiag.sources.system.proc_root import close_fd, source_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_SIOCGSKNS = 0x894C  # include/uapi/linux/sockios.h
_SOURCE = "SIOCGSKNS"

# Sockets that are asked.
MOST = 20_000


def find_kept(sockets: Mapping[int, tuple[int, int]], known: Collection[int]) -> tuple[list[FoundNamespace], list[Gap]]:
    """Find the namespaces of sockets that no known one was seen to list.

    Most are in a known one all the same: a TCP socket that is neither bound nor connected is in no table.

    Source: ``sock_ioctl()``, net/socket.c (Linux 4.10); ``pidfd_getfd(2)`` (5.6).

    Args:
        sockets: process and descriptor by inode.
        known: inodes of the namespaces that are known.

    Returns:
        Places of those that are not, whose paths are good as long as this process lives; and what could not be asked.
    """
    found: dict[int, FoundNamespace] = {}
    refused: dict[tuple[str, int | None, str], int] = {}
    # One process after the other, as they were found.
    opened, handle = 0, -1
    for inode, (pid, fd) in list(sockets.items())[:MOST]:
        try:
            if pid != opened:
                _close(handle)
                opened, handle = pid, -1
                handle = _opened(pid)
            namespace = _namespace_of(handle, pid, fd, inode)
        except SourceUnavailable as error:
            if error.errno == ENOSYS:  # the kernel is too old
                refused[error.reason, error.errno, error.hint] = len(sockets)
                break
            continue  # the process has ended, or has closed it
        except SourceError as error:
            kind = (os.strerror(error.errno) if error.errno else error.reason, error.errno, error.hint)
            refused[kind] = refused.get(kind, 0) + 1
            continue
        number = os.fstat(namespace).st_ino
        if number in known or number in found:
            close_fd(namespace)
        else:
            found[number] = FoundNamespace(Namespace(None, number), f"/proc/{os.getpid()}/fd/{namespace}", "socket")
    _close(handle)
    gaps = [
        Gap(
            _SOURCE, f"{count} sockets may be in network namespaces that only sockets keep open: {reason}", number, hint
        )
        for (reason, number, hint), count in refused.items()
    ]
    if len(sockets) > MOST:
        gaps.append(
            Gap(
                _SOURCE,
                f"the network namespaces of {len(sockets) - MOST} sockets outside all tables were not looked up",
            )
        )
    return sorted(found.values(), key=lambda place: place.namespace.inode or 0), gaps


def namespace_of(pid: int, fd: int, inode: int) -> FoundNamespace:
    """Find the namespace of a socket that a process holds, which need not be the namespace of the process.

    A descriptor may have come from elsewhere, and an accepted unix socket is in the namespace of its client
    (``unix_stream_connect()``). The path is good as long as this process lives.

    Raises:
        SourceError: the socket cannot be asked.
    """
    handle = _opened(pid)
    try:
        namespace = _namespace_of(handle, pid, fd, inode)
    finally:
        _close(handle)
    return FoundNamespace(Namespace(None, os.fstat(namespace).st_ino), f"/proc/{os.getpid()}/fd/{namespace}", "socket")


def _opened(pid: int) -> int:
    """Return a pidfd, or -1 if the process has ended."""
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno == ESRCH:
            return -1
        raise source_error("pidfd_open", error) from None


def _close(handle: int) -> None:
    if handle >= 0:
        close_fd(handle)


def _namespace_of(handle: int, pid: int, fd: int, inode: int) -> int:
    """Return a descriptor of the namespace that a socket is in.

    Raises:
        SourceUnavailable: it is closed by now, or the kernel is too old.
        SourceDenied: its process may not be traced, or CAP_NET_ADMIN is lacking there.
    """
    if handle < 0:
        raise SourceUnavailable(f"/proc/{pid}", "the process has ended")
    copy = copied(handle, pid, fd)
    try:
        if os.fstat(copy).st_ino != inode:
            raise SourceUnavailable(f"/proc/{pid}/fd/{fd}", "descriptor was reused")
        return ioctl(copy, _SIOCGSKNS)
    except OSError as error:
        raise source_error(_SOURCE, error) from None
    finally:
        close_fd(copy)
