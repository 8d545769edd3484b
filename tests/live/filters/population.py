"""IP sockets of both families with ports, marks, devices and states to tell apart. Runs in the namespace's process."""

from __future__ import annotations

import random
import socket
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

from sockdiag.sources.netlink.inet_diag import decode, inet_requests
from sockdiag.sources.netlink.inet_request import request
from sockdiag.sources.system.transport import KernelTransport, messages

if TYPE_CHECKING:
    from sockdiag.model.socket import Socket

SO_MARK = 36
SO_BINDTODEVICE = 25
V4 = ["127.0.0.1", "127.0.1.2", "127.5.0.9", "10.0.0.1", "10.0.1.7", "0.0.0.0"]
V6 = ["::1", "fd00::1", "fd00:1::2", "::"]
PORTS = [22, 80, 443, 1023, 5000, 8080, 61000, 65535]
MARKS = [0, 0, 0, 1, 5, 0xFF, 0xFFFFFFFF]
DEVICES = ["", "", "", "lo", "fil0"]
_held: list[socket.socket] = []


def populate() -> None:
    """Make the sockets; their descriptors are open until the process ends."""
    for command in (
        "ip link add fil0 type veth peer name fil1",
        "ip link set fil0 up",
        "ip addr add 10.0.0.1/24 dev lo",
        "ip addr add 10.0.1.7/24 dev fil0",
        "ip addr add fd00::1/128 dev lo nodad",
        "ip addr add fd00:1::2/128 dev lo nodad",
    ):
        subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL)
    _wait_for_routes()
    chance = random.Random(1)
    for _ in range(60):
        _server(chance)
    for _ in range(40):
        _connection(chance)
    for _ in range(30):
        _datagrams(chance)
    for made in _held:
        made.detach()


def _wait_for_routes() -> None:
    """Wait until the addresses can be reached: the kernel adds the routes of IPv6 addresses a moment later."""
    deadline = time.monotonic() + 60
    for family, addresses in ((socket.AF_INET, V4), (socket.AF_INET6, V6)):
        for address in addresses[:-1]:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                while probe.connect_ex((address, 9)) and time.monotonic() < deadline:
                    time.sleep(0.01)


def _new(family: int, kind: int, chance: random.Random, device: str) -> socket.socket:
    made = socket.socket(family, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, SO_MARK, _signed(chance.choice(MARKS)))
    if device:
        made.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, device.encode())
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, chance.choice([0, 1]))
    _held.append(made)
    return made


def _signed(mark: int) -> int:
    return mark - (1 << 32) if mark >> 31 else mark


def _place(chance: random.Random) -> tuple[int, str]:
    return chance.choice([(socket.AF_INET, a) for a in V4] + [(socket.AF_INET6, a) for a in V6])


def _server(chance: random.Random) -> None:
    family, address = _place(chance)
    server = _new(family, socket.SOCK_STREAM, chance, chance.choice(DEVICES))
    try:
        server.bind((address, chance.choice([0, *PORTS])))
    except OSError:
        return
    if chance.random() < 0.9:
        try:
            server.listen()
        except OSError:
            return


def _connection(chance: random.Random) -> None:
    family, address = chance.choice(
        [(socket.AF_INET, a) for a in V4[:4]] + [(socket.AF_INET6, a) for a in V6[:3]] + [(socket.AF_INET6, "::")]
    )
    listener = _new(family, socket.SOCK_STREAM, chance, "")
    if address == "::":
        # A dual-stack listener, reached by IPv4: the accepted socket has mapped addresses.
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind((address, 0))
    listener.listen()
    port = listener.getsockname()[1]
    client = _new(socket.AF_INET if address == "::" else family, socket.SOCK_STREAM, chance, "")
    client.connect(("127.0.0.1" if address == "::" else address, port))
    served, _ = listener.accept()
    _held.append(served)
    end = chance.random()
    if end < 0.2:
        client.close()  # FIN_WAIT2 and CLOSE_WAIT
    elif end < 0.4:
        client.close()
        served.close()  # TIME_WAIT
    elif end < 0.5:
        served.close()


def _datagrams(chance: random.Random) -> None:
    family, address = _place(chance)
    made = _new(family, socket.SOCK_DGRAM, chance, chance.choice(DEVICES))
    try:
        made.bind((address, chance.choice([0, *PORTS])))
        if chance.random() < 0.4:
            made.connect((address, chance.choice(PORTS)))
    except OSError:
        return


def populate_local() -> None:
    """Make unix, packet and netlink sockets; their descriptors are open until the process ends."""
    folder = tempfile.mkdtemp()
    names: list[str | bytes] = [
        f"{folder}/stream_A",
        f"{folder}/with blank",
        f"{folder}/5",
        b"\0abs\0x",
        b"\0Abs",
        b"",
        "\0" + "0aF1z",
    ]
    for name in names:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        made.bind(name)
        _held.append(made)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(f"{folder}/listener")
    server.listen()
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(f"{folder}/listener")
    _held.extend([server, client, server.accept()[0], socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)])
    _held.extend(socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    for kind, protocol, device in (
        (socket.SOCK_RAW, 0x0800, "lo"),
        (socket.SOCK_RAW, 3, ""),
        (socket.SOCK_DGRAM, 0, ""),
        (socket.SOCK_DGRAM, 0, "lo"),
        (socket.SOCK_DGRAM, 0x86DD, ""),
        (socket.SOCK_RAW, 3, "lo"),
    ):
        made = socket.socket(socket.AF_PACKET, kind, socket.htons(protocol))
        if device:
            made.bind((device, protocol))
        _held.append(made)
    for protocol, portid in ((0, 0), (0, 777), (16, 1), (9, 5), (0, 0xFFFFFFFD)):
        made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        made.bind((portid, 0))
        _held.append(made)
    made.connect((777, 2))
    for made in _held:
        made.detach()


def listed(table: str) -> list[Socket]:
    """Return the sockets of a table, in all states but bound-inactive."""
    return [
        decode(message, table, _interface)
        for asked in inet_requests(table, (), 0xFFF, ("skmem",))
        for datagram in KernelTransport().dump(asked)
        for message in messages(asked, datagram)
    ]


def _interface(index: int) -> str | None:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return None


def sifted(protocol: int, bytecode: bytes) -> set[int]:
    """Return the cookies of the sockets that the kernel's run of some bytecode lets pass."""
    found = set()
    for family in (socket.AF_INET, socket.AF_INET6):
        asked = request(family, protocol, 0xFFF, 0, bytecode)
        for datagram in KernelTransport().dump(asked):
            for message in messages(asked, datagram):
                low, high = int.from_bytes(message[60:64], "little"), int.from_bytes(message[64:68], "little")
                found.add(low | high << 32)
    return found


def sifted_each(protocol: int, programs: list[bytes]) -> list[set[int]]:
    """Return what the kernel lets pass of each program."""
    return [sifted(protocol, program) for program in programs]


def interfaces() -> dict[str, int]:
    """Return the indexes of the interfaces by name."""
    return {name: index for index, name in socket.if_nameindex()}


def port_range() -> tuple[int, int]:
    """Return the namespace's local port range."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        low, high = file.read().split()
    return int(low), int(high)
