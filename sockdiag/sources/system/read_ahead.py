"""Let the kernel fill the rest of a long answer while this process works on what has come.

A dump is made by the kernel within recvmsg(2), so a program that works on each datagram makes the kernel wait, and waits for
it. After the first of a long answer a child process receives, on the same socket, and passes everything on through a pipe;
this process still checks each datagram. Short answers, a single CPU and processes that are children themselves do without.
Of 200,000 TCP sockets ``ss -tan`` then takes 0.41 s of this process's CPU time instead of 0.54 s, ``list --csv`` 0.38 s instead of 0.46 s.
"""

from __future__ import annotations

import errno
import gc
import os
from _socket import socket  # start-up: docs/rejected.md
from struct import Struct

from sockdiag.sources.system import detached
from sockdiag.sources.system.detached import END, DetachedProcess, emitter, only, wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Frames: a datagram behind its sender and flags; an error number.
_DATAGRAM, _ERROR = 2, 3
_HEAD = Struct("=II")
_NUMBER = Struct("=I")


class ReadAhead:
    """Receives from a netlink socket in a child process.

    Args:
        channel: the socket; nobody else may receive from it any more.
        size: bytes that a datagram may have.
        is_last: tells of a datagram and its sender whether it ends the answer.
        name: names the work in errors.
        patience_s: seconds to wait for a datagram.

    Raises:
        SourceTruncated: no process could be made.
    """

    __slots__ = ("_child", "_frames", "_patience_s")

    def __init__(
        self, channel: socket, size: int, is_last: Callable[[bytes, int], bool], name: str, patience_s: float
    ) -> None:
        self._patience_s = patience_s
        self._frames: list[tuple[int, bytes]] = []
        fd = channel.fileno()
        self._child = _Receiver(lambda pipe: _receive(pipe, fd, size, is_last), name)

    def recvmsg(self, _size: int) -> tuple[bytes, list[object], int, tuple[int, int]]:
        """Receive as the socket itself does.

        Raises:
            OSError: as recvmsg(2); EAGAIN where the child does not answer.
        """
        while not self._frames:
            if self._child.ended or not wait((self._child,), self._patience_s):
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            self._frames = self._child.frames()
            self._frames.reverse()
        kind, payload = self._frames.pop()
        if kind == _DATAGRAM:
            sender, flags = _HEAD.unpack_from(payload)
            return payload[_HEAD.size :], [], flags, (sender, 0)
        number = _NUMBER.unpack(payload)[0] if kind == _ERROR else errno.EIO
        raise OSError(number, os.strerror(number))

    def close(self) -> None:
        """Let the child end."""
        self._child.close()


class _Receiver(DetachedProcess):
    """A detached process that keeps another descriptor than its pipe."""

    __slots__ = ()

    def __init__(self, work: Callable[[int], None], name: str) -> None:
        self._fd = self._answers = -1
        self._start(work, name)


def _receive(write_end: int, fd: int, size: int, is_last: Callable[[bytes, int], bool]) -> None:
    try:
        gc.disable()
        pipe, fd = only(write_end, fd)
        channel, emit = socket(fileno=fd), emitter(pipe)
        last = False
        while not last:
            try:
                data, _ancillary, flags, (sender, _groups) = channel.recvmsg(size)
            except OSError as error:
                emit(_ERROR, _NUMBER.pack(error.errno or 0))
                break
            last = is_last(data, sender)
            emit(_DATAGRAM, _HEAD.pack(sender, flags) + data)
        emit(END, b"")
    finally:
        os._exit(0)


def worthwhile() -> bool:
    """Return whether another process could receive while this one works."""
    return not detached.inside and len(os.sched_getaffinity(0)) > 1
