"""Owners of sockets in captured trees: dangling links, odd names, missing files."""

from __future__ import annotations

import os
import pickle
import signal
import socket
from errno import ENOENT
from typing import TYPE_CHECKING

import pytest

from sockdiag.model.socket import Owner
from sockdiag.sources.process import fd
from sockdiag.sources.process.fd import OwnerScan, scan_owners
from sockdiag.sources.system import forked
from sockdiag.sources.system.captured_root import open_root
from sockdiag.sources.system.proc_root import ProcRoot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

C = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970"


class Tree:
    """A captured system that is being made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "proc").mkdir()

    def process(self, pid: int | str, links: dict[str, str], **files: bytes) -> None:
        """Add a process with links in its fd folder and files beside it."""
        folder = self.root / "proc" / str(pid)
        (folder / "fd").mkdir(parents=True)
        for name, target in links.items():
            (folder / "fd" / name).symlink_to(target)
        for name, body in files.items():
            (folder / name).write_bytes(body)

    def scan(self, *arguments: object, **named: object) -> OwnerScan:
        """Scan it."""
        return scan_owners(open_root(str(self.root)), *arguments, **named)  # type: ignore[arg-type]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Give an empty captured system."""
    return Tree(tmp_path)


def _status(uid: int) -> bytes:
    return b"Name:\tx\nUmask:\t0022\nUid:\t0\t%d\t0\t0\nGid:\t0\t0\t0\t0\n" % uid


def test_everything_is_told(tree: Tree) -> None:
    """Name, user, container and unit come from comm, status and cgroup, the user's name from the capture's passwd."""
    (tree.root / "etc").mkdir()
    (tree.root / "etc/passwd").write_bytes(b"www-data:x:33:33::/:/bin/sh\n")
    tree.process(
        7,
        {"0": "/dev/null", "3": "socket:[100]", "4": "pipe:[101]", "5": "anon_inode:[eventpoll]"},
        comm=b"nginx\n",
        status=_status(33),
        cgroup=f"0::/system.slice/docker-{C}.scope\n".encode(),
    )
    scan = tree.scan()
    owner = Owner(7, b"nginx", 3, "www-data", "4f797c539e6c", f"docker-{C}.scope")
    assert {inode: scan.owners[inode] for inode in scan.owners} == {100: (owner,)}
    assert (scan.gaps, scan.processes, scan.unseen) == ((), 1, 0)


def test_shared_sockets_are_sorted(tree: Tree) -> None:
    """Every descriptor of a socket is listed, by process and then number, as numbers."""
    tree.process(10, {"100": "socket:[1]", "20": "socket:[1]", "3": "socket:[1]"}, comm=b"b\n")
    tree.process(9, {"7": "socket:[1]", "8": "socket:[2]"}, comm=b"a\n")
    owners = tree.scan().owners
    assert [(o.pid, o.fd) for o in owners[1]] == [(9, 7), (10, 3), (10, 20), (10, 100)]
    assert [(o.pid, o.comm) for o in owners.get(2)] == [(9, b"a")]
    assert (len(owners), 1 in owners, 3 in owners, owners.get(3)) == (2, True, False, ())
    with pytest.raises(KeyError):
        owners[3]


def test_only_wanted_inodes(tree: Tree) -> None:
    """Other sockets are left out; where none is asked for nothing is looked at."""
    tree.process(1, {"3": "socket:[100]", "4": "socket:[200]"})
    assert list(tree.scan({200, 0}).owners) == [200]
    nothing = tree.scan(set())
    assert (len(nothing.owners), nothing.gaps, nothing.processes) == (0, (), 0)


@pytest.mark.parametrize(
    "comm",
    [
        b"a) b",
        b"(sd-pam)",
        b"a (b) S 1",
        b"x\ny",
        b"\x1b[31mred",
        b"\xff\xfe",
        b" ",
        b"",
        b")",
        b"new\n",
        b"\xe6\x97\xa5\xe6\x9c\xac",
    ],
)
def test_names_are_whole(tree: Tree, comm: bytes) -> None:
    """Whatever bytes a name has, it is whole, from comm and from stat."""
    tree.process(5, {"3": "socket:[1]"}, comm=comm + b"\n")
    tree.process(6, {"3": "socket:[1]"}, stat=b"6 (" + comm + b") S 1 6 6 0 -1 4194560\n")
    assert [o.comm for o in tree.scan().owners[1]] == [comm, comm]


def test_unknown_is_none(tree: Tree) -> None:
    """What the capture lacks is unknown, and a damaged stat has no name."""
    tree.process(5, {"3": "socket:[1]"})
    tree.process(6, {"3": "socket:[1]"}, stat=b"6 broken", status=b"Uid:\t0\n", cgroup=b"")
    assert tree.scan().owners[1] == (Owner(5, None, 3), Owner(6, None, 3))


def test_user_by_number(tree: Tree) -> None:
    """A user without a name, and any with numeric, goes by number: the effective one."""
    (tree.root / "etc").mkdir()
    (tree.root / "etc/passwd").write_bytes(b"me:x:1000:1000::/:/bin/sh\n")
    tree.process(5, {"3": "socket:[1]"}, status=_status(1000))
    tree.process(6, {"3": "socket:[1]"}, status=_status(77))
    assert [o.user for o in tree.scan().owners[1]] == ["me", "77"]
    assert [o.user for o in tree.scan(numeric=True).owners[1]] == ["1000", "77"]
    assert [o.user for o in tree.scan(details=False).owners[1]] == [None, None]


def test_processes_without_descriptors_are_one_gap(tree: Tree) -> None:
    """A capture without fd folders does not know owners, which is not the same as none."""
    for pid in (1, 2, 3):
        (tree.root / "proc" / str(pid)).mkdir()
    tree.process(4, {"3": "socket:[9]"})
    scan = tree.scan()
    assert list(scan.owners) == [9]
    (gap,) = scan.gaps
    assert (gap.source, gap.errno) == ("/proc/PID/fd", ENOENT)
    assert gap.reason == "descriptors of 3 of 4 processes: No such file or directory"
    assert (scan.processes, scan.unseen) == (4, 3)


def test_no_process_at_all(tree: Tree, tmp_path: Path) -> None:
    """A capture of tables alone, or of nothing, has one gap."""
    assert [g.reason for g in tree.scan().gaps] == ["no processes found"]
    (gap,) = scan_owners(open_root(str(tmp_path / "absent"))).gaps
    assert gap.source == "/proc"


def test_what_is_no_descriptor(tree: Tree) -> None:
    """Odd names and targets in a captured tree are nobody's sockets."""
    tree.process(
        5,
        {
            "x": "socket:[1]",
            "-1": "socket:[2]",
            "3": "socket:[]",
            "4": "socket:[x]",
            "5": "socket:[77",
            "6": "socket:",
            "7": "/tmp/socket:[9]",
            "99999999999": "socket:[3]",
            "9999999999": "socket:[4]",
            "8": "socket:[-5]",
            "9": "socket:[1" + "0" * 4000 + "]",
        },
    )
    (tree.root / "proc/5/fd/10").write_bytes(b"socket:[11]")
    (tree.root / "proc/5/fd/11").mkdir()
    for name in ("05", "²", "5a", "self", "-5"):
        tree.process(name, {"3": "socket:[12]"})
    scan = tree.scan()
    assert {i: [o.fd for o in scan.owners[i]] for i in scan.owners if i < 1 << 64} == {4: [9999999999]}
    assert scan.processes == 1


def test_damaged_cgroup_is_one_gap(tree: Tree) -> None:
    """Processes whose cgroup file is damaged are shown, with one gap for all."""
    for pid in (5, 6):
        tree.process(pid, {"3": "socket:[1]"}, comm=b"x\n", cgroup=b"garbage %d\n1:name=systemd:/a.service\n" % pid)
    scan = tree.scan()
    assert [o.unit for o in scan.owners[1]] == ["a.service", "a.service"]
    (gap,) = scan.gaps
    assert gap.source == "/proc/5/cgroup"


def test_pickles(tree: Tree) -> None:
    """A scan made in a forked child can be handed back."""
    tree.process(5, {"3": "socket:[1]"}, comm=b"x\n")
    scan = tree.scan()
    copy = pickle.loads(pickle.dumps(scan))
    assert copy.owners[1] == scan.owners[1]
    assert (copy.gaps, copy.processes, copy.unseen) == (scan.gaps, scan.processes, scan.unseen)


def test_links_out_of_the_capture_are_not_followed(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A captured folder that is a link elsewhere is not this system's."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "3").symlink_to("socket:[666]")
    (tree.root / "proc/8").mkdir()
    (tree.root / "proc/8/fd").symlink_to(outside)
    assert 666 not in tree.scan().owners


@pytest.fixture
def holders() -> Iterator[list[int]]:
    """Make six processes that hold some sockets each, the first ones together; give the inodes."""
    shared = [socket.socket() for _ in range(3)]
    inodes = [os.fstat(one.fileno()).st_ino for one in shared]
    pids = []
    for _ in range(6):
        said, say = os.pipe()
        pid = os.fork()
        if not pid:
            mine = [socket.socket() for _ in range(5)]
            os.write(say, b" ".join(b"%d" % os.fstat(one.fileno()).st_ino for one in mine))
            os.close(say)
            signal.pause()
        os.close(say)
        pids.append(pid)
        inodes += map(int, os.read(said, 1000).split())
        os.close(said)
    yield inodes
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    for one in shared:
        one.close()


@pytest.mark.parametrize("lost", [None, "killed", "no process"])
def test_several_processes_find_what_one_finds(
    holders: list[int], monkeypatch: pytest.MonkeyPatch, lost: str | None
) -> None:
    """The same owners in the same order, also where a helper was killed or could not be made."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
    assert len(fd.shares(ProcRoot(), ProcRoot().pids())) == 1
    alone = scan_owners(ProcRoot(), set(holders))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2})
    monkeypatch.setattr(fd, "_ENOUGH", 1)
    assert len(fd.shares(ProcRoot(), ProcRoot().pids())) == 3
    plain = forked.Helper.result
    if lost == "killed":

        def killed(helper: forked.Helper, timeout_s: float) -> object:
            os.kill(helper._pid, signal.SIGKILL)
            return plain(helper, timeout_s)

        monkeypatch.setattr(forked.Helper, "result", killed)
    elif lost == "no process":
        monkeypatch.setattr(os, "fork", lambda: (_ for _ in ()).throw(BlockingIOError(11, "no")))
    together = scan_owners(ProcRoot(), set(holders))
    assert [(inode, together.owners[inode]) for inode in holders] == [(inode, alone.owners[inode]) for inode in holders]
    assert len(together.owners[holders[0]]) == 7
    assert list(together.owners) == list(alone.owners)
