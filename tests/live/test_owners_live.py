"""Owners of real sockets: shared descriptors, odd names, processes that come and go, a scanner without privileges."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import subprocess
import sys
from errno import EACCES
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.errors import SourceUnavailable
from sockdiag.model.socket import Owner
from sockdiag.sources.process.fd import OwnerScan, scan_owners
from sockdiag.sources.process.passwd import Users
from sockdiag.sources.system import forked
from sockdiag.sources.system.proc_root import ProcessFiles, ProcRoot

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]
LIVE = ProcRoot()

# What a holder's code finds: inode(socket), say(value).
PRELUDE = """
import json, os, socket, sys, time
def inode(s): return os.fstat(s.fileno() if hasattr(s, "fileno") else s).st_ino
def say(value): print(json.dumps(value), flush=True)
def name(text):
    with open("/proc/self/comm", "wb") as f: f.write(text)
"""


class Holder:
    """A Python process that runs code, says one thing, and holds what it has until closed."""

    def __init__(self, code: str, *prefix: str) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", f"{PRELUDE}{code}\nsys.stdin.read()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.said: Any = json.loads(self.process.stdout.readline())

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@contextlib.contextmanager
def holder(code: str, *prefix: str) -> Iterator[Holder]:
    """Run a holder for a while."""
    process = Holder(code, *prefix)
    try:
        yield process
    finally:
        process.close()


def places(scan: OwnerScan, inode: int) -> list[tuple[int, int]]:
    """Return pid and number of a socket's descriptors."""
    return [(o.pid, o.fd) for o in scan.owners.get(inode)]


def test_one_owner_with_everything() -> None:
    """Name, user, number and socket of this very process are as it knows them itself."""
    with holder("s = socket.socket(); name(b'one'); say([inode(s), s.fileno()])") as held:
        inode, fd = held.said
        (owner,) = scan_owners(LIVE).owners[inode]
        name = pwd.getpwuid(os.geteuid()).pw_name
        assert (owner.pid, owner.comm, owner.fd, owner.user) == (held.pid, b"one", fd, name)
        (quick,) = scan_owners(LIVE, {inode}, details=False).owners[inode]
        assert quick == Owner(held.pid, b"one", fd)
        (numeric,) = scan_owners(LIVE, {inode}, numeric=True).owners[inode]
        assert numeric.user == str(os.geteuid())


def test_only_wanted_inodes() -> None:
    """Only the sockets asked for are in the result, and none that nobody has."""
    with holder("s, t = socket.socket(), socket.socket(); say([inode(s), inode(t)])") as held:
        wanted, _other = held.said
        assert list(scan_owners(LIVE, {wanted, 0, 1 << 40}).owners) == [wanted]


def test_shared_by_fork_and_dup() -> None:
    """A listener of a pre-forking server has all its processes, and all descriptors of each, in order."""
    code = """
s = socket.create_server(("127.0.0.1", 0))
os.dup2(s.fileno(), 100); os.dup2(s.fileno(), 20)
children = []
for _ in range(3):
    r, w = os.pipe()
    if (pid := os.fork()) == 0:
        os.close(w); os.read(r, 1); os._exit(0)
    children.append((pid, w)); os.close(r)
say([inode(s), s.fileno(), [c for c, _ in children]])
"""
    with holder(code) as held:
        inode, fd, children = held.said
        expected = [(pid, n) for pid in sorted([held.pid, *children]) for n in sorted((fd, 20, 100))]
        assert places(scan_owners(LIVE), inode) == expected


def test_passed_over_a_unix_socket() -> None:
    """A socket sent with SCM_RIGHTS has both processes; where the sender closes it, the receiver alone."""
    code = """
a, b = socket.socketpair()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ino = inode(s)
if (child := os.fork()) == 0:
    s.close(); a.close()
    _, (got,), _, _ = socket.recv_fds(b, 1, 1)
    os.dup2(got, 77); os.close(got)
    b.send(b"y"); b.recv(1); os._exit(0)
b.close()
socket.send_fds(a, [b"x"], [s.fileno()])
a.recv(1)
say([ino, s.fileno(), child])
sys.stdin.readline()
s.close()
say("closed")
"""
    with holder(code) as held:
        inode, fd, child = held.said
        assert places(scan_owners(LIVE), inode) == sorted([(held.pid, fd), (child, 77)])
        assert held.process.stdin is not None
        assert held.process.stdout is not None
        held.process.stdin.write(b"\n")
        held.process.stdin.flush()
        assert json.loads(held.process.stdout.readline()) == "closed"
        assert places(scan_owners(LIVE), inode) == [(child, 77)]


def test_in_flight_has_no_owner() -> None:
    """A socket that is only in a unix socket's queue is held by no descriptor."""
    code = """
a, b = socket.socketpair()
s = socket.socket()
ino = inode(s)
socket.send_fds(a, [b"x"], [s.fileno()])
s.close()
say(ino)
"""
    with holder(code) as held:
        assert scan_owners(LIVE).owners.get(held.said) == ()


NAMES = [b"a) b\n\x1b[31m", b"(x) S 1 (y)", b"\xff\xfe\x80", b" ", b")", b"caf\xc3\xa9", b"tab\there\\n", b"new\n"]


class _WithoutComm(ProcRoot):
    """The live system as an old kernel shows it: the name is in stat alone."""

    __slots__ = ()

    def __new__(cls) -> _WithoutComm:  # noqa: PYI034
        return object.__new__(cls)

    def process(self, pid: int) -> ProcessFiles:
        return _ProcessWithoutComm("", pid)


class _ProcessWithoutComm(ProcessFiles):
    __slots__ = ()

    def read(self, name: str) -> bytes:
        if name == "comm":
            raise SourceUnavailable("comm", "absent")
        return super().read(name)


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_names_are_whole(name: bytes) -> None:
    """A process's name is the bytes that it gave itself, from comm and from stat."""
    with holder(f"s = socket.socket(); name({name!r}); say(inode(s))") as held:
        for files in (LIVE, _WithoutComm()):
            (owner,) = scan_owners(files, {held.said}).owners[held.said]
            assert (owner.pid, owner.comm) == (held.pid, name)


@pytest.mark.parametrize("uid", [65534, 54321])
def test_user_of_another_process(uid: int) -> None:
    """The effective user is named, or numbered where it has no name."""
    with holder(f"s = socket.socket(); os.seteuid({uid}); say(inode(s))") as held:
        (owner,) = scan_owners(LIVE).owners[held.said]
        assert owner.user == Users(LIVE).label(uid)
        assert scan_owners(LIVE, numeric=True).owners[held.said][0].user == str(uid)


def test_processes_and_descriptors_that_come_and_go() -> None:
    """Neither ends the scan nor is a gap; what stays is found each time."""
    baseline = {(gap.source, gap.errno) for gap in scan_owners(LIVE).gaps}
    churn = """
s = socket.socket()
name(b"churn")
say([os.getpid(), inode(s), s.fileno()])
import select
children = []
while not select.select([0], [], [], 0)[0]:
    if (pid := os.fork()) == 0:
        kept = [socket.socket() for _ in range(50)]
        time.sleep(0.003)
        os._exit(0)
    children.append(pid)
    if len(children) > 8:
        os.waitpid(children.pop(0), 0)
for pid in children: os.waitpid(pid, 0)
"""
    flicker = """
import threading
kept = [socket.socket() for _ in range(200)]
say([os.getpid(), inode(kept[0]), kept[0].fileno()])
stop = False
def spin():
    while not stop:
        for i in range(1, 200):
            kept[i].close(); kept[i] = socket.socket()
thread = threading.Thread(target=spin)
thread.start()
sys.stdin.read()
stop = True
thread.join()
"""
    with holder(churn) as first, holder(flicker) as second:
        for _ in range(10):
            scan = scan_owners(LIVE)
            assert {(gap.source, gap.errno) for gap in scan.gaps} <= baseline
            for pid, inode, fd in (first.said, second.said):
                assert (pid, fd) in places(scan, inode)


def test_number_given_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends between its descriptors and its name is left out: nobody else's name is put in its place."""
    with holder("s = socket.socket(); say(inode(s))") as held:
        real = ProcessFiles.uid

        def uid(process: ProcessFiles) -> int:
            if process.path == f"/proc/{held.pid}":
                held.process.kill()
                held.process.wait()
            return real(process)

        monkeypatch.setattr(ProcessFiles, "uid", uid)
        scan = scan_owners(LIVE, {held.said})
        assert len(scan.owners) == 0
        assert {gap.errno for gap in scan.gaps} <= {EACCES}


def _nobody() -> None:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)


def test_without_privileges() -> None:
    """Who may not read others' descriptors sees the own ones and one gap that counts the rest and says what helps."""
    import socket

    def scan() -> tuple[int, OwnerScan]:
        with socket.socket() as own:
            return os.fstat(own.fileno()).st_ino, scan_owners(LIVE)

    with holder("s = socket.socket(); say(inode(s))") as held:
        told: Any = forked.collect(_nobody, scan, "test", 20, 1 << 24)
        inode, seen = told
        (owner,) = seen.owners[inode]
        assert owner.user == Users(LIVE).label(65534)
        assert held.said not in seen.owners
    (gap,) = seen.gaps
    assert (gap.source, gap.errno, gap.hint) == ("/proc/PID/fd", EACCES, "run as root")
    assert gap.reason == f"descriptors of {seen.unseen} of {seen.processes} processes: Permission denied"
    assert 0 < seen.unseen < seen.processes


HIDEPID = f"""
import os, subprocess, sys
sys.path.insert(0, {str(PROJECT)!r})
subprocess.run(["mount", "-t", "proc", "-o", "hidepid=2", "proc", "/proc"], check=True)
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.sources.process.fd import scan_owners
print(scan_owners(ProcRoot()).gaps == (), flush=True)
os.setgroups([])  # members of group 0 are exempt
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
for gap in scan_owners(ProcRoot()).gaps:
    print(gap.source, gap.reason, gap.hint, sep="; ")
"""


def test_hidepid() -> None:
    """Where /proc leaves out others' processes there is nothing to count, but the mount tells that there are some."""
    done = subprocess.run(
        # The shell is process 1, and root's.
        ["unshare", "--mount", "--pid", "--fork", "sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", HIDEPID],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.stdout.splitlines() == [
        "True",
        "/proc; processes of other users are hidden (mounted with hidepid=invisible); run as root",
    ]


CGROUP = f"""
import json, os, socket, struct, subprocess, sys, tempfile
sys.path.insert(0, {str(PROJECT)!r})
from sockdiag.kernel.inet_diag import CGROUP_ID, MSG, MSG_LEN, REQ_V2
from sockdiag.sources.netlink.attributes import attributes
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.sources.system.transport import KernelTransport, Request, messages
from sockdiag.sources.process.cgroup import CgroupPaths
from sockdiag.sources.process.fd import scan_owners

def cgroup_ids():
    request = Request("inet_diag_tcp", REQ_V2.pack(2, 6, 0, 0, 1 << 10, bytes(48)))
    for datagram in KernelTransport().dump(request):
        for message in messages(request, datagram):
            inode = MSG.unpack_from(message, 16)[-1]
            found = attributes(message, 16 + MSG_LEN, request.source)
            yield inode, struct.unpack("=Q", found[CGROUP_ID])[0]

point = tempfile.mkdtemp()
subprocess.run(["mount", "-t", "cgroup2", "none", point], check=True)
cid = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970"
outer = f"sockdiag-test-{{os.getpid()}}.slice"
inner = f"docker-{{cid}}.scope"
os.makedirs(f"{{point}}/{{outer}}/{{inner}}")
reader, writer = os.pipe()
stop, go = os.pipe()
pid = os.fork()
if pid == 0:
    os.close(go)
    with open(f"{{point}}/{{outer}}/{{inner}}/cgroup.procs", "w") as f: f.write("0")
    s = socket.create_server(("127.0.0.1", 0))
    os.write(writer, str(os.fstat(s.fileno()).st_ino).encode())
    os.read(stop, 1)
    os._exit(0)
root = socket.create_server(("127.0.0.1", 0))
inode = int(os.read(reader, 20))
try:
    ids = dict(cgroup_ids())
    paths = CgroupPaths(ProcRoot())
    (owner,) = scan_owners(ProcRoot(), {{inode}}).owners[inode]
    own = [line[3:-1] for line in open("/proc/self/cgroup") if line.startswith("0::")]
    print(json.dumps([
        paths.path(ids[inode]) == f"/{{outer}}/{{inner}}", [paths.path(ids[os.fstat(root.fileno()).st_ino])] == own,
        paths.path(1), paths.path(1 << 50), owner.container, owner.unit == inner,
    ]))
finally:
    os.close(go); os.waitpid(pid, 0)
    os.rmdir(f"{{point}}/{{outer}}/{{inner}}"); os.rmdir(f"{{point}}/{{outer}}")
    subprocess.run(["umount", point], check=True)
    os.rmdir(point)
"""


def test_cgroup() -> None:
    """The id that the kernel reports for a socket leads to the cgroup it was made in, and that names its container."""
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "--net",
            "sh",
            "-c",
            'ip link set lo up; exec "$@"',
            "sh",
            sys.executable,
            "-c",
            CGROUP,
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert json.loads(done.stdout) == [True, True, "/", None, "4f797c539e6c", True]


@pytest.mark.slow
def test_fifty_thousand_descriptors() -> None:
    """Every one of many descriptors of several processes is found."""
    code = """
kept = [socket.socket(socket.AF_UNIX) for _ in range(12500)]
say([inode(s) for s in kept])
"""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(holder(code)) for _ in range(4)]
        wanted = {inode: process.pid for process in held for inode in process.said}
        scan = scan_owners(LIVE, set(wanted))
        assert len(wanted) == 50_000
        assert {inode: owner.pid for inode in scan.owners for owner in scan.owners[inode]} == wanted
