"""Whether a unix datagram socket is full: as its senders find it, and without its owner noticing."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import SourceError, SourceUnavailable
from sockdiag.sources.netlink.unix_queue import queue_is_full
from sockdiag.sources.system.machine import this_system

if TYPE_CHECKING:
    from pathlib import Path

DGRAM = socket.SOCK_DGRAM


def receiver(name: bytes) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, DGRAM)
    sock.bind(name)
    return sock


def fill(name: bytes) -> int:
    """Send to a name without connecting until the kernel refuses; return how many it took."""
    with socket.socket(socket.AF_UNIX, DGRAM | socket.SOCK_NONBLOCK) as sender:
        for count in range(100_000):
            try:
                sender.sendto(b"%d" % count, name)
            except BlockingIOError:
                return count
    raise AssertionError


def full(sock: socket.socket) -> bool:
    return queue_is_full(this_system(), os.fstat(sock.fileno()).st_ino)


@pytest.mark.parametrize("abstract", [True, False])
def test_full_when_a_sender_is_refused(tmp_path: Path, *, abstract: bool) -> None:
    """From the message on that gets EAGAIN, until one is read; nothing is read or added by asking."""
    name = b"\0sockdiag-test-%d" % os.getpid() if abstract else os.fsencode(tmp_path / "log")
    with receiver(name) as sock:
        assert not full(sock)
        sent = fill(name)
        assert full(sock)
        assert full(sock)
        assert sock.recv(100) == b"0"
        assert not full(sock)
        assert [sock.recv(100) for _ in range(sent - 1)] == [b"%d" % n for n in range(1, sent)]
        with pytest.raises(BlockingIOError):
            sock.recv(100, socket.MSG_DONTWAIT)


def test_name_of_another(tmp_path: Path) -> None:
    """A path that leads to another socket by now tells nothing of the first; nor does a socket without a name."""
    name = os.fsencode(tmp_path / "log")
    with receiver(name) as first:
        fill(name)
        os.unlink(name)
        with receiver(name), pytest.raises(SourceUnavailable, match="belongs to another"):
            full(first)
        os.unlink(name)
        with pytest.raises(SourceUnavailable, match="No such file"):
            full(first)
    one, other = socket.socketpair(socket.AF_UNIX, DGRAM)
    with one, other, pytest.raises(SourceUnavailable, match="no name"):
        full(one)


def test_not_a_datagram_socket(tmp_path: Path) -> None:
    """A listener is not asked, and is not connected to."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fsencode(tmp_path / "stream"))
        listener.listen()
        with pytest.raises(SourceError):
            full(listener)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
