"""A trace instance of our own: its buffers, events and filters concern no other user of tracefs, and end with us.

A process of its own removes it when this one ends, however that happens. Should both be killed, the next run recognizes what
they left: its user holds a lock on its folder, which the kernel gives up with the process. A process id would not do, because a
trace in another pid namespace has one that means nothing here.
"""

from __future__ import annotations

import errno
import os
import signal
from fcntl import LOCK_EX, LOCK_NB, flock

from sockdiag.errors import SourceDenied, SourceError, SourceUnavailable
from sockdiag.sources.system.proc_root import close_fd, source_error
from sockdiag.sources.tracefs.formats import parse_format
from sockdiag.sources.tracefs.mount import open_tracefs
from sockdiag.sources.tracefs.ring import parse_header_page

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

    from sockdiag.sources.tracefs.formats import TraceFormat

# The rest of a name is the process id, for people who list the folder, and random bytes.
_PREFIX = "sockdiag-"
_RANDOM = 4
# All CPUs together: some 250,000 events.
_BUFFER_KIB = 20 << 10
_LEAST_KIB = 256
_LARGEST_FILE = 1 << 20
_ATTEMPTS = 50


class TraceInstance:
    """An instance with buffers and a clock, and nothing enabled yet; a context that removes it.

    Args:
        buffer_kib: size of the buffer of each CPU; None for what a busy host needs.

    Attributes:
        layout: where the parts of a page are.
        name: its name.

    Raises:
        SourceDenied: it needs root.
        SourceUnavailable: the kernel has no tracefs, or no instances.
    """

    def __init__(self, buffer_kib: int | None = None) -> None:
        self._root = open_tracefs()
        self._buffer_kib = buffer_kib
        self._folder = -1
        self._pipes: list[int] = []
        self._guard = -1
        self.name = ""
        try:
            remove_leftovers(self._root)
            self.layout = parse_header_page(self._read(self._root, "events/header_page"))
            self._make()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _make(self) -> None:
        for _ in range(_ATTEMPTS):
            name = f"{_PREFIX}{os.getpid()}-{os.urandom(_RANDOM).hex()}"
            try:
                os.mkdir(f"instances/{name}", dir_fd=self._root)
            except OSError as error:
                raise source_error("tracefs/instances", error) from None
            # Until it is locked another run may take it for a leftover.
            self._folder = _locked(self._root, name)
            if self._folder >= 0:
                break
        else:
            raise SourceUnavailable("tracefs/instances", "other runs remove what this one makes")
        self.name = name
        self._guard = _guard(self._root, self.name)
        self.write("trace_clock", "mono")
        size = self._buffer_kib or max(_LEAST_KIB, _BUFFER_KIB // max(1, len(self.cpus())))
        self.write("buffer_size_kb", str(size))

    def cpus(self) -> list[int]:
        """Return the CPUs that have a buffer."""
        try:
            folder = os.open("per_cpu", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._folder)
        except OSError as error:
            raise source_error(f"tracefs/{self.name}/per_cpu", error) from None
        try:
            return sorted(int(name[3:]) for name in os.listdir(folder) if name[:3] == "cpu" and name[3:].isdecimal())
        finally:
            close_fd(folder)

    def format_of(self, event: str) -> TraceFormat | None:
        """Read the format of an event such as ``skb/kfree_skb``; None where this kernel has no such event.

        Raises:
            ParseError: it is of another shape.
            SourceError: it cannot be read.
        """
        try:
            body = self._read(self._folder, f"events/{event}/format")
        except SourceUnavailable:
            return None
        return parse_format(body, f"events/{event}/format")

    def enable(self, event: str, condition: str = "") -> None:
        """Enable an event, for those that the kernel's filter lets pass; SourceError if the kernel refuses the filter."""
        if condition:
            self.write(f"events/{event}/filter", condition)
        self.write(f"events/{event}/enable", "1")

    def pipes(self) -> list[tuple[int, int]]:
        """Open the raw pipe of each CPU; return CPU and descriptor, which do not block."""
        found = []
        for cpu in self.cpus():
            path = f"per_cpu/cpu{cpu}/trace_pipe_raw"
            try:
                fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._folder)
            except OSError as error:
                if error.errno == errno.ENODEV:
                    continue  # it is offline
                raise source_error(f"tracefs/{path}", error) from None
            self._pipes.append(fd)
            found.append((cpu, fd))
        return found

    def pages(self, fd: int) -> Iterator[bytes]:
        """Yield the pages that a CPU has filled, and what is in the last one so far."""
        size = self.layout.size
        while True:
            try:
                page = os.read(fd, size)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EINTR):
                    return
                raise source_error("tracefs/trace_pipe_raw", error) from None
            if not page:
                return
            yield page

    def task_names(self) -> dict[int, bytes]:
        """Return the names of tasks that ran lately, also of those that have ended; without any where the kernel keeps none."""
        try:
            lines = self._read(self._root, "saved_cmdlines").splitlines()
        except SourceError:
            return {}
        pairs = (line.partition(b" ") for line in lines)
        return {int(pid): name for pid, _blank, name in pairs if pid.isdigit() and name != b"<...>"}

    def lost(self) -> int:
        """Return how many events the kernel could not keep so far, of all CPUs: overwritten before they were read, or dropped."""
        total = 0
        for cpu in self.cpus():
            try:
                lines = self._read(self._folder, f"per_cpu/cpu{cpu}/stats").splitlines()
            except SourceError:
                continue
            for line in lines:
                name, _colon, value = line.partition(b":")
                if name.strip() in (b"overrun", b"dropped events") and value.strip().isdigit():
                    total += int(value)
        return total

    def text(self, name: str) -> bytes:
        """Read a file of the instance."""
        return self._read(self._folder, name)

    def write(self, name: str, text: str) -> None:
        """Write a file of the instance; SourceError if the kernel refuses it."""
        _write(self._folder, name, text)

    @staticmethod
    def _read(folder: int, name: str) -> bytes:
        try:
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
        except OSError as error:
            raise source_error(f"tracefs/{name}", error) from None
        try:
            body = b""
            while len(body) < _LARGEST_FILE and (piece := os.read(fd, 1 << 16)):
                body += piece
        except OSError as error:
            raise source_error(f"tracefs/{name}", error) from None
        finally:
            close_fd(fd)
        return body

    def close(self) -> None:
        """Disable everything and remove the instance."""
        for fd in self._pipes:
            close_fd(fd)
        self._pipes = []
        if self._folder >= 0:
            _remove(self._root, self.name)
            close_fd(self._folder)
            self._folder = -1
        if self._guard >= 0:
            close_fd(self._guard)
            self._guard = -1
        if self._root >= 0:
            close_fd(self._root)
            self._root = -1


def remove_leftovers(root: int) -> list[str]:
    """Remove the instances of runs that have ended; return their names."""
    try:
        folder = os.open("instances", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
    except OSError as error:
        raise source_error("tracefs/instances", error) from None
    try:
        names = [name for name in os.listdir(folder) if _is_ours(name)]
    finally:
        close_fd(folder)
    dead = []
    for name in names:
        fd = _locked(root, name)
        if fd >= 0:
            _remove(root, name)
            close_fd(fd)
            dead.append(name)
    return dead


def _is_ours(name: str) -> bool:
    pid, _, rest = name.removeprefix(_PREFIX).partition("-")
    return (
        name.startswith(_PREFIX) and pid.isdecimal() and len(rest) == 2 * _RANDOM and not rest.strip("0123456789abcdef")
    )


def _locked(root: int, name: str) -> int:
    """Lock an instance, and return the descriptor that holds the lock; -1 if it is in use, or gone."""
    try:
        fd = os.open(f"instances/{name}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
    except OSError:
        return -1
    try:
        flock(fd, LOCK_EX | LOCK_NB)
        there = os.stat(f"instances/{name}", dir_fd=root)
    except OSError:
        close_fd(fd)
        return -1
    if there.st_ino == os.fstat(fd).st_ino:
        return fd
    close_fd(fd)
    return -1


def _write(folder: int, name: str, text: str) -> None:
    try:
        fd = os.open(name, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise source_error(f"tracefs/{name}", error) from None
    try:
        if text:
            os.write(fd, text.encode("ascii"))
    except OSError as error:
        raise SourceDenied(f"tracefs/{name}", f"the kernel refused {text!r}", error.errno) from None
    finally:
        close_fd(fd)


def _remove(root: int, name: str) -> None:
    import time

    for file in ("events/enable", "tracing_on"):
        try:
            _write(root, f"instances/{name}/{file}", "0")
        except SourceError:
            continue
    for _ in range(_ATTEMPTS):
        try:
            os.rmdir(f"instances/{name}", dir_fd=root)
        except OSError as error:
            if error.errno != errno.EBUSY:
                return
            time.sleep(0.02)  # a descriptor of it is being closed
        else:
            return


def _guard(root: int, name: str) -> int:
    """Start the process that removes the instance when this one ends; return the descriptor that holds it back."""
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child:
        close_fd(ours)
        os.waitpid(child, 0)
        return theirs
    try:
        # Twice, so that nobody has to wait for it; in a session of its own, so that Ctrl-C does not end it first.
        os.setsid()
        if os.fork():
            os._exit(0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        _keep_only((ours, root))
        while os.read(ours, 1):
            pass
        _remove(root, name)
    finally:
        os._exit(0)


def _keep_only(kept: Iterable[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    limit = 3
    for fd in sorted(kept):
        os.closerange(limit, fd)
        limit = fd + 1
    os.closerange(limit, 1 << 16)
