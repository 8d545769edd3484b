"""`sockdiag ss -i` lists a socket whose owner sleeps with it locked; the reference would hang."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from sockdiag.kernel.sock_diag import AF_INET
from tests.differential.pair import OURS, environment
from tests.live import locked
from tests.live.test_tcp_info_guard import hold

if TYPE_CHECKING:
    from tests.live.world.namespace import Namespace


def test_locked_sockets_are_listed_and_named(empty_netns: Namespace) -> None:
    """SAFER-6."""
    pid, owners, others = hold(empty_netns, 2, AF_INET, 0, 5)
    try:
        done = subprocess.run(
            ["nsenter", f"--net={empty_netns.path}", *OURS, "-tneiHO", "state", "connected"],
            env=environment(),
            capture_output=True,
            timeout=30,
            check=True,
        )
    finally:
        empty_netns.call(locked.release, pid)
    rows = done.stdout.decode().splitlines()
    internals = {int(row.partition(" sk:")[2].split()[0], 16): " cwnd:" in row for row in rows}
    assert internals == {owner.cookie: False for owner in owners} | dict.fromkeys(others, True)
    for owner in owners:
        assert f"cookie {owner.cookie:x}): the socket is locked" in done.stderr.decode()
