"""Start child processes: a pipe and a fork that fail are errors of a source, and a child ends when its parent does."""

from __future__ import annotations

import os

from sockdiag.errors import SourceTruncated
from sockdiag.sources.system.proc_root import close_fd


def new_pipe(name: str) -> tuple[int, int]:
    """Return the ends of a pipe, for reading and for writing.

    Args:
        name: what it is for, as the source of errors.

    Raises:
        SourceTruncated: this process, or the host, has no descriptors left.
    """
    try:
        return os.pipe()
    except OSError as error:
        raise _no_process(name, error) from None


def new_process(name: str, *ends: int) -> int:
    """Fork; return the child's pid, and 0 in the child.

    Args:
        name: what it is for, as the source of errors.
        ends: ends of pipes, closed if no child can be made.

    Raises:
        SourceTruncated: no process could be made.
    """
    try:
        return os.fork()
    except OSError as error:
        for end in ends:
            close_fd(end)
        raise _no_process(name, error) from None


def tie(pipe: int) -> None:
    """Let this process end when nobody can read from a pipe any more: also when its parent was killed.

    Source: ``pipe_release()``, fs/pipe.c, which sends SIGIO; by default it ends a process. What a reader takes out sends it
    too: untie before writing.

    Args:
        pipe: its end for writing; all ends for reading must be the parent's.
    """
    from fcntl import F_SETFL, F_SETOWN, fcntl
    from select import POLLERR, poll

    try:
        fcntl(pipe, F_SETOWN, os.getpid())
        fcntl(pipe, F_SETFL, os.O_WRONLY | os.O_ASYNC)
    except OSError:
        return  # it then ends with its next write
    poller = poll()
    poller.register(pipe, 0)
    if any(event & POLLERR for _fd, event in poller.poll(0)):
        os._exit(0)


def untie(pipe: int) -> None:
    """End what :func:`tie` began."""
    from fcntl import F_SETFL, fcntl

    fcntl(pipe, F_SETFL, os.O_WRONLY)


def _no_process(name: str, error: OSError) -> SourceTruncated:
    return SourceTruncated(name, f"no process could be started: {os.strerror(error.errno or 0)}", error.errno)
