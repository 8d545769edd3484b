"""getsockopt through a copied descriptor: this process's own sockets, and what cannot be copied."""

from __future__ import annotations

import errno
import os
import socket
import struct

import pytest

from sockdiag.errors import SourceUnavailable
from sockdiag.kernel.sockopts import COOKIE, INT, LEVEL_NAMES, LINGER, RATE, SOCKOPTS, TEXT, TIMEVAL, WORDS
from sockdiag.sources.process.pidfd_getfd import _decoded, ask

# Options whose reading takes something away or resets it, by (level, number): SO_ERROR, PACKET_STATISTICS,
# PACKET_ROLLOVER_STATS, TCP_ZEROCOPY_RECEIVE, TCP_FASTOPEN_KEY, TCP_SAVED_SYN, SO_PEERPIDFD.
TAKEN = {(1, 4), (263, 6), (263, 21), (6, 35), (6, 33), (6, 28), (1, 77)}


def test_declared_options() -> None:
    """Names are unique, levels have names, and nothing is asked for that reading changes."""
    names = [name for name, *_rest in SOCKOPTS]
    assert len(names) == len(set(names))
    assert {level for _name, level, *_rest in SOCKOPTS} <= set(LEVEL_NAMES)
    assert not {(level, number) for _name, level, number, *_rest in SOCKOPTS} & TAKEN


def test_numbers_are_those_of_this_system() -> None:
    """Where Python has the constant of this system's headers, it is the declared one."""
    seen = 0
    for name, _level, number, _form, _whom in SOCKOPTS:
        if hasattr(socket, name) and os.uname().machine in ("x86_64", "aarch64", "riscv64", "s390x"):
            assert getattr(socket, name) == number, name
            seen += 1
    assert seen > 20 or os.uname().machine not in ("x86_64", "aarch64")


@pytest.mark.parametrize(
    ("form", "data", "value"),
    [
        (INT, struct.pack("=i", -5), -5),
        (TEXT, b"cubic\0\0\0", "cubic"),
        (COOKIE, struct.pack("=Q", 0xABC), "abc"),
        (RATE, b"\xff" * 8, None),
        (RATE, b"\xff" * 4, None),
        (RATE, struct.pack("=Q", 125000), 125000),
        (LINGER, struct.pack("=ii", 1, 9), (1, 9)),
        (TIMEVAL, struct.pack("@ll", 2, 500000), 2500000),
        (WORDS, struct.pack("=3I", 1, 2, 3), (1, 2, 3)),
        (INT, b"\1", None),
        (LINGER, b"", None),
        (WORDS, b"\1\2\3", None),
    ],
)
def test_forms(form: str, data: bytes, value: object) -> None:
    """Each form of answer; one of another length is unknown."""
    assert _decoded(form, data) == value


def _supported() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    with socket.socket() as sock:
        found = ask(os.getpid(), sock.fileno(), None)
    return found.error is None


needs_pidfd = pytest.mark.skipif(not _supported(), reason="needs pidfd_getfd(2) and ptrace access to this process")


@needs_pidfd
def test_own_socket() -> None:
    """The answers are the owner's, and so is the name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10000)
        before = os.listdir("/proc/self/fd")
        found = ask(os.getpid(), sock.fileno(), os.fstat(sock.fileno()).st_ino)
        assert os.listdir("/proc/self/fd") == before
        assert found.error is None
        assert found.values["SO_RCVBUF"] == sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert found.values["SO_DOMAIN"] == socket.AF_INET
        assert found.values["SO_MAX_PACING_RATE"] is None
        assert found.local == sock.getsockname()
        assert found.peer is None
        assert "TCP_NODELAY" not in found.values
        assert "IPV6_V6ONLY" not in found.values


@needs_pidfd
def test_another_socket_at_the_descriptor() -> None:
    """A descriptor that was reused meanwhile answers nothing."""
    with socket.socket() as sock:
        found = ask(os.getpid(), sock.fileno(), 1)
    assert found.values == {}
    assert isinstance(found.error, SourceUnavailable)
    assert found.error.reason == "descriptor was reused"


@needs_pidfd
def test_no_such_descriptor_or_process() -> None:
    """A descriptor that is closed, a process that has ended."""
    found = ask(os.getpid(), 9999, None)
    assert found.error is not None
    assert found.error.errno == errno.EBADF
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    found = ask(pid, 0, None)
    assert found.error is not None
    assert found.error.errno == errno.ESRCH
