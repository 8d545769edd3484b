"""What needs which privilege, as docs/install.md says it: each row tried with exactly that, and with less."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyroute2
import pytest

from tests.documents.reading import read
from tests.live.scenarios import load
from tests.live.world.namespace import Namespace, netns
from tests.program import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = "65534"
ALL = "+all"  # what root has
OWNERS = "+sys_ptrace,+dac_read_search"


def some_sockets() -> None:
    """Make a connection, one of its ends marked, and an unread datagram."""
    one, _other = load.pair(load.listener(5))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 7)
    one.send(b"x" * 1000)
    load.udp()[1].send(b"x")


def everybodys_python() -> str:
    """Return a Python that a user without privileges can run, its library included."""
    script = "import json, sys; sys.exit(sys.version_info < (3, 11))"
    for path in (os.path.realpath(sys.executable), "/usr/bin/python3"):
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        done = subprocess.run([*user, path, "-I", "-c", script], capture_output=True, check=False, cwd="/", timeout=20)
        if done.returncode == 0:
            return path
    pytest.fail(
        "no Python that everybody may run: this one is in a private folder, and /usr/bin/python3 is none", pytrace=False
    )


class Program:
    """The program, and a Python, where every user may read them."""

    def __init__(self, folder: str, namespace: Namespace) -> None:
        self.folder = folder
        self.namespace = namespace
        self.python = everybodys_python()

    def __call__(self, capabilities: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it with these capabilities and no others, in the namespace."""
        who = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        who += [f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}"] if capabilities else []
        return subprocess.run(
            [
                "nsenter",
                f"--net={self.namespace.path}",
                *([] if capabilities == ALL else who),
                self.python,
                "-m",
                "sockdiag",
                *words,
            ],
            env={"PYTHONPATH": self.folder, "LC_ALL": "C.UTF-8"},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def sockets(self, capabilities: str, *words: str) -> list[dict[str, Any]]:
        """Return the rows of `list`, in an order that does not move."""
        done = self(capabilities, "list", "--json", *words)
        assert done.returncode == 0, done.stderr
        rows = json.loads(done.stdout)["sockets"]
        return sorted((row for row in rows if row["netid"] in ("tcp", "udp")), key=lambda row: str(row["local"]))


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    """Give the program in a namespace with some sockets of root's."""
    folder = tempfile.mkdtemp(prefix="sockdiag-privileges-")
    try:
        for package in (PROJECT / "sockdiag", Path(pyroute2.__file__).parent):
            shutil.copytree(package, Path(folder, package.name), ignore=shutil.ignore_patterns("__pycache__"))
        Path(folder).chmod(0o755)
        with netns() as namespace:
            namespace.call(some_sockets)
            yield Program(folder, namespace)
    finally:
        shutil.rmtree(folder)


def rows() -> list[tuple[str, str]]:
    """Return the table."""
    (table,) = re.findall(r"\| to see \| needs \|\n\|---\|---\|\n((?:\|.*\n)+)", read("docs/install.md"))
    return [(cells[1].strip(), cells[2].strip()) for line in table.splitlines() if (cells := line.split("|"))]


def test_sockets_need_nothing(program: Program) -> None:
    """A user without privileges sees of every socket what root sees, but owners and marks."""
    assert rows()[0][1] == "nothing"
    columns = (
        "-o",
        "netid,state,local,peer,recv_q,send_q,uid,cookie,skmem.rmem_alloc,skmem.rcvbuf,skmem.drops,tcp_info.state",
    )
    hers, roots = (program.sockets(who, *columns) for who in ("", ALL))
    assert len(hers) == 5
    assert hers == roots
    assert {row["tcp_info"]["state"] for row in hers if row["netid"] == "tcp"} == {"ESTABLISHED", "LISTEN"}


@pytest.mark.parametrize("command", [["path"], ["limits"], ["protocols"], ["states"], ["memory"], ["listeners"], []])
def test_counters_and_limits_need_nothing(program: Program, command: list[str]) -> None:
    """No other command lacks anything of the namespace; what is the host's is the gap of the last row, owners of the second."""
    done = program("", *command)
    assert done.returncode == 0
    gaps = [line for line in done.stderr.splitlines() if "limits of the host" not in line and "/proc/PID/" not in line]
    assert [line for line in gaps if "(unknown therefore: " not in line] == []


def test_owners_need_two_capabilities(program: Program) -> None:
    """Who may trace and read everything sees owners; who may one of both does not."""
    assert rows()[1][1] == "root, or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"

    def owned(who: str) -> int:
        return len([row for row in program.sockets(who, "-o", "netid,local,processes") if row["processes"]])

    assert [owned(who) for who in ("", "+sys_ptrace", "+dac_read_search", OWNERS, ALL)] == [0, 0, 0, 5, 5]
    (listener,) = [row for row in program.sockets(ALL, "-o", "netid,state,local,cookie") if row["state"] == "LISTEN"]
    told = [program(who, "inspect", f"cookie:{listener['cookie']}").stdout for who in ("", OWNERS)]
    assert ["getsockopt(SO_BUF_LOCK)" in text for text in told] == [False, True]


def test_mark_needs_net_admin(program: Program) -> None:
    """SO_MARK shows to CAP_NET_ADMIN alone."""
    assert rows()[2] == ("SO_MARK", "CAP_NET_ADMIN")
    for who, marks in (("", {None}), (OWNERS, {None}), ("+net_admin", {None, 7})):
        assert {row["mark"] or None for row in program.sockets(who, "-o", "netid,local,mark")} == marks


def test_namespaces_need_sys_admin(program: Program) -> None:
    """A namespace is entered by CAP_SYS_ADMIN, that of a process by CAP_SYS_PTRACE too."""
    assert rows()[3][1] == "root, or CAP_SYS_ADMIN, and for the namespace of a process CAP_SYS_PTRACE too"
    with netns() as other:
        statuses = {
            who: program(who, "states", "--netns", str(other.pid)).returncode
            for who in ("", "+sys_ptrace", "+sys_admin", "+sys_admin,+sys_ptrace", ALL)
        }
        assert statuses == {"": 1, "+sys_ptrace": 1, "+sys_admin": 1, "+sys_admin,+sys_ptrace": 0, ALL: 0}


def test_limits_of_the_host(program: Program) -> None:
    """From another namespace the host's limits are a gap, but for whom may enter the host's own."""
    assert rows()[4][1].startswith("the right to enter the host's own namespace")

    def limit(who: str) -> Any:
        memory = json.loads(program(who, "memory", "--json").stdout)
        return next(row["limit_pages"] for row in memory["protocols"] if row["protocol"] == "TCP")

    high = int(Path("/proc/sys/net/ipv4/tcp_mem").read_text().split()[2])
    assert [limit(who) for who in ("", "+sys_admin", "+sys_admin,+sys_ptrace", ALL)] == [None, None, high, high]


def test_tracing_needs_sys_admin(program: Program) -> None:
    """The instance in tracefs is made with CAP_SYS_ADMIN alone; without it nothing is traced, and the reason is given."""
    assert rows()[5] == ("to trace events: `sockdiag trace`", "CAP_SYS_ADMIN, tracefs")
    refused = program("+net_admin", "trace", "drops", "--for", "0.1")
    assert refused.returncode == 1
    assert "CAP_SYS_ADMIN" in refused.stderr or "Permission denied" in refused.stderr


def test_closing_needs_net_admin(program: Program) -> None:
    """A socket is closed for CAP_NET_ADMIN alone."""
    assert rows()[6:] == [("to close a socket: `sockdiag kill`, `sockdiag ss -K`", "CAP_NET_ADMIN")]

    def there() -> int:
        return len(program.namespace.ss("-Htn"))

    before = there()
    assert before
    refused = program("+sys_admin", "ss", "-K", "-t", "state", "established")
    assert there() == before
    assert "Operation not permitted" in refused.stderr
    program("+net_admin", "ss", "-K", "-t", "state", "established")
    assert there() == 0
