"""Do work that may never return in a child process that can be left behind.

A thread that waits for a socket lock is in uninterruptible sleep: no signal ends it, so its process cannot end either.
The work is therefore done by a grandchild in its own session, which init adopts. It keeps only the pipe to us open, and
the pipe from us if it may ask questions. When it finally wakes up and we have let go, its next write fails and it exits.
"""

from __future__ import annotations

import errno
import gc
import os
from select import POLLIN, POLLOUT, poll
from struct import Struct
from time import monotonic

from sockdiag.errors import (
    ModuleMissing,
    NotCaptured,
    SourceDenied,
    SourceError,
    SourceInterrupted,
    SourceTruncated,
    SourceUnavailable,
)
from sockdiag.sources.system.children import new_pipe, new_process
from sockdiag.sources.system.proc_root import close_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    Child = TypeVar("Child", bound="DetachedProcess")
    Emit = Callable[[int, bytes], None]
    Task = Callable[[Emit], None]
    AskingTask = Callable[["Channel"], None]

# Kinds of frames. The others are the task's own.
END, FAILED, ASKED = 0, 1, 255
# The first one, with the process's number; for this module alone.
_STARTED = 254

_HEAD = Struct("=BI")  # kind, length of the payload
_LENGTH = Struct("=Q")
_PID = Struct("=I")
# How long to wait for the process to read an answer.
_PATIENCE_S = 30.0
# What a pipe holds. The memory of larger pieces goes back to the kernel after each, and is faulted in again.
_CHUNK = 1 << 16
_MOST_FILES = 1 << 20  # fs.nr_open; without close_range(2) each number is closed on its own
_ERRORS: dict[str, type[SourceError]] = {
    c.__name__: c
    for c in (
        SourceError,
        SourceUnavailable,
        ModuleMissing,
        NotCaptured,
        SourceDenied,
        SourceInterrupted,
        SourceTruncated,
    )
}


# This process is a detached one.
inside = False


class DetachedProcess:
    """A process that runs *task* and sends frames.

    Args:
        task: gets a function that sends a frame of some kind; an END frame follows when it returns, a FAILED one
            when it raises.
        name: names the work in errors.

    Attributes:
        ended: END or FAILED was received, or the process is gone without either.
    """

    __slots__ = ("_answers", "_buffer", "_fd", "_pid", "ended", "name")

    def __init__(self, task: Task, name: str) -> None:
        self._fd = self._answers = -1
        self._start(lambda writer: _work(task, writer), name)

    def _start(self, work: Callable[[int], None], name: str) -> None:
        self.name = name
        self.ended = False
        self._buffer = b""
        self._pid = 0
        self._fd, write_end = new_pipe(name)
        child = new_process(name, write_end)
        if child == 0:
            _first_child(lambda: work(write_end))
        close_fd(write_end)
        try:  # noqa: SIM105  # contextlib is not for start-up
            os.waitpid(child, 0)
        except ChildProcessError:
            pass  # SIGCHLD is ignored in this program: the kernel has reaped it

    def frames(self) -> list[tuple[int, bytes]]:
        """Read the frames that have arrived, END and FAILED included; wait for the first bytes, which may give none."""
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return []
        except OSError as error:
            self.ended = True
            reason = f"worker process cannot be heard: {os.strerror(error.errno or 0)}"
            return [(FAILED, packed(SourceTruncated(self.name, reason, error.errno)))]
        if not data:
            self.ended = True
            return [(FAILED, packed(SourceTruncated(self.name, "worker process died")))]
        data = self._buffer + data
        offset, found = 0, []
        while len(data) - offset >= _HEAD.size:
            kind, length = _HEAD.unpack_from(data, offset)
            end = offset + _HEAD.size + length
            if end > len(data):
                break
            if kind == _STARTED:
                self._pid = _PID.unpack_from(data, offset + _HEAD.size)[0]
            else:
                found.append((kind, data[offset + _HEAD.size : end]))
            self.ended = self.ended or kind in (END, FAILED)
            offset = end
        self._buffer = data[offset:]
        return found

    def is_running(self) -> bool:
        """Return whether the process has a CPU or waits for one, or has not begun: it is slow, and waits for nothing else."""
        if not self._pid:
            return not self.ended
        try:
            with open(f"/proc/{self._pid}/stat", "rb", 0) as file:
                return file.read(4096).rpartition(b")")[2][:3] == b" R "
        except OSError:
            return False

    def close(self) -> None:
        """Let go of the process: it ends at its next write."""
        for fd in (self._fd, self._answers):
            if fd >= 0:
                close_fd(fd)
        self._fd = self._answers = -1

    def __del__(self) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there are frames."""
        return self._fd


class DetachedWorker(DetachedProcess):
    """A detached process that may ask this one questions; the reader of an ASKED frame answers it.

    Args:
        task: gets its end of the channel.
        name: names the work in errors.
    """

    __slots__ = ()

    def __init__(self, task: AskingTask, name: str) -> None:
        self._fd = self._answers = -1
        read_end, self._answers = new_pipe(name)
        os.set_blocking(self._answers, False)
        try:
            self._start(lambda writer: _work_asking(task, writer, read_end), name)
        finally:
            close_fd(read_end)

    def answer(self, payload: bytes) -> None:
        """Answer an ASKED frame; do not wait for a process that no longer listens."""
        data = memoryview(_LENGTH.pack(len(payload)) + payload)
        poller = poll()
        poller.register(self._answers, POLLOUT)
        until = monotonic() + _PATIENCE_S
        while data and poller.poll(max(0.0, until - monotonic()) * 1000):
            try:
                data = data[os.write(self._answers, data) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                return  # frames() reports its end


def wait(children: Iterable[Child], seconds: float) -> list[Child]:
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


def packed(error: SourceError) -> bytes:
    """Return the payload of a FAILED frame."""
    parts = (type(error).__name__, error.source, error.reason, str(error.errno or 0), error.hint)
    return "\0".join(part.replace("\0", "?") for part in parts).encode("utf-8", "surrogateescape")


def unforeseen(error: Exception) -> SourceTruncated:
    """Return the SourceError that reports an error of another kind."""
    return SourceTruncated("", f"{type(error).__name__}: {error}", errno.EIO)


def _first_child(work: Callable[[], None]) -> None:
    # init adopts and reaps the grandchild; this program does not wait for it.
    try:
        os.setsid()
        if os.fork() == 0:
            work()
    finally:
        os._exit(0)


def _work(task: Task, write_end: int) -> None:
    global inside
    inside = True
    try:
        # Memory that is not written to stays shared with the parent's.
        gc.disable()
        (pipe,) = only(write_end)
        emit = emitter(pipe)
        emit(_STARTED, _PID.pack(os.getpid()))
        _run(task, emit)
    finally:
        os._exit(0)


def _work_asking(task: AskingTask, write_end: int, read_end: int) -> None:
    global inside
    inside = True
    try:
        gc.disable()
        pipe, answers = only(write_end, read_end)
        line = Channel(emitter(pipe), answers)
        _run(lambda _emit: task(line), line.emit)
    finally:
        os._exit(0)


class Channel:
    """A detached process's connection to its maker; when the maker is gone, the process ends.

    Attributes:
        emit: sends a frame of some kind.
    """

    __slots__ = ("_answers", "emit")

    def __init__(self, emit: Emit, answers: int) -> None:
        self.emit = emit
        self._answers = answers

    def ask(self, payload: bytes) -> bytes:
        """Send a question and wait for the answer."""
        self.emit(ASKED, payload)
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        return self._exactly(length)

    def told(self) -> bool:
        """Return whether the maker has sent what it sends unasked: an empty answer, which is the sign to come to an end."""
        poller = poll()
        poller.register(self._answers, POLLIN)
        if not poller.poll(0):
            return False
        self._exactly(_LENGTH.size)
        return True

    def rest(self, until: float) -> None:
        """Sleep until a time of the monotonic clock."""
        poller = poll()
        poller.register(self._answers, POLLIN)
        while (seconds := until - monotonic()) > 0:
            if poller.poll(seconds * 1000):
                os._exit(0)  # no answer is due: the maker has closed the pipe

    def _exactly(self, length: int) -> bytes:
        pieces = []
        while length:
            piece = os.read(self._answers, min(length, _CHUNK))
            if not piece:
                os._exit(0)
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)


def emitter(pipe: int) -> Emit:
    """Return a function that sends frames through a pipe."""

    def emit(kind: int, payload: bytes) -> None:
        frame = memoryview(_HEAD.pack(kind, len(payload)) + payload)
        while frame:
            frame = frame[os.write(pipe, frame) :]

    return emit


def _run(task: Task, emit: Emit) -> None:
    try:
        task(emit)
    except SourceError as error:
        emit(FAILED, packed(error))
    except Exception as error:  # the parent must learn of any error
        emit(FAILED, packed(unforeseen(error)))
    else:
        emit(END, b"")


def only(*fds: int) -> list[int]:
    """Close all descriptors of this process but some, and return the new numbers of those.

    Standard streams become /dev/null: a reader of our output must not wait for this process.
    """
    kept = []
    for fd in fds:
        while fd < 3:
            fd = os.dup(fd)  # noqa: PLW2901
        kept.append(fd)
    start = 3
    for fd in sorted(kept):
        os.closerange(start, fd)
        start = fd + 1
    os.closerange(start, min(max(os.sysconf("SC_OPEN_MAX"), 1024), _MOST_FILES))
    # Only now, where this process had no descriptors left.
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    close_fd(null)
    return kept
