"""`sockdiag ss` without privileges: what the kernel refuses comes from /proc, and nothing is closed."""

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
    assert len(powerless(filled, "-Htn").stdout.splitlines()) == 2 * _CONNECTIONS
