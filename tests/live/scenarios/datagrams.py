"""Conditions of sockets without connections, of IP and devices.

A function makes one and returns; what goes on after that goes on in threads of its process.
"""

from __future__ import annotations

import socket
import struct
import time

from tests.live.scenarios.load import (
    KEPT,
    LOOPBACK,
    attach_filter,
    command,
    fill_to,
    forever,
    keep,
    meminfo,
    reject_all,
    sysctl,
    udp,
)
from tests.live.world.netdev import open_tun, set_mtu

V4, V6 = socket.AF_INET, socket.AF_INET6
ETH_P_IP = 0x0800


# UDP


def udp_idle() -> None:
    udp()
    udp(V6)


def udp_a_third_full() -> None:
    fill_to(*udp(size=212992), 0.33)


def udp_half_full() -> None:
    # Full datagrams pass the half: more waits than there is room left.
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
    # 1280 bytes of truesize every 35 ms: 37 kB a second, full in some nine seconds.
    receiver, sender = udp(size=600_000)
    fill_to(receiver, sender, 0.45)
    forever(lambda: sender.send(b"x" * 500), 0.035)


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
    reject_all(receiver)
    forever(lambda: sender.send(b"x" * 500), 0.01)


def udp_filter_rejects_beside_an_overflow() -> None:
    udp_filter_rejects()
    udp_overflow()


def udp_filter_passes() -> None:
    receiver, sender = udp()
    attach_filter(receiver, 0xFFFF)
    receiver.setblocking(False)
    forever(lambda: sender.send(b"x" * 500), 0.01)
    forever(lambda: receiver.recv(2048), 0.001)


def udp_sockets_come_and_go() -> None:
    forever(udp_loss_of_sockets_that_are_gone, 0.01)


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
    reject_all(sender)
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
