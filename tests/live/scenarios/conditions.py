"""The conditions. A function makes one and returns; what goes on after that goes on in threads of its process."""

from __future__ import annotations

import os
import resource
import socket
import struct
import time
from typing import TYPE_CHECKING

from tests.live.scenarios.load import (
    KEPT,
    LOOPBACK,
    client,
    command,
    fill_stream,
    fill_to,
    filter_all,
    forever,
    keep,
    listener,
    meminfo,
    nowhere,
    pair,
    sysctl,
    udp,
)  # fmt: skip
from tests.live.world.netdev import open_tun, set_mtu

if TYPE_CHECKING:
    from collections.abc import Callable

V4, V6 = socket.AF_INET, socket.AF_INET6
ETH_P_IP = 0x0800


# UDP


def udp_idle() -> None:
    udp()
    udp(V6)


def udp_half_full() -> None:
    fill_to(*udp(size=212992), 0.5)


def udp_busy_and_read() -> None:
    receiver, sender = udp()
    forever(lambda: [sender.send(b"x" * 500) for _ in range(20)])
    receiver.setblocking(False)
    forever(lambda: [receiver.recv(2048) for _ in range(10_000)], 0.001)


def udp_nobody_listens() -> None:
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))
    forever(lambda: sender.sendto(b"x", ("127.0.0.1", 9)))


def udp_nearly_full() -> None:
    fill_to(*udp(size=212992), 0.93)


def udp_full_of_large_datagrams() -> None:
    receiver, sender = udp(size=212992)
    for _ in range(3):
        sender.send(b"x" * 65000)
    assert meminfo(receiver)[8] == 0


def udp_filling() -> None:
    # 1280 bytes of truesize every 20 ms: 64 kB a second, full in some six seconds.
    receiver, sender = udp(size=600_000)
    fill_to(receiver, sender, 0.3)
    forever(lambda: sender.send(b"x" * 500), 0.02)


def _overflow(receiver: socket.socket, sender: socket.socket) -> None:
    fill_to(receiver, sender, 0.95)
    forever(lambda: [sender.send(b"x" * 500) for _ in range(5)], 0.01)


def udp_overflow() -> None:
    _overflow(*udp())


def udp6_overflow() -> None:
    _overflow(*udp(V6))


def udp_dual_stack_overflow() -> None:
    receiver, _sender = udp(V6, address="::")
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))
    sender.connect(("127.0.0.1", receiver.getsockname()[1]))
    _overflow(receiver, sender)


def udp_slow_reader() -> None:
    receiver, sender = udp(size=8192)
    receiver.setblocking(False)
    forever(lambda: [sender.send(b"x" * 500) for _ in range(50)], 0.01)
    forever(lambda: receiver.recv(2048), 0.01)


def udp_overflow_that_is_over() -> None:
    receiver, sender = udp(size=8192)
    for _ in range(100):
        sender.send(b"x" * 500)
    receiver.setblocking(False)
    try:
        while True:
            receiver.recv(2048)
    except BlockingIOError:
        return


def udp_filter_rejects() -> None:
    receiver, sender = udp()
    filter_all(receiver)
    forever(lambda: sender.send(b"x" * 500), 0.01)


def udp_filter_passes() -> None:
    receiver, sender = udp()
    filter_all(receiver, 0xFFFF)
    receiver.setblocking(False)
    forever(lambda: sender.send(b"x" * 500), 0.01)
    forever(lambda: receiver.recv(2048), 0.001)


def udp_sockets_come_and_go() -> None:
    def one() -> None:
        with socket.socket(V4, socket.SOCK_DGRAM) as receiver, socket.socket(V4, socket.SOCK_DGRAM) as sender:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            receiver.bind(("127.0.0.1", 0))
            sender.connect(receiver.getsockname())
            for _ in range(20):
                sender.send(b"x" * 500)

    forever(one, 0.01)


def udp_loss_of_sockets_that_are_gone() -> None:
    with socket.socket(V4, socket.SOCK_DGRAM) as receiver, socket.socket(V4, socket.SOCK_DGRAM) as sender:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        receiver.bind(("127.0.0.1", 0))
        sender.connect(receiver.getsockname())
        for _ in range(20):
            sender.send(b"x" * 500)


def udp_forty_full() -> None:
    for _ in range(40):
        fill_to(*udp(size=16384), 0.95)


# raw, packet, netlink


def raw_idle() -> None:
    keep(socket.socket(V4, socket.SOCK_RAW, 253))


def _send_raw(pause: float) -> None:
    sender = keep(socket.socket(V4, socket.SOCK_RAW, 254))
    filter_all(sender)
    packet = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 520, 0, 0, 64, 253, 0, socket.inet_aton("127.0.0.1"), socket.inet_aton("127.0.0.1")
    )
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
    forever(lambda: sender.sendto(packet + b"x" * 500, ("127.0.0.1", 0)), pause)


def raw_read() -> None:
    receiver = keep(socket.socket(V4, socket.SOCK_RAW, 253))
    receiver.setblocking(False)
    _send_raw(0.005)
    forever(lambda: [receiver.recv(2048) for _ in range(100)], 0.0005)


def raw_overflow() -> None:
    receiver = keep(socket.socket(V4, socket.SOCK_RAW, 253))
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    _send_raw(0.005)


def packet_idle() -> None:
    keep(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))


def packet_overflow() -> None:
    sniffer = keep(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP)))
    sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    _receiver, sender = udp()
    udp_busy_and_read()
    assert sender


def packet_ring() -> None:
    sniffer = keep(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
    sniffer.setsockopt(263, 5, struct.pack("=IIII", 4096, 1, 2048, 2))  # PACKET_RX_RING


def _link_watcher(size: int) -> socket.socket:
    watcher = keep(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
    watcher.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    watcher.bind((0, 1))  # RTMGRP_LINK
    return watcher


def _change_link() -> None:
    set_mtu("lo", 65535)
    set_mtu("lo", 65536)


def netlink_idle() -> None:
    _link_watcher(65536)


def netlink_overrun() -> None:
    _link_watcher(2048)
    forever(_change_link, 0.02)


def netlink_congested() -> None:
    watcher = _link_watcher(8192)
    for _ in range(20):
        _change_link()
    # Read a little, but not to the end.
    try:
        watcher.recv(8192)
    except OSError:
        watcher.recv(8192)


# Listeners


def listener_idle() -> None:
    listener(5)
    listener(0, V6)


def accept_queue_half() -> None:
    server = listener(19)
    for _ in range(10):
        client(server)


def accept_busy() -> None:
    server = listener(64)

    def serve() -> None:
        server.accept()[0].close()

    def connect() -> None:
        with socket.create_connection(server.getsockname()):
            pass

    forever(serve, 0)
    forever(connect, 0.005)


def accept_queue_full() -> None:
    server = listener(5)
    for _ in range(6):
        client(server)


def _refuse(family: int) -> None:
    server = listener(2, family)
    for _ in range(3):
        client(server)

    def knock() -> None:
        # A new one each time, whose SYN is refused; what the kernel sends again adds to it.
        client(server, wait=False)

    forever(knock, 0.05)


def no_way_back_to_the_client() -> None:
    nowhere()
    sysctl("net.ipv4.conf.all.rp_filter", 0)
    syn = _syns(listener(16, address="10.9.0.1"), "203.0.113.")
    forever(syn, 0.01)


def accept_queue_overflow() -> None:
    _refuse(V4)


def accept_queue_overflow_v6() -> None:
    _refuse(V6)


def accept_overflow_that_is_over() -> None:
    server = listener(1)
    clients = [client(server, wait=False) for _ in range(6)]
    time.sleep(0.05)
    for one in clients[2:]:
        one.close()
    server.setblocking(False)
    try:
        while True:
            keep(server.accept()[0])
    except BlockingIOError:
        return


def _flood(cookies: int) -> None:
    nowhere()
    sysctl("net.ipv4.tcp_syncookies", cookies)
    sysctl("net.ipv4.conf.all.rp_filter", 0)
    syn = _syns(listener(16, address="10.9.0.1"), "10.9.0.")
    for _ in range(30):
        syn()
    forever(syn, 0.01)


def _syns(server: socket.socket, network: str) -> Callable[[], None]:
    """Return what sends a SYN from a network, each from another port."""
    port = server.getsockname()[1]
    sender = keep(socket.socket(V4, socket.SOCK_RAW, socket.IPPROTO_RAW))
    numbers = iter(range(1 << 30))

    def syn() -> None:
        n = next(numbers)
        source = socket.inet_aton(f"{network}{2 + n % 200}")
        target = socket.inet_aton("10.9.0.1")
        segment = struct.pack("!HHIIBBHHH", 1024 + n % 60000, port, n, 0, 0x50, 2, 65535, 0, 0)
        data = source + target + struct.pack("!BBH", 0, 6, len(segment)) + segment
        total = sum(struct.unpack(f"!{len(data) // 2}H", data))
        total = (total >> 16) + (total & 0xFFFF)
        check = ~(total + (total >> 16)) & 0xFFFF
        segment = segment[:16] + struct.pack("!H", check) + segment[18:]
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, source, target)
        sender.sendto(header + segment, ("10.9.0.1", 0))

    return syn


def syn_queue_a_sixth() -> None:
    nowhere()
    sysctl("net.ipv4.conf.all.rp_filter", 0)
    syn = _syns(listener(63, address="10.9.0.1"), "10.9.0.")
    for _ in range(10):
        syn()


def syn_flood_with_cookies() -> None:
    _flood(1)


def syn_flood_without_cookies() -> None:
    _flood(0)


def few_files() -> None:
    _open_files(92)


def half_of_the_files() -> None:
    _open_files(50)


def _open_files(count: int) -> None:
    # Not all of 100: a program that counts drops has to be started.
    server = listener(5)
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    while len(os.listdir("/proc/self/fd")) < count:
        KEPT.append(server.dup())


# TCP data


def tcp_idle() -> None:
    server = listener(5)
    for _ in range(5):
        pair(server)


def tcp_keepalive() -> None:
    one, other = pair(listener(5))
    for sock in (one, other):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1)):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def tcp_transfer() -> None:
    one, other = pair(listener(5))
    forever(lambda: one.send(b"x" * 100_000), 0.005)
    forever(lambda: other.recv(1 << 20), 0)


def tcp_reader_stalled() -> None:
    one, _other = pair(listener(5))
    fill_stream(one)


def tcp6_reader_stalled() -> None:
    one, _other = pair(listener(5, V6))
    fill_stream(one)


def tcp_some_unread() -> None:
    one, _other = pair(listener(5))
    one.send(b"x" * 1000)


def tcp_many_stalled() -> None:
    server = listener(50)
    for _ in range(12):
        one, other = pair(server)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        fill_stream(one)


# TCP states


def close_wait_leak() -> None:
    server = listener(50)
    for _ in range(20):
        one, _other = pair(server)
        KEPT.remove(one)
        one.close()


def close_wait_one() -> None:
    one, _other = pair(listener(5))
    KEPT.remove(one)
    one.close()


def close_wait_that_still_sends() -> None:
    server = listener(50)
    for _ in range(5):
        one, other = pair(server)
        one.shutdown(socket.SHUT_WR)
        other.setblocking(False)
        forever(lambda other=other: other.send(b"x" * 200_000), 0.001)
        one.setblocking(False)
        # Slowly: the buffer is full whenever it is looked at.
        forever(lambda one=one: one.recv(50_000), 0.02)


def fin_wait2_leak() -> None:
    server = listener(50)
    for _ in range(20):
        one, _other = pair(server)
        one.shutdown(socket.SHUT_WR)


def connections_end_well() -> None:
    server = listener(64)

    def serve() -> None:
        with server.accept()[0] as other:
            other.recv(10)

    def connect() -> None:
        with socket.create_connection(server.getsockname()) as one:
            one.send(b"x")

    forever(serve, 0)
    forever(connect, 0.005)


def time_wait_overflow() -> None:
    sysctl("net.ipv4.tcp_max_tw_buckets", 8)
    connections_end_well()


def no_answer_to_syn() -> None:
    address = nowhere()
    for _ in range(5):
        sock = keep(socket.socket(V4, socket.SOCK_STREAM))
        sock.setblocking(False)
        sock.connect_ex((address, 80))
    time.sleep(1.3)


def ports_used_up() -> None:
    sysctl("net.ipv4.ip_local_port_range", "40000 40039")
    server = listener(100)
    for _ in range(39):
        pair(server)


def ports_of_two_destinations() -> None:
    sysctl("net.ipv4.ip_local_port_range", "40000 40039")
    servers = [keep(socket.socket(V4, socket.SOCK_STREAM)) for _ in range(2)]
    for port, server in enumerate(servers, 30001):
        server.bind(("127.0.0.1", port))
        server.listen(100)
        for _ in range(20):
            pair(server)


# unix


def unix_idle() -> None:
    KEPT.extend(socket.socketpair())
    server = keep(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    server.bind("\0scenario")
    server.listen(5)


def unix_listener_full() -> None:
    server = keep(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    server.bind("\0scenario")
    server.listen(3)
    for _ in range(4):
        keep(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)).connect("\0scenario")


def unix_dgram_unread() -> None:
    receiver = keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    receiver.bind("\0scenario")
    sender = keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    sender.connect("\0scenario")
    sender.setblocking(False)
    try:
        while True:
            sender.send(b"x" * 100)
    except BlockingIOError:
        return


def unix_dgram_read() -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    KEPT.extend((one, other))
    forever(lambda: one.send(b"x" * 100), 0.001)
    forever(lambda: other.recv(1000), 0)


# IP and devices


def qdisc_drops() -> None:
    command("tc qdisc add dev lo root tbf rate 100kbit burst 5kb limit 6000")
    _receiver, sender = udp()
    forever(lambda: [sender.send(b"x" * 1000) for _ in range(10)], 0.01)


def sender_is_refused() -> None:
    # What waits in the queueing discipline is charged to the sender, whose own buffer is full first.
    command("tc qdisc add dev lo root tbf rate 100kbit burst 5kb limit 1000000")
    receiver, sender = udp()
    forever(lambda: receiver.recv(2048), 0)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    sender.setblocking(False)
    forever(lambda: sender.send(b"x" * 1000), 0.005)


def qdisc_healthy() -> None:
    command("tc qdisc add dev lo root pfifo limit 1000")
    udp_busy_and_read()


def device_drops() -> None:
    KEPT.append(open_tun("tun0"))
    command("ip link set tun0 txqueuelen 5 up")
    command("ip addr add 10.8.0.1/24 dev tun0")
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))
    forever(lambda: [sender.sendto(b"x" * 100, ("10.8.0.2", 9)) for _ in range(10)], 0.01)


def fragments_lost() -> None:
    sysctl("net.ipv4.ipfrag_time", 1)
    sender = keep(socket.socket(V4, socket.SOCK_RAW, socket.IPPROTO_RAW))
    numbers = iter(range(1, 1 << 16))
    local = socket.inet_aton(LOOPBACK[V4])

    def first_only() -> None:
        # More fragments follow, it says; none does.
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, next(numbers), 0x2000, 64, 17, 0, local, local)
        sender.sendto(header + b"x" * 8, ("127.0.0.1", 0))

    for _ in range(20):
        first_only()
    forever(first_only, 0.02)
    time.sleep(1.0)


def fragments_complete() -> None:
    command("ip link set lo mtu 1500")
    receiver, sender = udp()
    receiver.setblocking(False)
    forever(lambda: sender.send(b"x" * 8000), 0.005)
    forever(lambda: [receiver.recv(9000) for _ in range(100)], 0.001)


def nothing() -> None:
    """Leave the namespace empty."""
