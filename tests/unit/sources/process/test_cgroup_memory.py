"""Limits of socket memory in trees of both cgroup versions, as kernels lay them out."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import ParseError, SourceDenied, SourceUnavailable
from sockdiag.sources.process.cgroup_memory import parse_flat, parse_limit, read_cgroup_memory
from sockdiag.sources.system.captured_root import open_root

if TYPE_CHECKING:
    from pathlib import Path

    from sockdiag.model.cgroup_memory import CgroupMemories

_NONE = b"9223372036854771712\n"
_V1 = "31 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
_V2 = "32 23 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
# memory.stat of a cgroup on 6.1, shortened.
_STAT = (
    b"anon 1000\nfile 5000\nkernel 700\nsock %d\nshmem 4096\ninactive_file 600\nactive_file 200\nslab_reclaimable 100\n"
)


class Tree:
    """A captured system that is written file by file."""

    def __init__(self, root: Path, *mounts: str) -> None:
        self.root = root
        self.write("/proc/self/mountinfo", "".join(mounts).encode())
        self.link("/proc/self/ns/cgroup", "cgroup:[4026531835]")
        self.notes: list[str] = []

    def write(self, path: str, body: bytes) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)

    def link(self, path: str, target: str) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.symlink_to(target)

    def note(self, path: str, inode: int | str = "-", error: int | str = "-") -> None:
        self.notes.append(f"{inode}\t{error}\t{path}\n")
        self.write("/stat.tsv", "".join(self.notes).encode())

    def one(self, path: str, limit: bytes, usage: int = 0, failed: int = 0) -> None:
        folder = f"/sys/fs/cgroup/memory{path}"
        self.write(f"{folder}/memory.kmem.tcp.limit_in_bytes", limit)
        self.write(f"{folder}/memory.kmem.tcp.usage_in_bytes", b"%d\n" % usage)
        self.write(f"{folder}/memory.kmem.tcp.failcnt", b"%d\n" % failed)
        self.write(f"{folder}/cgroup.procs", b"")

    def two(self, path: str, limit: bytes, usage: int = 0, sock: int = 0, throttled: int | None = None) -> None:
        folder = f"/sys/fs/cgroup/unified{path}"
        self.write(f"{folder}/memory.max", limit)
        self.write(f"{folder}/memory.current", b"%d\n" % usage)
        self.write(f"{folder}/memory.stat", _STAT % sock)
        events = b"low 0\nhigh 0\nmax 12\noom 0\noom_kill 0\noom_group_kill 0\n"
        self.write(
            f"{folder}/memory.events", events + (b"" if throttled is None else b"sock_throttled %d\n" % throttled)
        )
        self.write(f"{folder}/cgroup.procs", b"")

    def process(self, folder: str, pid: int, netns: int) -> None:
        file = self.root / folder.lstrip("/") / "cgroup.procs"
        file.write_bytes((file.read_bytes() if file.exists() else b"") + b"%d\n" % pid)
        self.link(f"/proc/{pid}/ns/net", f"net:[{netns}]")

    def read(self) -> CgroupMemories:
        return read_cgroup_memory(open_root(str(self.root)), 0.5)


def test_version_1(tmp_path: Path) -> None:
    """Those that have a limit and are near it, or failed before, with a process of each network namespace."""
    tree = Tree(tmp_path, _V1)
    tree.one("", _NONE, 12345)
    tree.one("/free", _NONE, 99999)
    tree.one("/far", b"1000000\n", 499_999)
    tree.one("/near", b"1000000\n", 500_000)
    tree.one("/near/inner", _NONE)
    tree.one("/over", b"1000000\n", 1_600_000)
    tree.one("/failed", b"1000000\n", 0, 7)
    tree.process("/sys/fs/cgroup/memory/near/inner", 41, 4026531840)
    tree.process("/sys/fs/cgroup/memory/near", 43, 4026531840)
    tree.process("/sys/fs/cgroup/memory/near", 42, 4026532000)
    read = tree.read()
    assert read.errors == ()
    found = {one.path: one for one in read.cgroups}
    assert sorted(found) == ["/failed", "/near", "/over"]
    near = found["/near"]
    assert (near.limit_bytes, near.usage_bytes, near.sock_bytes, near.throttled) == (1_000_000, 500_000, 500_000, None)
    assert near.file == "/sys/fs/cgroup/memory/near/memory.kmem.tcp.limit_in_bytes"
    assert sorted(near.members) in ([(4026531840, 41), (4026532000, 42)], [(4026531840, 43), (4026532000, 42)])
    assert (near.unseen, found["/over"].members, found["/over"].unseen) == (False, (), False)
    assert (found["/failed"].throttled, found["/over"].ratio) == (7, 1.6)
    assert near.ids == frozenset()


def test_version_2(tmp_path: Path) -> None:
    """The page cache counts for nothing, and of a cgroup without the controller nothing below is looked at."""
    tree = Tree(tmp_path, _V2)
    tree.write("/sys/fs/cgroup/unified/cgroup.procs", b"")
    tree.two("/free", b"max\n", 5000)
    tree.two("/cached", b"2000\n", 1890, 500)  # 990 without 600 + 200 + 100
    tree.two("/near", b"2000\n", 1900, 800)
    tree.two("/near/leaf", b"max\n", 100)
    tree.two("/throttled", b"100000\n", 950, 10, 3)
    tree.two("/none/below", b"10\n", 100)
    tree.write("/sys/fs/cgroup/unified/none/cgroup.procs", b"")
    for number, path in enumerate(("", "/near", "/near/leaf", "/free"), 1):
        tree.note(f"/sys/fs/cgroup/unified{path}", number)
    read = tree.read()
    assert read.errors == ()
    found = {one.path: one for one in read.cgroups}
    assert sorted(found) == ["/near", "/throttled"]
    assert (found["/near"].usage_bytes, found["/near"].sock_bytes, found["/near"].throttled) == (1000, 800, None)
    assert found["/near"].ids == {2, 3}
    assert (found["/throttled"].throttled, found["/throttled"].usage_bytes) == (3, 50)


def test_both_versions(tmp_path: Path) -> None:
    """A hybrid system has the controller in one of them."""
    tree = Tree(tmp_path, _V1, _V2)
    tree.one("", _NONE)
    tree.one("/a", b"100\n", 90)
    tree.write("/sys/fs/cgroup/unified/system.slice/cgroup.procs", b"")
    assert [one.path for one in tree.read().cgroups] == ["/a"]


def test_a_cgroup_namespace_hides_what_is_above(tmp_path: Path) -> None:
    """A container sees its own limit and not that of its pod."""
    tree = Tree(tmp_path, _V2)
    tree.link("/proc/self/ns/cgroup", "cgroup:[4026533000]")
    tree.two("", b"2000\n", 1900, 800)
    read = tree.read()
    assert [one.path for one in read.cgroups] == ["/"]
    assert [gap.source for gap in read.errors] == ["/sys/fs/cgroup"]
    assert "hides the limits" in read.errors[0].reason


def test_a_part_of_the_tree_is_mounted(tmp_path: Path) -> None:
    """As Docker does on version 1."""
    tree = Tree(tmp_path, _V1.replace(" / ", " /docker/abc ", 1))
    tree.one("", b"100\n", 90)
    read = tree.read()
    assert [one.path for one in read.cgroups] == ["/"]
    assert len(read.errors) == 1


def test_one_that_may_not_be_read_or_makes_no_sense(tmp_path: Path) -> None:
    """It is a gap, one for each reason, and the others are read."""
    tree = Tree(tmp_path, _V1)
    tree.one("", _NONE)
    tree.one("/odd", b"many\n")
    tree.one("/near", b"100\n", 90)
    for name in ("/x", "/y"):
        tree.note(f"/sys/fs/cgroup/memory{name}/memory.kmem.tcp.limit_in_bytes", error=errno.EACCES)
        tree.write(f"/sys/fs/cgroup/memory{name}/cgroup.procs", b"")
    read = tree.read()
    assert [one.path for one in read.cgroups] == ["/near"]
    assert len(read.errors) == 2
    assert {gap.source for gap in read.errors} == {"/sys/fs/cgroup"}


def test_processes_that_may_not_be_looked_into(tmp_path: Path) -> None:
    """In which network namespace they are is not known."""
    tree = Tree(tmp_path, _V1)
    tree.one("", _NONE)
    tree.one("/near", b"100\n", 90)
    tree.process("/sys/fs/cgroup/memory/near", 41, 1)
    (tmp_path / "proc/41/ns/net").unlink()
    tree.note("/proc/41/ns/net", error=errno.EACCES)
    (one,) = tree.read().cgroups
    assert (one.members, one.unseen) == ((), True)
    tree.process("/sys/fs/cgroup/memory/near", 42, 4026531840)
    (one,) = tree.read().cgroups
    assert (one.members, one.unseen) == (((4026531840, 42),), True)


def test_nothing_is_mounted(tmp_path: Path) -> None:
    """Where only the root cgroup exists, none has a limit; else they cannot be seen."""
    tree = Tree(tmp_path, "31 23 0:28 / / rw - ext4 /dev/vda rw\n")
    with pytest.raises(SourceUnavailable):
        tree.read()
    heading = b"#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
    tree.write("/proc/cgroups", heading + b"cpu\t0\t1\t1\nmemory\t0\t1\t1\n")
    assert tree.read().cgroups == ()
    tree.write("/proc/cgroups", heading + b"memory\t0\t97\t1\n")
    with pytest.raises(SourceUnavailable, match="/sys/fs/cgroup"):
        tree.read()


def test_what_a_capture_lacks_is_not_seen(tmp_path: Path) -> None:
    """A capture without /sys is no system without limits; errors name one source, whatever file it was."""
    with pytest.raises(SourceUnavailable, match=r"^/sys/fs/cgroup: "):
        Tree(tmp_path, _V1).read()
    with pytest.raises(SourceUnavailable, match=r"^/sys/fs/cgroup: "):
        Tree(tmp_path, _V2).read()
    (tmp_path / "proc/self/mountinfo").unlink()
    tree = Tree(tmp_path)
    tree.note("/proc/self/mountinfo", error=errno.EACCES)
    (tmp_path / "proc/self/mountinfo").unlink()
    with pytest.raises(SourceDenied, match=r"^/sys/fs/cgroup: /proc/self/mountinfo: "):
        tree.read()


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (b"max\n", None),
        (_NONE, None),
        (b"9223372036854710272\n", None),
        (b"8796093018112\n", None),
        (b"0\n", 0),
        (b"4096\n", 4096),
    ],
)
def test_limits(body: bytes, limit: int | None) -> None:
    """No limit is a word in version 2, and in version 1 a number that depends on the page size."""
    assert parse_limit(body, "f") == limit


def test_no_limit_at_all() -> None:
    with pytest.raises(ParseError):
        parse_limit(b"", "f")


def test_flat_files() -> None:
    """What is no pair of a name and a number is left out."""
    assert parse_flat(b"sock 5\n\nodd\nx y\nanon 7 8\nfile 9") == {"sock": 5, "file": 9}
