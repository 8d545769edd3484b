"""N established TCP connections over loopback in the current network namespace, held by forked processes."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

# Room below a limit of 20,000 descriptors; a connection takes two.
PER_HOLDER = 9000
_PORT = 7


def allow_many() -> None:
    """Raise what bounds connections in this namespace, and this process's descriptors where it may."""
    for name, value in (
        ("net/ipv4/ip_local_port_range", "1024 65535"),
        ("net/core/somaxconn", "4096"),
        ("net/ipv4/tcp_max_syn_backlog", "4096"),
    ):
        Path("/proc/sys", name).write_text(value + "\n")
    wanted = 2 * PER_HOLDER + 100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))


def tcp_inuse() -> int:
    """Return how many TCP sockets of this namespace are neither closed nor in TIME_WAIT (sockstat)."""
    for line in Path("/proc/self/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            return int(line.split()[2])
    raise ValueError("no TCP line in sockstat")


def _hold(address: str, count: int, report: int) -> None:
    """Connect *count* times to a listener of this process, say so, and sleep; the ends leak into the process's table."""
    with socket.socket() as listener:
        listener.bind((address, _PORT))
        listener.listen(16)
        end = (address, _PORT)
        for _ in range(count):
            client = socket.socket()
            client.connect(end)
            listener.accept()[0].detach()
            client.detach()
    os.write(report, b"\0")
    while True:
        signal.pause()


class Connections:
    """*count* connections: twice as many sockets, all ESTABLISHED, and none else.

    A context manager: leaving it ends the holders.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.seconds = 0.0
        self._holders: list[int] = []

    def __enter__(self) -> Self:
        begin = time.monotonic()
        report, end = os.pipe()
        shares = [min(PER_HOLDER, self.count - at) for at in range(0, self.count, PER_HOLDER)]
        for number, share in enumerate(shares):
            pid = os.fork()
            if not pid:
                with contextlib.suppress(KeyboardInterrupt):
                    os.close(report)
                    _hold(f"127.0.{1 + number // 250}.{1 + number % 250}", share, end)
                os._exit(1)
            self._holders.append(pid)
        os.close(end)
        ready = 0
        while data := os.read(report, 1024):
            ready += len(data)
            if ready == len(shares):
                break
        os.close(report)
        if ready != len(shares):
            self.close()
            raise RuntimeError("a process that was to hold connections ended")
        while tcp_inuse() != 2 * self.count:
            time.sleep(0.01)
        self.seconds = time.monotonic() - begin
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the holders, and wait until the kernel has closed all of their sockets."""
        for pid in self._holders:
            os.kill(pid, signal.SIGKILL)
        for pid in self._holders:
            os.waitpid(pid, 0)
        self._holders = []
