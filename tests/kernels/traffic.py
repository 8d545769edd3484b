"""Traffic that makes each of the events happen that tests/kernels/capture.py records."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import time
from pathlib import Path

from tests.live.world.namespace import netns

SO_RCVBUFFORCE = 33
SO_MEMINFO = 55
_LO = "127.0.0.1"


def play() -> None:
    """Lose, reset and retransmit, in a network namespace."""
    with netns() as namespace:
        namespace.call(refused_datagrams)
        namespace.call(full_datagram_queue)
        namespace.call(closed_port)
        namespace.call(reset_by_the_reader)
        # SYNs and SYN-ACKs that nobody answers; the first makes the network of the others, too.
        namespace.make("tcp_syn_sent", family=socket.AF_INET)
        namespace.make("tcp_syn_recv", family=socket.AF_INET, count=2)
        namespace.call(lost_segments)
    limits_of_memory()


def refused_datagrams() -> None:
    """Let a connected socket learn that its peer's port is closed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect((_LO, 9))
        for _ in range(2):
            with contextlib.suppress(ConnectionRefusedError):
                sender.send(b"x")


def full_datagram_queue() -> None:
    """Send more than a buffer holds, to a datagram socket and to a raw one."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reader,
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        for one in (reader, raw):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        reader.bind((_LO, 0))
        for _ in range(12):
            sender.sendto(bytes(1000), reader.getsockname())


def closed_port() -> None:
    """Connect to a port that nobody listens at."""
    with socket.socket() as client, contextlib.suppress(ConnectionRefusedError):
        client.connect((_LO, 9))


def _pair() -> tuple[socket.socket, socket.socket]:
    with socket.socket() as listener:
        listener.bind((_LO, 0))
        listener.listen()
        client = socket.create_connection(listener.getsockname())
        return client, listener.accept()[0]


def reset_by_the_reader() -> None:
    """Close a connection that has unread data."""
    client, server = _pair()
    client.sendall(b"unread")
    time.sleep(0.1)
    server.close()
    time.sleep(0.1)
    client.close()


def lost_segments() -> None:
    """Send where every packet is lost, until segments have been sent again."""
    client, server = _pair()
    subprocess.run(["tc", "qdisc", "add", "dev", "lo", "root", "netem", "loss", "100%"], check=True)
    client.sendall(b"lost")
    time.sleep(2.5)
    subprocess.run(["tc", "qdisc", "del", "dev", "lo", "root"], check=True)
    time.sleep(1)
    client.close()
    server.close()


def _dropped(reader: socket.socket) -> int:
    return struct.unpack("=9I", reader.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[8]


def limits_of_memory() -> None:
    """Let datagrams exceed the memory of all UDP sockets of the host, for a moment."""
    path = Path("/proc/sys/net/ipv4/udp_mem")
    before = path.read_text()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reader,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        reader.bind((_LO, 0))
        reader.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        path.write_text("1 1 1")
        try:
            # Since 6.0 each CPU has a megabyte in reserve, which no limit stops.
            for _ in range(4000):
                sender.sendto(bytes(1000), reader.getsockname())
                if _dropped(reader) >= 3:
                    break
        finally:
            path.write_text(before)
