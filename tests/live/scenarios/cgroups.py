"""Conditions in a cgroup that bounds the memory of its sockets (version 1: memory.kmem.tcp.limit_in_bytes)."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from tests.live.scenarios.datagrams import udp_busy_and_read
from tests.live.scenarios.load import fill_to, forever, listener, pair, udp
from tests.live.scenarios.wire import held_connection, in_order

_LIMIT = 2 << 20


def hierarchy() -> Path | None:
    """Return where the memory controller of cgroup version 1 is mounted, None where it is not or knows no such limit."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        head, _, tail = line.partition(" - ")
        if tail.startswith("cgroup ") and "memory" in tail.split(" ", 2)[2].split(","):
            point = Path(head.split()[4])
            return point if (point / "memory.kmem.tcp.limit_in_bytes").exists() else None
    return None


def missing() -> str:
    """Say why these conditions cannot be made, "" where they can."""
    return "" if hierarchy() is not None else "needs the memory controller of cgroup version 1"


def _folder(pid: int) -> Path:
    point = hierarchy()
    assert point is not None
    return point / f"sockdiag-scenario-{pid}"


def remove(pid: int) -> None:
    """Remove the cgroup that a process made, which has ended."""
    if hierarchy() is None or not _folder(pid).exists():
        return
    deadline = time.monotonic() + 5
    while True:
        try:
            _folder(pid).rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _enter(limit: int = _LIMIT) -> None:
    # Sockets belong to the cgroup that makes them.
    folder = _folder(os.getpid())
    if folder.exists():
        folder.rmdir()  # of a process of this number in an earlier run that was ended
    folder.mkdir()
    (folder / "memory.kmem.tcp.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "cgroup.procs").write_text(f"{os.getpid()}\n")


def _usage() -> int:
    return int((_folder(os.getpid()) / "memory.kmem.tcp.usage_in_bytes").read_text())


def _hold(share: float) -> tuple[socket.socket, socket.socket]:
    """Let datagrams wait that take a share of the limit, in sockets whose own buffers are not half full."""
    while True:
        receiver, sender = udp()
        receiver.setsockopt(socket.SOL_SOCKET, 33, 2 * _LIMIT)  # SO_RCVBUFFORCE
        for _ in range(10):
            fill_to(receiver, sender, 0.005)
            for _ in range(60):
                if _usage() >= share * _LIMIT:
                    return receiver, sender
                sender.send(b"x" * 500)


def cgroup_with_room() -> None:
    _enter(64 * _LIMIT)
    udp_busy_and_read()
    _hold_little()


def _hold_little() -> None:
    one, _other = pair(listener(5))
    one.send(b"x" * 1000)


def cgroup_without_limit() -> None:
    folder = _folder(os.getpid())
    if folder.exists():
        folder.rmdir()  # of a process of this number in an earlier run that was ended
    folder.mkdir()
    (folder / "cgroup.procs").write_text(f"{os.getpid()}\n")
    udp_busy_and_read()


def cgroup_nearly_full() -> None:
    _enter()
    _hold(0.93)


def cgroup_full_of_datagrams() -> None:
    _enter()
    _receiver, sender = _hold(0.99)
    forever(lambda: [sender.send(b"x" * 500) for _ in range(5)], 0.01)


def cgroup_overrun_slowly() -> None:
    _enter()
    _receiver, sender = _hold(0.99)
    forever(lambda: sender.send(b"x" * 500), 0.01)


def cgroup_full_for_tcp() -> None:
    _enter()
    peers, peer = held_connection()
    _hold(0.99)
    in_order(peer, peers)
