"""/proc/PID/fdinfo as Linux 6.18 and older kernels write it, and captured trees with epoll instances."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockdiag.errors import ParseError, SourceUnavailable
from sockdiag.model.fdinfo import EpollTarget, FdInfo
from sockdiag.sources.process.fdinfo import find_watchers, parse_fdinfo, socket_of
from sockdiag.sources.system.captured_root import open_root

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/proc/7/fdinfo/3"
SOCKET = b"pos:\t0\nflags:\t02004002\nmnt_id:\t10\nino:\t10531381\nscm_fds: 2\n"
EPOLL = (
    b"pos:\t0\nflags:\t02\nmnt_id:\t17\nino:\t1038\n"
    b"tfd:        3 events: 80000019 data:                3  pos:0 ino:a0b235 sdev:9\n"
    b"tfd:       12 events:       1d data: ffffffffffffffff  pos:0 ino:c8 sdev:9\n"
)
OLD_EPOLL = b"pos:\t0\nflags:\t02\ntfd:        5 events:       19 data:                5\n"


def test_socket() -> None:
    """Flags are octal; labels that are not known are passed over."""
    assert parse_fdinfo(SOCKET + b"new_label:\tx\n", PATH) == FdInfo(0o2004002, 10, 10531381, 2)


def test_old_kernel() -> None:
    """Linux 3.10 has pos and flags."""
    assert parse_fdinfo(b"pos:\t0\nflags:\t02\n", PATH) == FdInfo(2)


def test_epoll() -> None:
    """Events, inode and device are hexadecimal; before 4.13 there are events alone."""
    assert parse_fdinfo(EPOLL, PATH).targets == (
        EpollTarget(3, 0x80000019, 0xA0B235, 9),
        EpollTarget(12, 0x1D, 200, 9),
    )
    assert parse_fdinfo(OLD_EPOLL, PATH).targets == (EpollTarget(5, 0x19),)


@pytest.mark.parametrize(
    "body", [b"flags:\t0x2\n", b"flags:\t9\n", b"flags:\n", b"mnt_id:\tten\n", b"tfd: x events: 1\n", b"tfd: 3\n"]
)
def test_damaged(body: bytes) -> None:
    """A label that is known and has no number is an error that names it."""
    with pytest.raises(ParseError) as caught:
        parse_fdinfo(body, PATH)
    assert (caught.value.path, caught.value.line) == (PATH, 1)


@given(st.lists(st.sampled_from([*SOCKET.split(b"\n"), *EPOLL.split(b"\n"), b"\xff", b"tfd:", b":"]), max_size=6))
def test_any_lines(lines: list[bytes]) -> None:
    """Only ParseError escapes."""
    with contextlib.suppress(ParseError):
        parse_fdinfo(b"\n".join(lines), PATH)


def process(root: Path, pid: int, links: dict[int, str], infos: dict[int, bytes]) -> None:
    folder = root / "proc" / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "fdinfo").mkdir()
    (folder / "comm").write_bytes(b"server\n")
    for number, target in links.items():
        (folder / "fd" / str(number)).symlink_to(target)
    for number, body in infos.items():
        (folder / "fdinfo" / str(number)).write_bytes(body)


def test_watchers(tmp_path: Path) -> None:
    """An entry of another device with the same inode is none; one whose descriptor was closed since still is."""
    line = b"tfd: %8d events: %8x data: %16x  pos:0 ino:%x sdev:%x\n"
    process(tmp_path, 7, {3: "socket:[200]", 4: "anon_inode:[eventpoll]"}, {4: line % (3, 0x19, 0, 200, 9)})
    process(tmp_path, 8, {5: "anon_inode:[eventpoll]"}, {5: line % (6, 4, 0, 200, 9) + line % (7, 1, 0, 200, 0x16)})
    process(tmp_path, 9, {5: "anon_inode:[eventpoll]"}, {5: line % (6, 4, 0, 201, 9)})
    process(tmp_path, 10, {5: "anon_inode:[eventpoll]"}, {})
    watchers, gaps = find_watchers(open_root(str(tmp_path)), 200)
    assert gaps == []
    assert [(w.pid, w.comm, w.fd, w.tfd, w.waits_for) for w in watchers] == [
        (7, b"server", 4, 3, ("EPOLLIN", "EPOLLERR", "EPOLLHUP")),
        (8, b"server", 5, 6, ("EPOLLOUT",)),
    ]


def test_watchers_before_inodes(tmp_path: Path) -> None:
    """Before 4.13 an entry tells its descriptor alone, which must still lead to the socket."""
    process(tmp_path, 7, {5: "socket:[200]", 6: "anon_inode:[eventpoll]"}, {6: OLD_EPOLL})
    process(tmp_path, 8, {5: "socket:[201]", 6: "anon_inode:[eventpoll]"}, {6: OLD_EPOLL})
    watchers, _gaps = find_watchers(open_root(str(tmp_path)), 200)
    assert [(w.pid, w.fd, w.tfd) for w in watchers] == [(7, 6, 5)]


def test_socket_of(tmp_path: Path) -> None:
    """The inode of a socket; otherwise what is there instead, or that nothing is."""
    process(tmp_path, 7, {3: "socket:[200]", 4: "/dev/null", 5: "-"}, {})
    files = open_root(str(tmp_path))
    assert socket_of(files, 7, 3) == 200
    for pid, fd, reason in (
        (7, 4, "not a socket but /dev/null"),
        (7, 5, "no socket"),
        (7, 6, "process 7 has no such descriptor"),
        (8, 3, "there is no such process"),
    ):
        with pytest.raises(SourceUnavailable) as caught:
            socket_of(files, pid, fd)
        assert (caught.value.source, caught.value.reason) == (f"/proc/{pid}/fd/{fd}", reason)
