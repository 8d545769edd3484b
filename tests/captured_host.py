"""Write small captures: a /proc tree with TCP sockets, their processes, counters, sysctls and the identity of a host."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

LISTEN, ESTABLISHED, CLOSE_WAIT, TIME_WAIT = 10, 1, 8, 6
_HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
BOOT, OTHER_BOOT = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


class Tcp(NamedTuple):
    """One TCP socket of 10.0.0.1."""

    port: int
    peer: int = 0
    state: int = LISTEN
    inode: int = 0
    uid: int = 0


class Process(NamedTuple):
    """A process, and the inodes of its sockets."""

    pid: int
    comm: str
    inodes: tuple[int, ...] = ()


def captured_host(
    folder: Path,
    *,
    hostname: str = "web-1",
    boot: str | None = BOOT,
    tcp: Iterable[Tcp] = (),
    processes: Iterable[Process] = (),
    counters: Mapping[str, int] | None = None,
    sysctls: Mapping[str, str] | None = None,
    at: float | None = None,
) -> Path:
    """Write a capture, and return its folder."""
    files = {
        "proc/sys/kernel/hostname": f"{hostname}\n",
        "proc/sys/kernel/osrelease": "6.1.0-13-amd64\n",
        "proc/net/tcp": _HEAD + "".join(_line(number, one) for number, one in enumerate(tcp)),
    }
    if boot is not None:
        files["proc/sys/kernel/random/boot_id"] = f"{boot}\n"
    if counters is not None:
        files["proc/net/netstat"] = f"TcpExt: {' '.join(counters)}\nTcpExt: {' '.join(map(str, counters.values()))}\n"
    for name, value in (sysctls or {}).items():
        files["proc/sys/" + name.replace(".", "/")] = f"{value}\n"
    if at is not None:
        files["meta.toml"] = f"captured_at = {at}\n"
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for process in processes:
        place = folder / "proc" / str(process.pid)
        (place / "fd").mkdir(parents=True)
        (place / "comm").write_text(f"{process.comm}\n")
        for number, inode in enumerate(process.inodes):
            os.symlink(f"socket:[{inode}]", place / "fd" / str(number + 3))
    return folder


def _line(number: int, one: Tcp) -> str:
    peer = f"0200000A:{one.peer:04X}" if one.peer else "00000000:0000"
    return (
        f"{number:4d}: 0100000A:{one.port:04X} {peer} {one.state:02X} 00000000:00000000 00:00000000 00000000 "
        f"{one.uid:5d}        0 {one.inode} 1 0000000000000000 100 0 0 10 0\n"
    )
