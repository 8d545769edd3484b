"""What a guest's kernel tells of a socket that a test holds: by sockdiag, by ss, by getsockopt."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.differential.forked import ours, spawn, theirs
from tests.differential.pair import compared, environment
from tests.live.world import model

if TYPE_CHECKING:
    import socket

    from sockdiag.model.socket import Socket


_PATIENCE_S = 20


def need_module(name: str) -> None:
    """Load a module, which this distribution may keep from being loaded on demand; skip where there is none."""
    done = subprocess.run(["modprobe", name], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this kernel: no module {name}")


def need_diag(netid: str, *names: str) -> None:
    """Skip where no module of these names answers for a table."""
    for name in names:
        if subprocess.run(["modprobe", name], capture_output=True, check=False).returncode == 0:
            return
    pytest.skip(f"this kernel: no module that lists {netid} sockets ({', '.join(names)})")


def rows(netid: str, *needs: str) -> list[Socket]:
    """Return what netlink says of a table; nothing of it may be missing."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        sockets, gaps = model.sockets(netid, "netlink", needs)
        # An emulated CPU may take longer for an answer than a socket may be locked.
        if any(gap.errno == errno.ETIMEDOUT for gap in gaps) and time.monotonic() < deadline:
            continue
        assert gaps == [], gaps
        return sockets


def row(netid: str, sock: socket.socket | int, *needs: str) -> Socket:
    """Return the row of a socket; the first, if it has several."""
    inode = os.fstat(sock if isinstance(sock, int) else sock.fileno()).st_ino
    found = [one for one in rows(netid, *needs) if one.inode == inode]
    assert found, f"{netid}: no row of the inode {inode}"
    assert found[0].unknown_attributes == (), found[0].unknown_attributes
    return found[0]


def same_as_ss(*options: str) -> None:
    """The bytes of ``sockdiag ss`` are those of the installed ss. Ours is forked: an interpreter takes a guest seconds."""
    words = [*options]
    env = environment()
    different = compared(
        words, lambda: spawn(lambda: theirs(words, env), 0), lambda: spawn(lambda: ours(words, env), 0)
    )
    assert not different, different
