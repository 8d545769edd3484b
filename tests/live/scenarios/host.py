"""Conditions that take limits of the whole host: they are changed while a condition is looked at, and nothing else runs.

Everything on the host is subject to them meanwhile, so that they are made only where that is allowed (ALLOWED).
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.live.scenarios import conditions as c
from tests.live.scenarios.load import KEPT, command, fill_to, forever, keep, listener, meminfo, nowhere, pair, udp
from tests.live.scenarios.wire import closed_towards, held_connection, in_order
from tests.live.world.netdev import add_ipv4, link_up, no_segmentation, unshare_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ALLOWED = "SOCKDIAG_TEST_HOST_LIMITS"
_LOCK = Path("/run/sockdiag-test-host-limits.lock")


class HostScenario(NamedTuple):
    """One condition.

    Attributes:
        make: makes what is needed before the limits change; in the namespace.
        limits: returns the sysctls to be set, by what *make* made; in the host's namespace.
        go: makes the rest of the condition, under the limits; in the namespace.
    """

    mechanism: str
    make: Callable[[], None]
    limits: Callable[[int], dict[str, str]]
    verdict: str
    code: str = ""
    go: Callable[[], None] | None = None

    @property
    def name(self) -> str:
        """Name of the condition."""
        return self.make.__name__


def missing() -> str:
    """Say why these conditions cannot be made, "" where they can."""
    if not os.environ.get(ALLOWED):
        return f"changes limits of the whole host: set {ALLOWED}=1 to allow it"
    if not Path("/proc/sys/net/ipv4/tcp_mem").exists():
        return "needs the host's own network namespace"
    return "" if shutil.which("nft") else "needs nft"


@contextlib.contextmanager
def nobody_else(*, changes: bool) -> Iterator[None]:
    """Keep out another run of these tests on this host that changes limits, or with *changes* every other one.

    It would see this one's limits, and might take them for what is to be set back.
    """
    with _LOCK.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX if changes else fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def limits(values: dict[str, str]) -> Iterator[None]:
    """Set sysctls for the duration of a block."""
    paths = {name: Path("/proc/sys", *name.split(".")) for name in values}
    before = {name: path.read_text() for name, path in paths.items()}
    try:
        for name, value in values.items():
            paths[name].write_text(f"{value}\n")
        yield
    finally:
        for name, text in before.items():
            paths[name].write_text(text)


def level(row: str, column: str) -> int:
    """Return a level of the whole host from /proc/net/sockstat."""
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if name == row:
            return int(words[words.index(column) + 1])
    raise LookupError(row)


def _memory(name: str, row: str, *shares: float) -> Callable[[int], dict[str, str]]:
    def values(_pid: int) -> dict[str, str]:
        # Pages come and go in the CPUs' reserves.
        pages = level(row, "mem")
        return {name: " ".join(str(int(pages * share)) for share in shares)}

    return values


# Memory of UDP and TCP


def _hold_datagrams() -> tuple[socket.socket, socket.socket]:
    # 32 MiB, in a buffer that has room for four times that.
    receiver, sender = udp()
    receiver.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
    fill_to(receiver, sender, 0.25, 8000)
    KEPT[:0] = [receiver, sender]
    assert meminfo(receiver)[8] == 0
    return receiver, sender


def udp_memory_with_room() -> None:
    receiver, sender = _hold_datagrams()

    def step() -> None:
        # As much is read as is sent, behind a queue that never gets empty.
        sender.send(b"x" * 8000)
        receiver.recv(8192)

    # Slowly: the kernel gives back the memory of what was read when it is a quarter of the buffer, and until then it adds up.
    forever(step, 0.1)


def udp_memory_nearly_full() -> None:
    _hold_datagrams()


def udp_memory_full() -> None:
    _hold_datagrams()


def _send_more() -> None:
    sender = KEPT[1]
    forever(lambda: [sender.send(b"x" * 500) for _ in range(5)], 0.01)


def _hold_streams(share: float = 0.3) -> None:
    server = listener(200)
    for _ in range(100):
        one, other = pair(server)
        one.setblocking(False)
        while meminfo(other)[0] < share * meminfo(other)[1]:
            one.send(b"x" * 8000)
            time.sleep(0.0002)


def tcp_memory_with_room() -> None:
    _hold_streams()


def tcp_memory_nearly_full() -> None:
    _hold_streams()


def tcp_memory_full() -> None:
    KEPT[:0] = held_connection()
    _hold_streams()


def _send_in_order() -> None:
    peers, peer = KEPT[0], KEPT[1]
    in_order(peer, peers)


# Orphans


def _orphans() -> None:
    closed_towards(20)


def orphans_beyond_a_quarter() -> None:
    _orphans()


def orphans_too_many() -> None:
    KEPT[:0] = [closed_towards(20, 200)]


def _close_more() -> None:
    # The kernel looks at the number ten times a second.
    time.sleep(0.2)
    left = KEPT[0]

    def step() -> None:
        if left:
            left.pop().close()

    forever(step, 0.02)


def connections_end_under_a_low_limit() -> None:
    c.connections_end_well()


def _orphan_limit(share: float) -> Callable[[int], dict[str, str]]:
    # Those of others count too.
    return lambda _pid: {"net.ipv4.tcp_max_orphans": str(int(max(level("TCP", "orphan"), 20) / share))}


# CPU queues


def _segments_through_a_cpu_queue() -> None:
    """Receive on a veth device what the other end sends in bursts: large segments that it has to cut up itself."""
    ready = threading.Event()
    far: list[int] = []

    def send() -> None:
        # This thread alone lives in the far namespace.
        unshare_network()
        far.append(threading.get_native_id())
        ready.set()
        assert moved.wait(5)
        add_ipv4("far0", "198.51.100.2", "255.255.255.0")
        no_segmentation("far0")
        link_up("far0")
        with socket.create_connection(("198.51.100.1", 7), 5) as sock:
            while True:
                sock.send(b"x" * (1 << 18))

    moved = threading.Event()
    threading.Thread(target=send, daemon=True).start()
    assert ready.wait(5)
    command("ip link add near0 type veth peer name far0")
    command(f"ip link set far0 netns {far[0]}")
    add_ipv4("near0", "198.51.100.1", "255.255.255.0")
    link_up("near0")
    server = keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    server.bind(("198.51.100.1", 7))
    server.listen(1)
    moved.set()
    server.settimeout(5)
    sock = keep(server.accept()[0])
    forever(lambda: sock.recv(1 << 20), 0)


def cpu_queue_with_room() -> None:
    _segments_through_a_cpu_queue()


def cpu_queue_full() -> None:
    _segments_through_a_cpu_queue()


def cpu_out_of_budget() -> None:
    _segments_through_a_cpu_queue()


# Connection tracking and files


def _tracked() -> socket.socket:
    command("nft add table inet scenario")
    command("nft add chain inet scenario input { type filter hook input priority 0; }")
    command("nft add rule inet scenario input ct state invalid drop")
    server = listener(100)
    for _ in range(50):
        pair(server)
    return server


def connections_tracked_with_room() -> None:
    _tracked()


def connections_tracked_nearly_full() -> None:
    _tracked()


def connections_tracked_full() -> None:
    KEPT[:0] = [_tracked()]


def _connect_more() -> None:
    address = KEPT[0].getsockname()

    def step() -> None:
        # Few: each that gets through is an entry, for minutes.
        sock = keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        sock.setblocking(False)
        sock.connect_ex(address)

    forever(step, 0.2)


def _conntrack(share: float) -> Callable[[int], dict[str, str]]:
    # As many as the namespace has, which connections that answer keep there.
    return lambda _pid: {"net.netfilter.nf_conntrack_max": str(int(50 / share))}


def files_half_used_up() -> None:
    listener(5)


def files_nearly_used_up() -> None:
    listener(5)


def _files(share: float) -> Callable[[int], dict[str, str]]:
    def values(_pid: int) -> dict[str, str]:
        opened = int(Path("/proc/sys/fs/file-nr").read_text().split()[0])
        return {"fs.file-max": str(int(opened / share))}

    return values


def _one(name: str, value: Any) -> Callable[[int], dict[str, str]]:
    return lambda _pid: {name: str(value)}


_TCP, _UDP = "net.ipv4.tcp_mem", "net.ipv4.udp_mem"

# Neighbours


def neighbours_too_many() -> None:
    nowhere()
    for device in ("void0", "void1"):
        command(f"ip link set {device} arp on")


def _ask_more_neighbours() -> None:
    sender = keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sender.setblocking(False)
    addresses = itertools.cycle(f"10.9.0.{n}" for n in range(2, 250))
    forever(lambda: sender.sendto(b"x", (next(addresses), 9)), 0.005)


SCENARIOS = (
    HostScenario("udp_mem", udp_memory_with_room, _memory(_UDP, "UDP", 2, 2, 2), "ok"),
    HostScenario("udp_mem", udp_memory_nearly_full, _memory(_UDP, "UDP", 1.06, 4, 8), "at_risk", "UDP_MEMORY_LIMIT"),
    HostScenario("udp_mem", udp_memory_full, _memory(_UDP, "UDP", 0.9, 4, 8), "dropping", "UDP_DROPS", _send_more),
    HostScenario("tcp_mem", tcp_memory_with_room, _memory(_TCP, "TCP", 2, 2.5, 3), "ok"),
    HostScenario(
        "tcp_mem", tcp_memory_nearly_full, _memory(_TCP, "TCP", 1.05, 1.05, 1.06), "at_risk", "TCP_MEMORY_PRESSURE"
    ),
    HostScenario(
        "tcp_mem", tcp_memory_full, _memory(_TCP, "TCP", 0.3, 0.4, 0.5), "dropping", "TCP_RECEIVE_DROP", _send_in_order
    ),
    HostScenario("orphans", connections_end_under_a_low_limit, _orphan_limit(0.1), "ok"),
    HostScenario("orphans", orphans_beyond_a_quarter, _orphan_limit(0.35), "at_risk", "ORPHANS"),
    HostScenario("orphans", orphans_too_many, _one("net.ipv4.tcp_max_orphans", 10), "dropping", "ORPHANS", _close_more),
    HostScenario("CPU queue", cpu_queue_with_room, _one("net.core.netdev_max_backlog", 1000), "ok"),
    HostScenario(
        "CPU queue", cpu_queue_full, _one("net.core.netdev_max_backlog", 4), "dropping", "SOFTNET_BACKLOG_DROP"
    ),
    HostScenario("CPU queue", cpu_out_of_budget, _one("net.core.netdev_budget", 2), "ok", "SOFTNET_SQUEEZE"),
    HostScenario("conntrack", connections_tracked_with_room, _conntrack(0.5), "ok"),
    HostScenario("conntrack", connections_tracked_nearly_full, _conntrack(0.9), "at_risk", "CONNTRACK_FULL"),
    HostScenario("conntrack", connections_tracked_full, _conntrack(1), "dropping", "CONNTRACK_FULL", _connect_more),
    HostScenario(
        "neighbours",
        neighbours_too_many,
        _one("net.ipv4.neigh.default.gc_thresh3", 4),
        "dropping",
        "NEIGHBOUR_TABLE_FULL",
        _ask_more_neighbours,
    ),
    HostScenario("files", files_half_used_up, _files(0.5), "ok"),
    HostScenario("files", files_nearly_used_up, _files(0.92), "at_risk", "FILE_TABLE_FULL"),
)
