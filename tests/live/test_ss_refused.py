"""`sockdiag ss` where the kernel refuses the question: what it asked for comes from /proc, and nothing is closed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.live.scenarios import load
from tests.live.world.namespace import Namespace
from tests.program import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.live, pytest.mark.needs("setpriv", "nsenter")]

# The user stays root, who may read this project; a process without capabilities is as unprivileged to netlink as any.
_POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
_CONNECTIONS = 3


def make_sockets() -> None:
    for _ in range(_CONNECTIONS):
        load.pair(load.listener(5))


@pytest.fixture(scope="module")
def filled() -> Iterator[Namespace]:
    namespace = Namespace()
    namespace.call(make_sockets)
    yield namespace
    namespace.close()


def powerless(namespace: Namespace, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["nsenter", f"--net={namespace.path}", *_POWERLESS, sys.executable, "-m", "sockdiag", "ss", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT, timeout=60)


def test_marks_are_read_from_proc(filled: Namespace) -> None:
    """It has none, so every socket has a mark other than 1; also none that is 1, and netlink would have said EPERM."""
    done = powerless(filled, "-Htn", "fwmark", "!=", "1")
    assert (len(done.stdout.splitlines()), done.stderr, done.returncode) == (2 * _CONNECTIONS, "", 0)
    assert powerless(filled, "-Htn", "fwmark", "1").stdout == ""


def test_kill_without_privileges(filled: Namespace) -> None:
    """SAFER-8."""
    done = powerless(filled, "-KHtn")
    assert (done.stdout, done.stderr, done.returncode) == ("", "SOCK_DESTROY answers: Operation not permitted\n", 0)
    # Not even the question is answered, and /proc has sockets that were not closed.
    marked = powerless(filled, "-KHtn", "fwmark", "!=", "1")
    assert (marked.stdout, marked.stderr, marked.returncode) == (done.stdout, done.stderr, 0)
    assert len(powerless(filled, "-Htn").stdout.splitlines()) == 2 * _CONNECTIONS


def test_hosts_of_other_families(filled: Namespace) -> None:
    """The kernel refuses a filter that names them, and ss reads /proc, where listeners have no backlog."""
    enter = ["nsenter", f"--net={filled.path}", sys.executable, "-m", "sockdiag", "ss"]

    def queues(*words: str) -> set[str]:
        done = subprocess.run([*enter, "-Htln", *words], capture_output=True, text=True, check=True, cwd=PROJECT)
        return {line.split()[2] for line in done.stdout.splitlines()}

    assert queues("src", "inet:127.0.0.1") == {"5"}
    assert queues("src", "link:all", "or", "src", "inet:127.0.0.1") == {"0"}
    assert queues("sport", "=", "link:1", "or", "src", "inet:127.0.0.1") == {"0"}
    # A dev anywhere keeps ss from sending a filter.
    assert queues("dev", "lo", "or", "src", "link:all", "or", "src", "inet:127.0.0.1") == {"5"}
