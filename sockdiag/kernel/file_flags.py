"""Flags of open files and of epoll: their names.

Source: include/uapi/asm-generic/fcntl.h (x86, arm64, riscv, s390 and others; a few architectures number some of them
otherwise), include/uapi/linux/eventpoll.h.
"""

from __future__ import annotations

O_ACCMODE = 0o3
ACCESS_MODES = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE")
O_NONBLOCK = 0o4000
O_CLOEXEC = 0o2000000

_OPEN_FLAGS = {
    0o2000: "O_APPEND",
    O_NONBLOCK: "O_NONBLOCK",
    0o10000: "O_DSYNC",
    0o20000: "O_ASYNC",
    0o40000: "O_DIRECT",
    0o100000: "O_LARGEFILE",
    0o200000: "O_DIRECTORY",
    0o400000: "O_NOFOLLOW",
    0o1000000: "O_NOATIME",
    O_CLOEXEC: "O_CLOEXEC",
    0o4000000: "__O_SYNC",
    0o10000000: "O_PATH",
}

_EPOLL_EVENTS = {
    0x1: "EPOLLIN",
    0x2: "EPOLLPRI",
    0x4: "EPOLLOUT",
    0x8: "EPOLLERR",
    0x10: "EPOLLHUP",
    0x20: "EPOLLNVAL",
    0x40: "EPOLLRDNORM",
    0x80: "EPOLLRDBAND",
    0x100: "EPOLLWRNORM",
    0x200: "EPOLLWRBAND",
    0x400: "EPOLLMSG",
    0x2000: "EPOLLRDHUP",
    1 << 27: "EPOLL_URING_WAKE",
    1 << 28: "EPOLLEXCLUSIVE",
    1 << 29: "EPOLLWAKEUP",
    1 << 30: "EPOLLONESHOT",
    1 << 31: "EPOLLET",
}


def open_flags(flags: int) -> tuple[str, ...]:
    """Spell out the flags of open(2): the access mode, then each flag; a bit without a name in octal."""
    known, rest = _names(flags & ~O_ACCMODE, _OPEN_FLAGS)
    return (ACCESS_MODES[flags & O_ACCMODE], *known, *([oct(rest)] if rest else []))


def epoll_events(events: int) -> tuple[str, ...]:
    """Spell out the events of an epoll entry; a bit without a name in hexadecimal."""
    known, rest = _names(events, _EPOLL_EVENTS)
    return (*known, *([hex(rest)] if rest else []))


def _names(mask: int, names: dict[int, str]) -> tuple[list[str], int]:
    return [name for bit, name in names.items() if mask & bit], mask & ~sum(names)
