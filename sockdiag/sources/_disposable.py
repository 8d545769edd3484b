"""A child process for work that may never return, and that is left behind when it does not.

A thread that waits for a socket lock is in uninterruptible sleep: no signal ends it, and neither can the process that it
belongs to end. So the work is done by a grandchild of its own session, which init inherits and which has nothing of
ours open but one pipe. When it wakes up at last, its next write to that pipe fails and it ends.
"""

from __future__ import annotations

import errno
import gc
import os
from select import POLLIN, poll
from struct import Struct
from time import monotonic

from sockdiag.errors import SourceDenied, SourceError, SourceInterrupted, SourceTruncated, SourceUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Emit = Callable[[int, bytes], None]
    Task = Callable[[Emit], None]

# Kinds of frames. Those from 2 up are the task's own.
END, FAILED = 0, 1

_HEAD = Struct("=BI")  # kind, length of the payload
_CHUNK = 1 << 18
_MOST_FILES = 1 << 20  # fs.nr_open; without close_range(2) each number is closed on its own
_ERRORS: dict[str, type[SourceError]] = {
    c.__name__: c for c in (SourceError, SourceUnavailable, SourceDenied, SourceInterrupted, SourceTruncated)
}


class Disposable:
    """A process that runs *task* and sends frames.

    Args:
        task: gets a function that sends a frame of some kind; an END frame follows when it returns, a FAILED one
            when it raises.
        name: names the work in errors.

    Attributes:
        ended: END or FAILED was received, or the process is gone without either.
    """

    __slots__ = ("_buffer", "_fd", "ended", "name")

    def __init__(self, task: Task, name: str) -> None:
        self.name = name
        self.ended = False
        self._fd = -1
        self._buffer = b""
        self._fd, write_end = os.pipe()
        try:
            child = os.fork()
        except OSError as error:
            os.close(self._fd)
            os.close(write_end)
            reason = f"no process could be started: {os.strerror(error.errno or 0)}"
            raise SourceTruncated(name, reason, error.errno) from None
        if child == 0:
            _first_child(task, write_end)
        os.close(write_end)
        try:  # noqa: SIM105  # contextlib is not for start-up
            os.waitpid(child, 0)
        except ChildProcessError:
            pass  # SIGCHLD is ignored in this program: the kernel has reaped it

    def frames(self) -> list[tuple[int, bytes]]:
        """Read what there is, END and FAILED included; waits when there is nothing."""
        data = os.read(self._fd, _CHUNK)
        if not data:
            self.ended = True
            return [(FAILED, _packed(SourceTruncated(self.name, "the process that asked has died")))]
        data = self._buffer + data
        offset, found = 0, []
        while len(data) - offset >= _HEAD.size:
            kind, length = _HEAD.unpack_from(data, offset)
            end = offset + _HEAD.size + length
            if end > len(data):
                break
            found.append((kind, data[offset + _HEAD.size : end]))
            self.ended = self.ended or kind in (END, FAILED)
            offset = end
        self._buffer = data[offset:]
        return found

    def close(self) -> None:
        """Let go of the process: it ends at its next write."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there are frames."""
        return self._fd


def wait(children: Iterable[Disposable], seconds: float) -> list[Disposable]:
    """Return those that have something to read, none after *seconds*."""
    by_fd = {child.fileno(): child for child in children}
    poller = poll()
    for fd in by_fd:
        poller.register(fd, POLLIN)
    until = monotonic() + seconds
    while True:
        try:
            return [by_fd[fd] for fd, _event in poller.poll(max(0.0, until - monotonic()) * 1000)]
        except InterruptedError:
            continue


def error_of(payload: bytes) -> SourceError:
    """Return the error in a FAILED frame."""
    kind, source, reason, number, hint = payload.decode("utf-8", "surrogateescape").split("\0")
    return _ERRORS.get(kind, SourceError)(source, reason, int(number) or None, hint)


def _packed(error: SourceError) -> bytes:
    parts = (type(error).__name__, error.source, error.reason, str(error.errno or 0), error.hint)
    return "\0".join(part.replace("\0", "?") for part in parts).encode("utf-8", "surrogateescape")


def _first_child(task: Task, write_end: int) -> None:
    # Its child is nobody's but init's: nobody waits for it.
    try:
        os.setsid()
        if os.fork() == 0:
            _work(task, write_end)
    finally:
        os._exit(0)


def _work(task: Task, write_end: int) -> None:
    def emit(kind: int, payload: bytes) -> None:
        frame = _HEAD.pack(kind, len(payload)) + payload
        while frame:
            frame = frame[os.write(pipe, frame) :]

    # Memory that is not written to stays shared with the parent's.
    gc.disable()
    try:
        pipe = only(write_end)
        try:
            task(emit)
        except SourceError as error:
            emit(FAILED, _packed(error))
        except Exception as error:  # whatever it is, the parent must hear of it
            emit(FAILED, _packed(SourceTruncated("", f"{type(error).__name__}: {error}", errno.EIO)))
        else:
            emit(END, b"")
    finally:
        os._exit(0)


def only(fd: int) -> int:
    """Close all descriptors of this process but one, and return its number, which may be another one then.

    Standard streams become /dev/null: a reader of our output must not wait for this process.
    """
    null = os.open(os.devnull, os.O_RDWR)
    pipe = os.dup(fd)
    while pipe < 3:
        pipe = os.dup(fd)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.closerange(3, pipe)
    os.closerange(pipe + 1, min(max(os.sysconf("SC_OPEN_MAX"), 1024), _MOST_FILES))
    return pipe
