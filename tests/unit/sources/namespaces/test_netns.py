"""Names of network namespaces: what --netns takes, and what it says of what it cannot take."""

from __future__ import annotations

import os
from errno import EINVAL, ENOENT
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import SourceError, SourceUnavailable
from sockdiag.model.provenance import Namespace
from sockdiag.sources.namespaces import netns, search
from sockdiag.sources.system.captured_root import open_root
from sockdiag.sources.system.proc_root import ProcRoot

if TYPE_CHECKING:
    from pathlib import Path


def test_resolve_pid_and_path() -> None:
    """A number is a process, a text with a slash a path."""
    assert netns.resolve(str(os.getpid())) == f"/proc/{os.getpid()}/ns/net"
    assert netns.resolve("/proc/self/ns/net") == "/proc/self/ns/net"


@pytest.mark.parametrize(
    ("spec", "source", "number"),
    [
        ("no-such-name", "/run/netns/no-such-name", ENOENT),
        ("", "/run/netns/", ENOENT),
        ("٣", "/run/netns/٣", ENOENT),
        ("a\0b", "/run/netns/a\0b", ENOENT),
        ("4194305", "/proc/4194305/ns/net", ENOENT),  # one more than PID_MAX_LIMIT
        ("9" * 30, f"/proc/{'9' * 30}/ns/net", ENOENT),
        ("/absent/file", "/absent/file", ENOENT),
        ("/dev/null", "/dev/null", EINVAL),
        ("/proc", "/proc", EINVAL),
        ("./\0", "./\0", EINVAL),
        ("\udcff/x", "\udcff/x", ENOENT),
    ],
)
def test_resolve_refuses(spec: str, source: str, number: int) -> None:
    """What is no namespace is refused with its file and an error number."""
    with pytest.raises(SourceUnavailable) as caught:
        netns.resolve(spec)
    assert (caught.value.source, caught.value.errno) == (source, number)


def test_refusals_help() -> None:
    """A name that does not exist, and a process that does not, say what else could be meant."""
    with pytest.raises(SourceUnavailable) as name:
        netns.resolve("absent")
    assert name.value.hint == "give a name in /run/netns, a PID, a path, or 'all'"
    with pytest.raises(SourceUnavailable) as pid:
        netns.resolve("4194305")
    assert pid.value.hint == "no such process; a namespace of this name is /run/netns/4194305"


def test_current_is_this_process() -> None:
    """The inode is that of the file."""
    assert netns.current(ProcRoot()).inode == os.stat("/proc/self/ns/net").st_ino


def test_current_of_a_capture(tmp_path: Path) -> None:
    """A capture knows the inode where it kept the link, and never a name of this system."""
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    (tmp_path / "proc/self/ns/net").symlink_to(f"net:[{os.stat('/proc/self/ns/net').st_ino}]")
    files = open_root(str(tmp_path))
    assert netns.current(files) == Namespace(None, os.stat("/proc/self/ns/net").st_ino)
    places = search.list_all(files)
    assert [p.namespace for p in places.places] == [netns.current(files)]
    assert places.gaps == ()


@pytest.mark.parametrize("target", ["net:[]", "mnt:[5]", "net:[x]", "/etc/passwd"])
def test_current_of_a_damaged_capture(tmp_path: Path, target: str) -> None:
    """A link of another shape is no namespace, and an absent one is none."""
    with pytest.raises(SourceError):
        netns.current(open_root(str(tmp_path)))
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    (tmp_path / "proc/self/ns/net").symlink_to(target)
    with pytest.raises(SourceUnavailable):
        netns.current(open_root(str(tmp_path)))
    (gap,) = search.list_all(open_root(str(tmp_path))).gaps
    assert gap.source == "/proc/self/ns/net"


def test_name_of_an_unknown_inode() -> None:
    """An inode that no named namespace has is nameless."""
    assert netns.name_of(1) is None
