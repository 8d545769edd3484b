"""Advice that is followed: what makes a condition, what the finding says to do, and how that is done."""

from __future__ import annotations

import socket

from tests.live.scenarios import cgroups as g
from tests.live.scenarios import conditions as c
from tests.live.scenarios import datagrams as d
from tests.live.scenarios import wire as w
from tests.live.scenarios.load import KEPT, command, forever, listener, stop, sysctl, udp


def udp_small_buffer_in_bursts() -> None:
    receiver, sender = udp(size=8192)
    receiver.setblocking(False)
    forever(lambda: [sender.send(b"x" * 500) for _ in range(40)], 0.05)
    forever(lambda: [receiver.recv(2048) for _ in range(1000)], 0.02)


def larger_buffer() -> None:
    KEPT[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)


def _drain() -> None:
    receiver = KEPT[0]
    receiver.setblocking(False)
    forever(lambda: [receiver.recv(2048) for _ in range(10_000)], 0.0005)


def small_backlog() -> None:
    server = listener(1)
    server.setblocking(False)

    def burst() -> None:
        clients = [socket.socket() for _ in range(12)]
        for one in clients:
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        KEPT.extend(clients)
        if len(KEPT) > 300:
            for old in KEPT[1:200]:
                old.close()
            del KEPT[1:200]

    def accept() -> None:
        while True:
            server.accept()[0].close()

    forever(burst, 0.1)
    forever(accept, 0.05)


def larger_backlog() -> None:
    KEPT[0].listen(512)


def somaxconn_bounds() -> None:
    sysctl("net.core.somaxconn", 4)
    small_backlog()
    KEPT[0].listen(4)


def raise_somaxconn_and_listen_again() -> None:
    sysctl("net.core.somaxconn", 4096)
    KEPT[0].listen(512)


def cookies_on() -> None:
    sysctl("net.ipv4.tcp_syncookies", 1)
    # What is left of the flood is answered; the flood itself ends, so that the queue empties.
    sysctl("net.ipv4.tcp_synack_retries", 0)
    stop()
    KEPT[0].listen(4096)


def raise_tw_buckets() -> None:
    sysctl("net.ipv4.tcp_max_tw_buckets", 65536)


def wider_port_range() -> None:
    sysctl("net.ipv4.ip_local_port_range", "20000 60999")


def faster_qdisc() -> None:
    command("tc qdisc replace dev lo root pfifo limit 1000")
    _drain()


def no_filter() -> None:
    KEPT[0].setsockopt(socket.SOL_SOCKET, 27, 0)  # SO_DETACH_FILTER
    _drain()


def close_what_peers_closed() -> None:
    for sock in list(KEPT):
        if sock is not KEPT[0]:
            sock.close()


def stop_overrun_and_read() -> None:
    watcher = KEPT[0]
    stop()
    watcher.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    watcher.setblocking(False)
    while True:
        try:
            watcher.recv(65536)
        except BlockingIOError:
            break
        except OSError:
            continue
    forever(lambda: watcher.recv(65536), 0.001)
    forever(d._change_link, 0.02)


def read_the_stream() -> None:
    other = KEPT[2]
    other.setblocking(False)
    forever(lambda: [other.recv(1 << 20) for _ in range(100)], 0.001)


def leave_the_buffer_to_the_kernel() -> None:
    # As if its size had never been set: SO_BUF_LOCK.
    next(k for k in KEPT if isinstance(k, socket.socket)).setsockopt(socket.SOL_SOCKET, 72, 0)


# condition, what is done, code, words of the advice
CASES = (
    (udp_small_buffer_in_bursts, larger_buffer, "UDP_RECEIVE_BUFFER_FULL", "SO_RCVBUF"),
    (d.udp_filter_rejects, no_filter, "UDP_DROPS", "filter"),
    (small_backlog, larger_backlog, "ACCEPT_QUEUE_OVERFLOW", "above 1 "),
    (somaxconn_bounds, raise_somaxconn_and_listen_again, "ACCEPT_QUEUE_OVERFLOW", "net.core.somaxconn"),
    (c.syn_flood_without_cookies, cookies_on, "SYN_QUEUE_FULL", "tcp_syncookies=1"),
    (c.time_wait_overflow, raise_tw_buckets, "TIME_WAIT_OVERFLOW", "tcp_max_tw_buckets"),
    (c.ports_used_up, wider_port_range, "EPHEMERAL_PORTS", "ip_local_port_range"),
    (d.qdisc_drops, faster_qdisc, "QDISC_DROP", "limits"),
    (c.close_wait_leak, close_what_peers_closed, "CLOSE_WAIT_LEAK", "close a connection"),
    (d.netlink_overrun, stop_overrun_and_read, "NETLINK_RECEIVE_BUFFER_FULL", "read until EAGAIN"),
    (c.tcp_reader_stalled, read_the_stream, "TCP_RECEIVER_STALLED", "does not read"),
    (w.out_of_order_pruned, leave_the_buffer_to_the_kernel, "TCP_OUT_OF_ORDER_PRUNE", "leave SO_RCVBUF alone"),
)

# condition in a cgroup, code; the command that is advised is run.
CGROUP_CASES = ((g.cgroup_nearly_full, "CGROUP_MEMORY_LIMIT"), (g.cgroup_overrun_slowly, "UDP_DROPS"))

# Scenario at a limit of the host, code, sysctls where the advice names no number.
HOST_CASES = (
    ("connections_tracked_full", "CONNTRACK_FULL", {}),
    ("cpu_queue_full", "SOFTNET_BACKLOG_DROP", {}),
    ("udp_memory_full", "UDP_DROPS", {"net.ipv4.udp_mem": 3}),
    ("tcp_memory_full", "TCP_RECEIVE_DROP", {"net.ipv4.tcp_mem": 6}),
    ("files_nearly_used_up", "FILE_TABLE_FULL", {}),
)
