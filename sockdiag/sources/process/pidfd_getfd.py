"""Ask getsockopt(2) of another process's socket, through a descriptor of its own: pidfd_getfd(2).

The process is not stopped and notices nothing; the descriptor here is closed at once. Options whose reading resets
something are never asked for (``sockdiag.kernel.sockopts``). Some options take the socket lock, which a sleeping owner
may hold for ever: a detached process asks, and the answers that arrive in time are kept.
"""

from __future__ import annotations

import errno
import os
from struct import Struct
from struct import error as struct_error
from time import monotonic

from sockdiag.errors import SourceDenied, SourceError, SourceTruncated, SourceUnavailable
from sockdiag.kernel.sockopts import COOKIE, INT, LINGER, RATE, SOCKOPTS, SOL_SOCKET, TEXT, TIMEVAL, WORDS, kinds_of
from sockdiag.sources.system.detached import FAILED, DetachedProcess, error_of, wait
from sockdiag.sources.system.proc_root import close_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sockdiag.sources.system.detached import Emit

SOURCE = "pidfd_getfd"
_PIDFD_GETFD = 438
_SO_RCVBUF, _SO_PROTOCOL, _SO_DOMAIN = 8, 38, 39
_ANSWER, _REFUSED, _LOCAL, _PEER = 2, 3, 4, 5
_ROOM = {INT: 4, TEXT: 64, COOKIE: 8, RATE: 8, LINGER: 8, TIMEVAL: 16, WORDS: 128}
_HINT = "run as root, or as the user of the process (ptrace(2) access)"

_libc: Any = None

# Options that take no lock answer within microseconds.
LIMIT_S = 1.0

_INT, _WORD, _LONG, _PAIR, _TIMEVAL = Struct("=i"), Struct("=I"), Struct("=Q"), Struct("=ii"), Struct("@ll")

# None: no limit, or an answer of another form than is known.
Value = int | str | tuple[int, ...] | None


class Stolen:
    """The kernel's answers about a descriptor.

    Attributes:
        values: answer by option name.
        refused: error number by option name: this kernel or this kind of socket has no such option.
        local: own name as ``getsockname()`` gives it in Python: address and port, or a unix name; None if unknown.
        peer: the other end's.
        error: why there is nothing, or not all.
    """

    __slots__ = ("error", "local", "peer", "refused", "values")

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.refused: dict[str, int] = {}
        self.local: tuple[str, int] | bytes | None = None
        self.peer: tuple[str, int] | bytes | None = None
        self.error: SourceError | None = None


def ask(pid: int, fd: int, inode: int | None, limit: float = LIMIT_S) -> Stolen:
    """Ask all options of a socket that a process holds.

    Source: ``pidfd_getfd(2)`` (Linux 5.6), ``sock_getsockopt()``.

    Args:
        pid: the process.
        fd: its descriptor.
        inode: the socket that it must be; another one answers nothing.
        limit: seconds to wait for the next answer.
    """
    found = Stolen()
    import ctypes  # noqa: F401  # here, as it takes longer than all the answers

    child = DetachedProcess(lambda emit: _ask(pid, fd, inode, emit), SOURCE)
    end = monotonic() + limit
    try:
        while not child.ended and wait((child,), max(0.0, end - monotonic())):
            for kind, payload in child.frames():
                _take(found, kind, payload)
    finally:
        child.close()
    if not child.ended:
        reason = "some options got no answer: the socket is locked"
        found.error = SourceTruncated(
            SOURCE, reason, errno.ETIMEDOUT, "its owner sleeps in a system call: see /proc/PID/wchan"
        )
    return found


def read_receive_buffer(pid: int, fd: int, inode: int) -> int:
    """Ask how large the receive buffer of a socket that a process holds is. The question takes no lock.

    Source: ``SO_RCVBUF``, ``sk_getsockopt()``.
    Units: bytes, as charged: twice what the process asked for.

    Raises:
        SourceUnavailable: no such process or descriptor, another socket by now, or Linux before 5.6.
        SourceDenied: the process may not be traced.
        SourceError: the socket did not answer.
    """
    copy = steal(pid, fd)
    try:
        if os.fstat(copy).st_ino != inode:
            raise SourceUnavailable(f"/proc/{pid}/fd/{fd}", "descriptor was reused", errno.ENOENT)
        return int(_INT.unpack(_getsockopt(copy, SOL_SOCKET, _SO_RCVBUF, _INT.size))[0])
    except (OSError, struct_error) as error:
        raise SourceError(f"/proc/{pid}/fd/{fd}", str(error)) from None
    finally:
        close_fd(copy)


def _take(found: Stolen, kind: int, payload: bytes) -> None:
    if kind == FAILED:
        found.error = error_of(payload)
    elif kind in (_ANSWER, _REFUSED):
        name, _, data = payload.partition(b"\0")
        if kind == _REFUSED:
            found.refused[name.decode()] = int(data)
            return
        found.values[name.decode()] = _decoded(_FORMS[name.decode()], data)
    elif kind in (_LOCAL, _PEER):
        form, _, data = payload.partition(b"\0")
        name_: tuple[str, int] | bytes
        if form == b"ip":
            address, _, port = data.rpartition(b" ")
            name_ = address.decode(), int(port)
        else:
            name_ = data
        if kind == _LOCAL:
            found.local = name_
        else:
            found.peer = name_


_FORMS = {name: form for name, _level, _number, form, _whom in SOCKOPTS}


def _decoded(form: str, data: bytes) -> Value:
    try:
        if form == TEXT:
            return data.split(b"\0")[0].decode("utf-8", "backslashreplace")
        if form == INT:
            return int(_INT.unpack(data)[0])
        if form == COOKIE:
            return f"{_LONG.unpack(data)[0]:x}"
        if form == RATE:
            # 32-bit kernels, and those before 4.20, return 32 bits.
            limit = int((_LONG if len(data) == 8 else _WORD).unpack(data)[0])
            return None if limit == (1 << 8 * len(data)) - 1 else limit
        if form == LINGER:
            return tuple(_PAIR.unpack(data))
        if form == TIMEVAL:
            seconds, micro = _TIMEVAL.unpack(data)
            return int(seconds * 1_000_000 + micro)
        return tuple(memoryview(data).cast("I"))
    except (struct_error, IndexError, TypeError, ValueError):
        return None


def _ask(pid: int, fd: int, inode: int | None, emit: Emit) -> None:
    """Do the work, in the child: every answer is sent as soon as it is there."""
    copy = steal(pid, fd)
    try:
        if inode is not None and os.fstat(copy).st_ino != inode:
            raise SourceUnavailable(f"/proc/{pid}/fd/{fd}", "descriptor was reused", errno.ENOENT)
        family, protocol = (_integer(copy, number) for number in (_SO_DOMAIN, _SO_PROTOCOL))
        wanted = kinds_of(family, protocol)
        for name, level, number, form, whom in SOCKOPTS:
            if whom not in wanted:
                continue
            try:
                data = _getsockopt(copy, level, number, _ROOM[form])
            except OSError as error:
                emit(_REFUSED, b"%s\0%d" % (name.encode(), error.errno or 0))
                continue
            emit(_ANSWER, name.encode() + b"\0" + data)
        _names(copy, family, protocol, emit)
    except OSError as error:
        raise SourceError(f"/proc/{pid}/fd/{fd}", os.strerror(error.errno or 0), error.errno) from None
    finally:
        close_fd(copy)


def _getsockopt(fd: int, level: int, number: int, room: int) -> bytes:
    # Python's own socket object asks for its name when it is made, and that takes the socket lock.
    import ctypes

    answer = ctypes.create_string_buffer(room)
    length = ctypes.c_uint(room)
    if ctypes.CDLL(None, use_errno=True).getsockopt(fd, level, number, answer, ctypes.byref(length)) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return answer.raw[: length.value]


def _integer(fd: int, number: int) -> int:
    try:
        return int(_INT.unpack(_getsockopt(fd, SOL_SOCKET, number, _INT.size))[0])
    except (OSError, struct_error):
        return 0


def _names(fd: int, family: int, protocol: int, emit: Emit) -> None:
    from _socket import SOCK_STREAM, socket  # start-up: docs/rejected.md

    sock = socket(family, SOCK_STREAM, protocol, fd)
    asked: tuple[tuple[int, Callable[[], object]], ...] = (
        (_LOCAL, sock.getsockname),
        (_PEER, sock.getpeername),
    )
    for kind, ask_name in asked:
        try:
            name = ask_name()
        except (OSError, OverflowError):
            continue
        if family in (2, 10) and isinstance(name, tuple):
            emit(kind, b"ip\0" + f"{name[0]} {name[1]}".encode())
        elif isinstance(name, (str, bytes)):
            emit(kind, b"name\0" + (name if isinstance(name, bytes) else os.fsencode(name)))
    sock.detach()


def steal(pid: int, fd: int) -> int:
    """Duplicate a descriptor of another process.

    Raises:
        SourceUnavailable: no such process or descriptor, or Linux before 5.6.
        SourceDenied: it may not be traced.
    """
    try:
        handle = os.pidfd_open(pid)
    except OSError as error:
        raise _refusal(f"/proc/{pid}/fd/{fd}", error.errno or 0) from None
    try:
        return copied(handle, pid, fd)
    finally:
        close_fd(handle)


def copied(handle: int, pid: int, fd: int) -> int:
    """Do the same with a pidfd at hand; errors as :func:`steal`."""
    import ctypes

    global _libc
    if _libc is None:
        _libc = ctypes.CDLL(None, use_errno=True)
    copy = _libc.syscall(_PIDFD_GETFD, handle, fd, 0)
    if copy < 0:
        raise _refusal(f"/proc/{pid}/fd/{fd}", ctypes.get_errno())
    return int(copy)


def _refusal(where: str, number: int) -> SourceError:
    if number in (errno.EPERM, errno.EACCES):
        return SourceDenied(SOURCE, f"{where}: {os.strerror(number)}", number, _HINT)
    if number == errno.ENOSYS:
        return SourceUnavailable(
            SOURCE, "this kernel does not support pidfd_getfd(2)", number, "needs Linux 5.6 or later"
        )
    return SourceUnavailable(where, os.strerror(number), number)
