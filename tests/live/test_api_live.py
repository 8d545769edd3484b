"""The Python API on running systems: this namespace, another one, all of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

import sockdiag
from tests.live.test_everywhere_live import PORT, answer, listening

if TYPE_CHECKING:
    from tests.live.world.namespace import Namespace


def cookies(survey: sockdiag.Survey, where: str = "") -> set[tuple[str, int | None]]:
    return {(socket.netid, socket.cookie) for socket in survey.sockets(where)}


def test_another_namespace() -> None:
    """Its sockets are those that the command lists there; this process stays where it is."""
    own = os.stat("/proc/self/ns/net").st_ino
    with listening(2) as inodes:
        for name, inode in inodes.items():
            there = sockdiag.open_system(netns=name)
            found = list(there.sockets(f"sport = :{PORT}"))
            shown = answer("list", "--netns", name, "--where", f"sport = :{PORT}")
            assert [f"{socket.cookie:x}" for socket in found] == [row["cookie"] for row in shown["sockets"]]
            assert [socket.inode for socket in found] == [inode]
            (place,) = there.provenance().scope.netns
            assert (place.name, place.inode) == (name, os.stat(f"/run/netns/{name}").st_ino)
            assert there.sources["tcp"] == "netlink"
    assert os.stat("/proc/self/ns/net").st_ino == own


def test_a_namespace_by_process(empty_netns: Namespace) -> None:
    """A PID and a path name the same namespace; a namespace without sockets has none."""
    for place in (empty_netns.pid, empty_netns.path):
        there = sockdiag.open_system(netns=place)
        assert not {netid for netid, _cookie in cookies(there)} - {"netlink"}
        assert there.sample().netns == empty_netns.inode
        assert there.gaps == []


def test_two_samples_in_another_namespace(empty_netns: Namespace) -> None:
    """The interval passes once, and the host's limits are judged there as the command does."""
    diagnosis = sockdiag.open_system(netns=empty_netns.pid).diagnose(0.2)
    assert diagnosis.seconds is not None
    assert 0.2 <= diagnosis.seconds < 2
    assert diagnosis.findings == []


def test_all_namespaces() -> None:
    """Each socket names its namespace."""
    with listening(3) as inodes:
        everywhere = sockdiag.open_system(netns="all")
        found = {s.netns: s.inode for s in everywhere.sockets(f"sport = :{PORT} and state = listening")}
        assert {name: found[name] for name in inodes} == dict(inodes)


def test_own_namespace_is_asked_in_this_process() -> None:
    """No process is forked for the namespace that the caller is in."""
    survey = sockdiag.open_system(netns="/proc/self/ns/net")
    assert survey.namespaces is None
    assert cookies(survey, "netid = unix") <= cookies(sockdiag.open_system(), "netid = unix") | cookies(survey)


def test_what_came_after_opening_is_seen() -> None:
    """A survey that stays open finds new sockets, their owners and new namespaces."""
    host, everywhere = sockdiag.open_system(), sockdiag.open_system(netns="all")
    list(host.sockets("netid = tcp", fields=("processes",)))
    list(everywhere.sockets("netid = tcp", fields=("processes",)))
    with socket.create_server(("127.0.0.1", 0)) as server:
        (found,) = host.sockets(f"netid = tcp and inode = {os.fstat(server.fileno()).st_ino}", fields=("processes",))
        assert [owner.pid for owner in found.processes or ()] == [os.getpid()]
    with listening(2) as inodes:
        there = {
            s.netns: (s.inode, len(s.processes or ()))
            for s in everywhere.sockets(f"sport = :{PORT} and state = listening", fields=("processes",))
        }
        assert {name: there[name] for name in inodes} == {name: (inode, 1) for name, inode in inodes.items()}
        assert set(inodes) <= {place.name for place in everywhere.provenance().scope.netns}


def test_a_namespace_that_has_gone() -> None:
    """It has no answer: that is an error, and not an empty list or the verdict ok."""
    with listening(1) as inodes:
        (name,) = inodes
        there = sockdiag.open_system(netns=name)
        assert there.diagnose().verdict == "ok"
    for question in (lambda: list(there.sockets()), there.sample, there.diagnose):
        with pytest.raises(sockdiag.SourceUnavailable, match=f"/run/netns/{name}"):
            question()


def test_a_namespace_that_may_not_be_entered() -> None:
    """An unprivileged program gets the kernel's reason."""
    program = """
import os, sys, sockdiag
there = sockdiag.open_system(netns=sys.argv[1])
there.diagnose()  # imports what the user may not be able to read
os.setuid(65534)
for question in (lambda: list(there.sockets()), there.sample, there.diagnose):
    try:
        question()
    except sockdiag.SourceDenied as error:
        print(error.source, error.errno)
"""
    with listening(1) as inodes:
        (name,) = inodes
        done = subprocess.run([sys.executable, "-c", program, name], capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", f"/run/netns/{name} 1\n" * 3)


def test_from_a_thread() -> None:
    """A caller that is not the main thread gets the same answer."""
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(sockdiag.open_system().diagnose().verdict))
    thread.start()
    thread.join()
    assert found
