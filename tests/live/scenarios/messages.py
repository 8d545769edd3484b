"""Sockets of unix, netlink, raw and packet, and those that read them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

from tests.live.scenarios.condition import bad, healthy
from tests.live.scenarios.load import (
    COUNTS,
    KEPT,
    blame,
    folder,
    forever,
    fork,
    keep,
    meminfo,
    spawn,
    state,
    stopped,
    until,
)
from tests.live.scenarios.readers import drain, paced
from tests.live.world.netdev import set_mtu

if TYPE_CHECKING:
    from pathlib import Path

UNIX = socket.AF_UNIX
LISTENER = "UNIX_LISTENER_FULL"
QUEUE = "UNIX_DGRAM_QUEUE"
NETLINK = "NETLINK_RECEIVE_BUFFER_FULL"
RAW = "RAW_RECEIVE_BUFFER_FULL"
PACKET = "PACKET_RECEIVE_BUFFER_FULL"


def _listener(backlog: int, kind: int = socket.SOCK_STREAM, name: str = "\0scenario") -> socket.socket:
    server = keep(socket.socket(UNIX, kind))
    server.bind(name)
    server.listen(backlog)
    return server


def _try(kind: int = socket.SOCK_STREAM, name: str = "\0scenario") -> None:
    """Connect without waiting, as nginx does; count what was refused."""
    with socket.socket(UNIX, kind) as sock:
        sock.setblocking(False)
        try:
            sock.connect(name)
        except BlockingIOError:
            COUNTS["refused"] += 1
        else:
            COUNTS["connected"] += 1


def _fill(server: socket.socket, count: int, kind: int = socket.SOCK_STREAM) -> None:
    for _ in range(count):
        keep(socket.socket(UNIX, kind)).connect(server.getsockname())


def _leave_to_sleeper(sock: socket.socket) -> None:
    """Leave a socket to a process of its own that does nothing."""
    blame(fork(signal.pause, sock))
    KEPT.remove(sock)
    sock.close()


def _stop_owner(sock: socket.socket) -> int:
    """Leave a socket to a process of its own that is stopped."""
    pid = fork(signal.pause, sock)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: state(pid) == "T")
    blame(pid)
    KEPT.remove(sock)
    sock.close()
    return pid


# unix, streams


@healthy("unix", quick=True)
def unix_requests_and_answers() -> None:
    server = _listener(64)

    def serve() -> None:
        with server.accept()[0] as sock:
            sock.send(sock.recv(100))

    def ask() -> None:
        with socket.socket(UNIX, socket.SOCK_STREAM) as sock:
            sock.connect("\0scenario")
            sock.send(b"q")
            sock.recv(10)

    forever(serve, 0)
    forever(ask, 0.004)


@healthy("unix")
def unix_accept_in_batches() -> None:
    server = _listener(128)
    server.setblocking(False)

    def serve() -> None:
        while True:
            server.accept()[0].close()

    paced(_try, 300)
    forever(serve, 0.15)


@healthy("unix")
def unix_seqpacket_in_batches() -> None:
    one, other = socket.socketpair(UNIX, socket.SOCK_SEQPACKET)
    KEPT.extend((one, other))
    paced(lambda: one.send(b"x" * 100, socket.MSG_DONTWAIT), 200)
    forever(lambda: drain(other), 0.2)


@healthy("unix")
def unix_stream_read_in_batches() -> None:
    one, other = socket.socketpair(UNIX, socket.SOCK_STREAM)
    KEPT.extend((one, other))
    forever(lambda: one.send(b"x" * 4000), 0.001)
    forever(lambda: other.recv(1 << 20), 0.25)


@bad("dropping", "unix", LISTENER, also=("at_risk", "stalled"), truth=("app.refused",), severity="critical", quick=True)
def unix_listener_full_and_refusing() -> None:
    """Clients that do not wait get EAGAIN: nginx answers 502."""
    server = _listener(8)
    _fill(server, 9)
    _leave_to_sleeper(server)
    paced(_try, 100)


@bad(
    "dropping", "unix", LISTENER, also=("at_risk", "stalled"), truth=("app.refused",), culprit=True, severity="critical"
)
def unix_listener_of_a_stopped_process() -> None:
    server = _listener(8)
    _fill(server, 9)
    _stop_owner(server)
    paced(_try, 100)


@bad("dropping", "unix", LISTENER, also=("at_risk", "stalled"), truth=("app.refused",), severity="critical")
def unix_seqpacket_listener_full_and_refusing() -> None:
    server = _listener(4, socket.SOCK_SEQPACKET)
    _fill(server, 5, socket.SOCK_SEQPACKET)
    _leave_to_sleeper(server)
    paced(lambda: _try(socket.SOCK_SEQPACKET), 50)


@bad("stalled", "unix", LISTENER, also=("at_risk",), says="not accept|nobody accepts|accepts none|stopped")
def unix_listener_stuck_at_half() -> None:
    server = _listener(15)
    _fill(server, 8)
    _leave_to_sleeper(server)


@bad("stalled", "unix", LISTENER, also=("at_risk", "dropping"))
def unix_listener_full_with_clients_that_wait() -> None:
    """The queue is full, and ten clients sleep in connect(2)."""
    server = _listener(3)
    _fill(server, 4)
    _leave_to_sleeper(server)
    for _ in range(10):
        threading.Thread(target=_connect_and_wait, daemon=True).start()
    time.sleep(0.3)


def _connect_and_wait() -> None:
    sock = keep(socket.socket(UNIX, socket.SOCK_STREAM))
    with contextlib.suppress(OSError):
        sock.connect("\0scenario")


@bad(
    "stalled",
    "unix",
    "UNIX_STREAM_STALLED",
    says="unix|not read",
    culprit=True,
    why="of a class that the reviews name only for datagrams",
)
def unix_stream_reader_stopped() -> None:
    one, other = socket.socketpair(UNIX, socket.SOCK_STREAM)
    KEPT.extend((one, other))
    _stop_owner(other)
    one.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            one.send(b"x" * 4000)


# unix, datagrams


def _log(name: str) -> socket.socket:
    receiver = keep(socket.socket(UNIX, socket.SOCK_DGRAM))
    receiver.bind(name)
    return receiver


def _write(path: str) -> None:
    """Send without connecting and without waiting, as sd_notify(3) and sd_journal_send(3) do."""
    with socket.socket(UNIX, socket.SOCK_DGRAM) as sock:
        try:
            sock.sendto(b"<6>x" * 10, socket.MSG_DONTWAIT, path)
        except BlockingIOError:
            COUNTS["refused"] += 1
        else:
            COUNTS["sent"] += 1


@healthy("unix", quick=True)
def unix_log_read() -> None:
    path = f"{folder()}/log"
    receiver = _log(path)
    forever(lambda: receiver.recv(2000), 0)
    paced(lambda: _write(path), 200)


@healthy("unix")
def unix_log_read_in_batches() -> None:
    """Ten fit; some wait whenever one looks, and none is refused."""
    path = f"{folder()}/log"
    receiver = _log(path)
    forever(lambda: drain(receiver), 0.1)
    paced(lambda: _write(path), 40)


@healthy("unix")
def unix_log_whose_writers_wait() -> None:
    """Writers that sleep until there is room: the queue is full for a moment, and always read."""
    path = f"{folder()}/log"
    receiver = _log(path)
    writer = keep(socket.socket(UNIX, socket.SOCK_DGRAM))
    writer.connect(path)
    forever(lambda: writer.send(b"x" * 100), 0)
    forever(lambda: receiver.recv(2000), 0.001)


@bad("dropping", "unix", QUEUE, also=("at_risk", "stalled"), truth=("app.refused",))
def unix_log_full_and_refusing() -> None:
    path = f"{folder()}/log"
    receiver = _log(path)
    for _ in range(12):
        _write(path)
    _leave_to_sleeper(receiver)
    paced(lambda: _write(path), 100)


@bad("dropping", "unix", QUEUE, also=("at_risk", "stalled"), truth=("app.refused",), culprit=True)
def unix_log_of_a_stopped_daemon() -> None:
    path = f"{folder()}/log"
    receiver = _log(path)
    for _ in range(12):
        _write(path)
    _stop_owner(receiver)
    paced(lambda: _write(path), 50)


@bad(
    "dropping",
    "unix",
    QUEUE,
    also=("at_risk", "stalled"),
    truth=("app.refused",),
    why="no counter shows a datagram that was refused with EAGAIN, and the queue moves",
)
def unix_log_read_too_slowly() -> None:
    """A hundred messages a second, of which forty are read."""
    path = f"{folder()}/log"
    receiver = _log(path)
    paced(lambda: _write(path), 200)
    paced(lambda: receiver.recv(2000, socket.MSG_DONTWAIT), 60)


@bad("stalled", "unix", QUEUE, also=("at_risk",))
def unix_dgram_half_unread() -> None:
    """Six of ten wait, and nobody reads."""
    receiver = _log("\0scenario")
    sender = keep(socket.socket(UNIX, socket.SOCK_DGRAM))
    sender.connect("\0scenario")
    for _ in range(6):
        sender.send(b"x" * 100)
    _leave_to_sleeper(receiver)


@bad("stalled", "unix", QUEUE, also=("at_risk", "dropping"))
def unix_dgram_with_writers_that_sleep() -> None:
    receiver = _log("\0scenario")
    _leave_to_sleeper(receiver)
    for _ in range(5):
        sock = keep(socket.socket(UNIX, socket.SOCK_DGRAM))
        sock.connect("\0scenario")
        threading.Thread(target=_write_for_ever, args=(sock,), daemon=True).start()
    time.sleep(0.5)


def _write_for_ever(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            sock.send(b"x" * 100)


# netlink


def _watcher(size: int) -> socket.socket:
    watcher = keep(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
    watcher.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    watcher.bind((0, 1))  # RTMGRP_LINK
    return watcher


def change_link() -> None:
    """Bring about two messages to all who watch links."""
    set_mtu("lo", 65535)
    set_mtu("lo", 65536)


@healthy("netlink", quick=True)
def netlink_read_in_batches() -> None:
    watcher = _watcher(106496)
    forever(lambda: drain(watcher), 0.25)
    paced(change_link, 40)


@healthy("netlink", programs=("ip",))
def ip_monitor_reads() -> None:
    spawn("ip", "monitor", "link")
    time.sleep(0.2)
    paced(change_link, 20)


@bad("stalled", "netlink", NETLINK, also=("at_risk",), culprit=True, programs=("ip",), quick=True)
def ip_monitor_stopped_at_half() -> None:
    pid = spawn("ip", "monitor", "link").pid
    time.sleep(0.3)
    stopped(pid)
    blame(pid)
    until(lambda: _fill_netlink(0.55))


# What ip monitor asks for, doubled by the kernel.
_MONITOR_BUFFER = 2 << 20


def _fill_netlink(share: float) -> bool:
    """Add to what waits at the fullest netlink socket until it holds a share of what ip monitor has room for."""
    held = 0
    for _ in range(50):
        with open("/proc/thread-self/net/netlink") as rows:
            held = max(int(line.split()[4]) for line in list(rows)[1:])
        if held < share * _MONITOR_BUFFER:
            change_link()
    return held >= share * _MONITOR_BUFFER


@bad("dropping", "netlink", NETLINK, culprit=True, truth=("drops.netlink.*",), programs=("ip",))
def ip_monitor_stopped_and_overrun() -> None:
    pid = spawn("ip", "monitor", "link").pid
    time.sleep(0.3)
    stopped(pid)
    blame(pid)
    until(lambda: _fill_netlink(0.97))
    paced(change_link, 100)


@bad("dropping", "netlink", NETLINK, truth=("drops.netlink.*",))
def netlink_read_too_slowly() -> None:
    watcher = _watcher(8192)
    paced(change_link, 100)

    def read() -> None:
        for _ in range(2):
            with contextlib.suppress(OSError):
                watcher.recv(8192, socket.MSG_DONTWAIT)

    forever(read, 0.3)


@healthy("netlink", programs=("conntrack",))
def conntrack_events_read() -> None:
    from tests.live.scenarios.acceptors import accept_one, connect
    from tests.live.scenarios.load import command, listener

    command("nft add table inet scenario")
    command("nft add chain inet scenario input { type filter hook input priority 0; }")
    command("nft add rule inet scenario input ct state invalid drop")
    spawn("conntrack", "-E")
    server = listener(64)
    forever(lambda: accept_one(server), 0)
    paced(lambda: connect(server), 50)


# raw


def _raw_packet(payload: bytes = b"x" * 500) -> bytes:
    local = socket.inet_aton("127.0.0.1")
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, 253, 0, local, local) + payload


def _raw_sender() -> socket.socket:
    return keep(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))


def _send_raw(sender: socket.socket) -> None:
    sender.sendto(_raw_packet(), ("127.0.0.1", 0))


@healthy("raw")
def raw_read_in_batches() -> None:
    receiver = keep(socket.socket(socket.AF_INET, socket.SOCK_RAW, 253))
    sender = _raw_sender()
    paced(lambda: _send_raw(sender), 200)
    forever(lambda: drain(receiver), 0.3)


@healthy("raw", programs=("ping",))
def ping_runs() -> None:
    spawn("ping", "-i", "0.2", "127.0.0.1")
    time.sleep(0.3)


@healthy("raw", programs=("ping",), asked="exec", quick=True)
def ping_runs_seen_by_ip_netns_exec() -> None:
    ping_runs()


@bad("stalled", "raw", RAW, also=("at_risk",), culprit=True)
def raw_stopped_reader_at_half() -> None:
    receiver = keep(socket.socket(socket.AF_INET, socket.SOCK_RAW, 253))
    sender = _raw_sender()
    until(lambda: _fill_raw(receiver, sender))
    _stop_owner(receiver)


def _fill_raw(receiver: socket.socket, sender: socket.socket) -> bool:
    held, limit = meminfo(receiver)[:2]
    for _ in range(int((0.55 * limit - held) / 2304) + 1 if held < 0.55 * limit else 0):
        _send_raw(sender)
    return held >= 0.5 * limit


@bad("dropping", "raw", RAW, truth=("drops.raw.*",), culprit=True)
def raw_stopped_reader_that_loses() -> None:
    receiver = keep(socket.socket(socket.AF_INET, socket.SOCK_RAW, 253))
    sender = _raw_sender()
    _stop_owner(receiver)
    paced(lambda: _send_raw(sender), 400)


@bad("dropping", "raw", RAW, truth=("drops.raw6.*",))
def raw6_nobody_reads() -> None:
    receiver = keep(socket.socket(socket.AF_INET6, socket.SOCK_RAW, 253))
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sender = keep(socket.socket(socket.AF_INET6, socket.SOCK_RAW, 253))
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    paced(lambda: sender.sendto(b"x" * 500, ("::1", 0)), 100)


# packet


def _traffic(per_s: float = 300) -> None:
    from tests.live.scenarios.load import udp

    receiver, sender = udp()
    paced(lambda: sender.send(b"x" * 500), per_s)
    forever(lambda: drain(receiver), 0.01)


@healthy("packet", programs=("tcpdump",), quick=True)
def tcpdump_runs() -> None:
    spawn("tcpdump", "-i", "lo", "-w", "/dev/null", "-Z", "root")
    time.sleep(0.5)
    _traffic()


@healthy("packet", programs=("tcpdump",))
def tcpdump_idle() -> None:
    spawn("tcpdump", "-n", "-i", "lo", "port", "9999", "-Z", "root")
    time.sleep(0.5)
    _traffic()


@healthy("packet")
def packet_read_in_batches() -> None:
    sniffer = keep(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)))
    _traffic(150)
    forever(lambda: drain(sniffer), 0.2)


@bad(
    "stalled",
    "packet",
    "PACKET_RECEIVE_BUFFER_FULL",
    also=("dropping", "at_risk", "unknown"),
    culprit=True,
    programs=("tcpdump",),
    why="losses of a ring are shown to its owner alone, but that the owner is stopped is seen",
)
def tcpdump_stopped() -> None:
    pid = spawn("tcpdump", "-i", "lo", "-w", "/dev/null", "-Z", "root").pid
    time.sleep(0.5)
    stopped(pid)
    blame(pid)
    _traffic(2000)
    time.sleep(2)


@bad("dropping", "packet", PACKET, truth=("drops.own.*",))
def packet_sniffer_that_sleeps() -> None:
    keep(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)))
    _traffic(600)


@bad("stalled", "packet", PACKET, also=("at_risk",), culprit=True)
def packet_sniffer_stopped_at_half() -> None:
    from tests.live.scenarios.load import udp

    sniffer = keep(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)))
    receiver, sender = udp()

    def filled() -> bool:
        held, limit = meminfo(sniffer)[:2]
        if held < 0.5 * limit:
            sender.send(b"x" * 500)
            drain(receiver)
        return held >= 0.5 * limit

    until(filled)
    _stop_owner(sniffer)


def socket_path(where: Path, name: str) -> str:
    """Return the path of a unix socket."""
    return f"{where}/{name}"
