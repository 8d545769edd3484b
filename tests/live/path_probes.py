"""Losses of a known size at each stage of a packet's way. Every function runs in the process of a new network namespace.

What was lost is read from the kernel's own files, by other code than that under test.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.live.world import netdev

if TYPE_CHECKING:
    from collections.abc import Callable

SOL_PACKET, PACKET_RX_RING = 263, 5
# What lives on from one call to the next: sockets, descriptors of tun devices.
_KEPT: list[Any] = []
TUN, HERE, THERE, NOWHERE = "tun0", "10.8.0.1", "10.8.0.2", "10.99.0.1"


def looked_at(load: Callable[..., Any], *arguments: Any) -> tuple[dict[str, Any], dict[str, int], Any]:
    """Run `sockdiag path --json` with a load between its two samples.

    Returns:
        Its document, what grew in the kernel's counters meanwhile, and the load's result.
    """
    from sockdiag import progress
    from sockdiag.cli import main
    from sockdiag.cli.env import Env

    results: dict[str, Any] = {}

    def between(_seconds: float, _within: object = None) -> None:
        before = kernel_counters()
        results["value"] = load(*arguments)
        time.sleep(0.05)
        after = kernel_counters()
        results["grown"] = {
            name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)
        }

    reader, writer = os.pipe()
    kept: list[bytes] = []
    drain = threading.Thread(target=lambda: kept.extend(iter(lambda: os.read(reader, 1 << 16), b"")))
    drain.start()
    real, progress.pause = progress.pause, between
    try:
        status = main.run(
            ["sockdiag", "path", "--json", "--interval", "0.01"], Env(out=writer, environ={"SOCKDIAG_DEBUG": "1"})
        )
    finally:
        progress.pause = real
        os.close(writer)
        drain.join()
        os.close(reader)
    assert status == 0
    return json.loads(b"".join(kept)), results["grown"], results["value"]


def kernel_counters() -> dict[str, int]:
    """Read all counters of the namespace, by their names in the files; devices' and qdiscs' as DEVICE.NAME."""
    found = {}
    for name in ("snmp", "netstat"):
        lines = Path("/proc/net", name).read_text().splitlines()
        for head, row in zip(lines[::2], lines[1::2], strict=True):
            prefix, _, columns = head.partition(":")
            values = row.partition(":")[2].split()
            found.update({f"{prefix}.{c}": int(v) for c, v in zip(columns.split(), values, strict=True)})
    for line in Path("/proc/net/snmp6").read_text().splitlines():
        name, value = line.split()
        found[name] = int(value)
    for line in Path("/proc/net/dev").read_text().splitlines()[2:]:
        device, _, rest = line.partition(":")
        numbers = [int(word) for word in rest.split()]
        found[f"{device.strip()}.rx_drop"], found[f"{device.strip()}.tx_drop"] = numbers[3], numbers[11]
    for qdisc in json.loads(
        subprocess.run(["tc", "-s", "-j", "qdisc", "show"], check=True, capture_output=True).stdout
    ):
        if qdisc.get("root"):
            found[f"{qdisc['dev']}.drops"] = qdisc["drops"]
    return found


def tun(*, forward: bool = False) -> None:
    """Make a device whose far end is a descriptor of this process."""
    _KEPT.append(netdev.open_tun(TUN))
    for where in ("all", TUN):
        netdev.sysctl(f"net/ipv6/conf/{where}/disable_ipv6", 1)
        netdev.sysctl(f"net/ipv4/conf/{where}/rp_filter", 0)
        netdev.sysctl(f"net/ipv4/conf/{where}/forwarding", int(forward))
    netdev.add_ipv4(TUN, HERE, "255.255.255.0")
    netdev.link_up(TUN)


def qdisc(*words: str) -> None:
    """Give the tun device a queueing discipline."""
    subprocess.run(["tc", "qdisc", "replace", "dev", TUN, "root", *words], check=True)


def filter_ingress() -> None:
    """Let the device's ingress drop everything."""
    subprocess.run(["tc", "qdisc", "add", "dev", TUN, "ingress"], check=True)
    program = ["bpf", "da", "bytecode", "1,6 0 0 2"]  # return TC_ACT_SHOT
    subprocess.run(["tc", "filter", "add", "dev", TUN, "parent", "ffff:", *program], check=True)


def checksum(data: bytes) -> int:
    """Compute the Internet checksum."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(
    payload: bytes = b"",
    *,
    to: str = HERE,
    source: str = THERE,
    protocol: int = 17,
    ident: int = 1,
    flags: int = 0,
    ttl: int = 64,
) -> bytes:
    """Build an IPv4 packet."""
    ends = socket.inet_aton(source) + socket.inet_aton(to)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), ident, flags, ttl, protocol, 0) + ends
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def arrive(packets: list[bytes]) -> None:
    """Let packets come in by the tun device."""
    for one in packets:
        os.write(_KEPT[0], one)


def keep(family: int, kind: int, protocol: int = 0, *, rcvbuf: int = 0) -> int:
    """Make a socket that lives on, on loopback; return its port."""
    sock = socket.socket(family, kind, protocol)
    if rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    if kind == socket.SOCK_DGRAM:
        sock.bind(("::" if family == socket.AF_INET6 else "127.0.0.1", 0))
    _KEPT.append(sock)
    return int(sock.getsockname()[1])


def bound_here() -> int:
    """Bind a UDP socket to the tun device's address; return its port."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HERE, 0))
    _KEPT.append(sock)
    return int(sock.getsockname()[1])


def ring() -> None:
    """Make a packet socket with a receive ring."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(SOL_PACKET, PACKET_RX_RING, struct.pack("4I", 4096, 1, 2048, 2))
    _KEPT.append(sock)


def send(family: int, address: tuple[Any, ...], count: int, size: int = 100) -> int:
    """Send datagrams; return how many sends failed."""
    failed = 0
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        for _ in range(count):
            try:
                sock.sendto(bytes(size), address)
            except OSError:
                failed += 1
    return failed


def refused_by_sndbuf(count: int) -> int:
    """Send datagrams that stay in the queueing discipline, from a small send buffer; return how many were refused."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    _KEPT.append(sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    sock.setblocking(False)
    failed = 0
    for _ in range(count):
        try:
            sock.sendto(bytes(1000), (THERE, 9))
        except BlockingIOError:
            failed += 1
    return failed


def send_raw(count: int) -> None:
    """Send packets of protocol 253 to whoever listens to it."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, 253) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for _ in range(count):
            sock.sendto(bytes(100), ("127.0.0.1", 0))


def overflow_listener(clients: int) -> None:
    """Connect to a listener that accepts nobody."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(1)
    _KEPT.append(server)
    for _ in range(clients):
        client = socket.socket()
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.connect(server.getsockname())
        _KEPT.append(client)
    time.sleep(0.1)


def transfer(size: int, datagrams: int) -> tuple[int, int]:
    """Send over TCP and UDP to readers that keep up; return what they got."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        connection = server.accept()[0]
        sender = threading.Thread(target=lambda: (client.sendall(bytes(size)), client.shutdown(socket.SHUT_WR)))
        sender.start()
        got = 0
        while piece := connection.recv(1 << 16):
            got += len(piece)
        sender.join()
        connection.close()
    with (
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as reader,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as writer,
    ):
        reader.bind(("::1", 0))
        read = 0
        for _ in range(datagrams):
            writer.sendto(b"x", reader.getsockname())
            read += len(reader.recv(10))
    return got, read


def slow_reader() -> None:
    """Send over TCP until the receiver's window is closed, and go on with its probes for a while."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        _KEPT.extend((client, server.accept()[0]))
    client.setblocking(False)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        if select.select([], [client], [], 0.05)[1]:
            client.send(bytes(1 << 16))


def give_up_fragments(count: int) -> None:
    """Let first fragments come in that nothing follows, and wait until they are given up."""
    arrive([packet(bytes(64), ident=100 + i, flags=0x2000) for i in range(count)])
    time.sleep(1.5)


def wrong_checksums(port: int, count: int) -> None:
    """Let datagrams with a wrong checksum come in for a port."""
    datagram = struct.pack("!HHHH", 99, port, 8 + 20, 0x1234) + bytes(20)
    arrive([packet(datagram)] * count)
