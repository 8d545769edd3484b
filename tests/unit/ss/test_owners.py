"""Who holds a socket: order, threads, names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sockdiag.sources.process.sockets import comm
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.ss.options import parse
from sockdiag.ss.owners import OwnerTexts, scan, shown

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def process(root: Path, pid: int, name: bytes, *, comm_file: bytes | None = None, fds: dict[str, str]) -> None:
    folder = root / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "stat").write_bytes(b"%d (%s) S 1 1 1\n" % (pid, name))
    if comm_file is not None:
        (folder / "comm").write_bytes(comm_file + b"\n")
    for fd, target in fds.items():
        os.symlink(target, folder / "fd" / fd)


def owners(root: Path, *options: str) -> OwnerTexts:
    settings = parse(["ss", *options], old=False)
    return OwnerTexts(scan(str(root), threads=settings.threads, old=settings.old))


def test_entries(tmp_path: Path) -> None:
    process(tmp_path, 7, b"web", fds={"3": "socket:[99]", "4": "pipe:[5]", "5": "socket:[bad]", "x": "socket:[99]"})
    held = owners(tmp_path, "-p")
    assert held.text(99) == ' users:(("web",pid=7,fd=3))'
    assert held.text(5) == ""
    assert held.text(0) == ""


def test_newest_found_comes_first(tmp_path: Path) -> None:
    for pid in (3, 4, 5):
        process(tmp_path, pid, b"p%d" % pid, fds={"1": "socket:[9]"})
    found = [name for name in os.listdir(tmp_path) if name.isdecimal()]
    entries = ",".join(f'("p{pid}",pid={pid},fd=1)' for pid in reversed(found))
    assert owners(tmp_path, "-p").text(9) == f" users:({entries})"


def test_threads_are_looked_up_by_their_own_number(tmp_path: Path) -> None:
    process(tmp_path, 7, b"web", fds={"3": "socket:[9]"})
    process(tmp_path, 8, b"worker", fds={"4": "socket:[9]"})
    (tmp_path / "7" / "task" / "8").mkdir(parents=True)
    (tmp_path / "7" / "task" / "7").mkdir()
    text = owners(tmp_path, "-pT").text(9)
    assert '("worker",pid=7,tid=8,fd=4),("web",pid=7,tid=7,fd=3)' in text


def test_a_name_ends_at_its_first_parenthesis(tmp_path: Path) -> None:
    """So no name can close the list and open another one: this one would name process 1."""
    process(tmp_path, 7, b'x",pid=1,fd=3)', comm_file=b'x",pid=1,fd=3)', fds={"3": "socket:[9]"})
    process(tmp_path, 8, b"(sd-pam)", fds={})
    process(tmp_path, 9, b")", fds={})
    assert owners(tmp_path, "-p").text(9) == ' users:(("x",pid=1,fd=3",pid=7,fd=3))'
    assert comm(ProcRoot(), str(tmp_path / "8")) == b"(sd-pam"
    assert comm(ProcRoot(), str(tmp_path / "9")) == b""
    assert comm(ProcRoot(), str(tmp_path / "10")) == b""


def test_names_are_made_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown('é\x01\x7f"\\t'.encode(), old=False) == '??.."\\t'
    assert shown(b"\x1b[m", old=True) == "\x1b[m"
    monkeypatch.setenv("SOCKDIAG_SS_ESCAPE", "always")
    assert shown(b"\x1b[m", old=True) == "\\x1b[m"


def test_comm_is_cut(tmp_path: Path) -> None:
    process(tmp_path, 7, b"a" * 20, fds={})
    assert comm(ProcRoot(), str(tmp_path / "7")) == b"a" * 15
    assert comm(ProcRoot(), str(tmp_path / "7"), 63) == b"a" * 20
