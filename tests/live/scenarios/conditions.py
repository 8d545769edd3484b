"""Conditions of listeners and TCP connections; those of other sockets, of IP and devices are in datagrams.py.

A function makes one and returns; what goes on after that goes on in threads of its process.
"""

from __future__ import annotations

import os
import resource
import socket
import struct
import time
from typing import TYPE_CHECKING

from tests.live.scenarios.load import (
    KEPT,
    SILENCE_S,
    client,
    fill_stream,
    forever,
    keep,
    listener,
    nowhere,
    pair,
    sysctl,
)

if TYPE_CHECKING:
    from collections.abc import Callable

V4, V6 = socket.AF_INET, socket.AF_INET6


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


def no_way_back_beside_an_overflow() -> None:
    no_way_back_to_the_client()
    _refuse(V4)


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
    time.sleep(SILENCE_S)


def tcp6_reader_stalled() -> None:
    one, _other = pair(listener(5, V6))
    fill_stream(one)
    time.sleep(SILENCE_S)


def tcp_some_unread() -> None:
    one, _other = pair(listener(5))
    one.send(b"x" * 1000)


def tcp_many_stalled() -> None:
    server = listener(50)
    for _ in range(12):
        one, other = pair(server)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        fill_stream(one)
    time.sleep(SILENCE_S)


# TCP states


def close_wait_leak() -> None:
    server = listener(50)

    def leak() -> None:
        one, _other = pair(server)
        KEPT.remove(one)
        one.close()

    for _ in range(20):
        leak()
    forever(leak, 0.5)


def close_wait_pool() -> None:
    server = listener(50)
    for _ in range(8):
        _other, one = pair(server)
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

    def leak() -> None:
        one, _other = pair(server)
        one.shutdown(socket.SHUT_WR)

    for _ in range(20):
        leak()
    forever(leak, 0.5)


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
