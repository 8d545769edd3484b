"""Flags of open files and of epoll, spelled out."""

from __future__ import annotations

import os
import select

from sockdiag.kernel.file_flags import epoll_events, open_flags


def test_open_flags() -> None:
    """The access mode first, then the flags; what has no name stays a number."""
    assert open_flags(0o2) == ("O_RDWR",)
    assert open_flags(0o2004002) == ("O_RDWR", "O_NONBLOCK", "O_CLOEXEC")
    assert open_flags(0) == ("O_RDONLY",)
    assert open_flags(0o100000000001) == ("O_WRONLY", "0o100000000000")


def test_names_are_those_of_this_system() -> None:
    """The numbers are the ones that Python has from this system's headers (x86, arm64, riscv and most others)."""
    for name in ("O_APPEND", "O_NONBLOCK", "O_DSYNC", "O_ASYNC", "O_NOATIME", "O_CLOEXEC", "O_PATH"):
        assert open_flags(getattr(os, name)) == ("O_RDONLY", name)


def test_epoll_events() -> None:
    """The events of an entry, and the flags above them."""
    for name in (
        "EPOLLIN",
        "EPOLLOUT",
        "EPOLLPRI",
        "EPOLLERR",
        "EPOLLHUP",
        "EPOLLRDHUP",
        "EPOLLEXCLUSIVE",
        "EPOLLONESHOT",
    ):
        assert epoll_events(getattr(select, name)) == (name,)
    assert epoll_events(0x80000019) == ("EPOLLIN", "EPOLLERR", "EPOLLHUP", "EPOLLET")
    assert epoll_events(0x1000) == ("0x1000",)
