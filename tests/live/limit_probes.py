"""What real sockets do at their limits. Every function runs in the process of a new network namespace."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SO_ATTACH_FILTER = 26
TCPI_OPT_WSCALE = 4
# One instruction of classic BPF: return 0, so that no packet reaches the socket and none is answered.
_DROP = struct.pack("HBBI", 6, 0, 0, 0)

KINDS = {
    "tcp": (socket.AF_INET, socket.SOCK_STREAM, 0),
    "tcp6": (socket.AF_INET6, socket.SOCK_STREAM, 0),
    "udp": (socket.AF_INET, socket.SOCK_DGRAM, 0),
    "udp6": (socket.AF_INET6, socket.SOCK_DGRAM, 0),
    "raw": (socket.AF_INET, socket.SOCK_RAW, 253),
    "unix dgram": (socket.AF_UNIX, socket.SOCK_DGRAM, 0),
    "unix stream": (socket.AF_UNIX, socket.SOCK_STREAM, 0),
    "netlink": (socket.AF_NETLINK, socket.SOCK_RAW, 0),
    "packet": (socket.AF_PACKET, socket.SOCK_RAW, 0),
}


def sysctl(name: str, value: object) -> None:
    """Set a sysctl of this namespace."""
    Path("/proc/sys", name.replace(".", "/")).write_text(f"{value}\n")


def listener(backlog: int = 128) -> socket.socket:
    """Listen on all of loopback, on a port outside the range that the kernel chooses from."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", 1030))
    sock.listen(backlog)
    return sock


def connected() -> tuple[socket.socket, socket.socket]:
    """Return a client and the server's end of a connection over loopback."""
    with listener() as server:
        client = socket.create_connection(("127.0.0.1", 1030))
        return client, server.accept()[0]


def deafen(sock: socket.socket) -> None:
    """Let a socket lose all that arrives, without an answer."""
    attach(sock, _DROP)


def attach(sock: socket.socket, instructions: bytes) -> None:
    """Attach a classic BPF filter to a socket."""
    memory = ctypes.create_string_buffer(instructions, len(instructions))
    program = struct.pack("HL", len(instructions) // len(_DROP), ctypes.addressof(memory))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def buffers() -> dict[str, tuple[int, int]]:
    """Return SO_RCVBUF and SO_SNDBUF of a new socket of each kind."""
    found = {}
    for kind, arguments in KINDS.items():
        with socket.socket(*arguments) as sock:
            found[kind] = (
                sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF),
                sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF),
            )
    return found


def asked(option: int, values: list[int]) -> dict[str, list[int]]:
    """Ask for sizes of a buffer, and return what a socket of each kind then has."""
    found: dict[str, list[int]] = {}
    for kind, arguments in KINDS.items():
        with socket.socket(*arguments) as sock:
            for value in values:
                sock.setsockopt(socket.SOL_SOCKET, option, value)
                found.setdefault(kind, []).append(sock.getsockopt(socket.SOL_SOCKET, option))
    return found


def stream(asked_rcvbuf: int | None = None) -> tuple[list[int], list[int]]:
    """Send 64 MB to a reader that keeps up; return the sizes that its receive buffer and our send buffer had."""
    client, server = connected()
    if asked_rcvbuf is not None:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, asked_rcvbuf)

    def send() -> None:
        block = bytes(1 << 20)
        for _ in range(64):
            client.sendall(block)
            sndbufs.append(client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))
        client.shutdown(socket.SHUT_WR)

    rcvbufs = [server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)]
    sndbufs = [client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)]
    sender = threading.Thread(target=send)
    sender.start()
    while server.recv(1 << 20):
        rcvbufs.append(server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))
    sender.join()
    client.close()
    server.close()
    return rcvbufs, sndbufs


def accept_queue(backlog: int) -> tuple[int, int]:
    """Fill an accept queue; return its limit and its length as inet_diag tells them."""
    with listener(backlog):
        clients = []
        for _ in range(backlog + 10):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", 1030))
            clients.append(client)
        time.sleep(0.1)
        (line,) = subprocess.run(["ss", "-ltnH"], check=True, capture_output=True, text=True).stdout.splitlines()
        for client in clients:
            client.close()
    _state, length, limit = line.split()[:3]
    return int(limit), int(length)


def unix_datagrams() -> int:
    """Send datagrams to a unix socket that nobody reads; return how many it took."""
    receiver, sender = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
    with receiver, sender:
        receiver.bind(b"\0probe")
        sender.setblocking(False)
        taken = 0
        while True:
            try:
                sender.sendto(b"x", b"\0probe")
            except BlockingIOError:
                return taken
            taken += 1


def ports_for(destinations: int) -> list[list[int]]:
    """Connect to each of several destinations until no port is left; return the local ports."""
    found = []
    kept = []
    with listener(1000):
        for number in range(1, destinations + 1):
            ports: list[int] = []
            while True:
                client = socket.socket()
                kept.append(client)
                error = client.connect_ex((f"127.0.0.{number}", 1030))
                if error == errno.EADDRNOTAVAIL:
                    break
                assert not error, os.strerror(error)
                ports.append(client.getsockname()[1])
            found.append(ports)
    for client in kept:
        client.close()
    return found


def bindable_ports(kind: int) -> list[int]:
    """Bind sockets to port 0 until EADDRINUSE; return the ports."""
    kept: list[socket.socket] = []
    number = 0
    while number != errno.EADDRINUSE:
        assert number == 0, os.strerror(number)
        sock = socket.socket(socket.AF_INET, kind)
        kept.append(sock)
        try:
            sock.bind(("127.0.0.1", 0))
        except OSError as error:
            number = error.errno or 0
    ports = [sock.getsockname()[1] for sock in kept[:-1]]
    for sock in kept:
        sock.close()
    return ports


def _seconds_until_timeout(act: Callable[[], object]) -> float:
    start = time.monotonic()
    try:
        act()
    except TimeoutError:
        return time.monotonic() - start
    raise AssertionError("no timeout")


def connect_to_nobody() -> float:
    """Return the seconds after which connect(2) gives up on a peer that does not answer."""
    with listener(), socket.socket() as sock:
        deafen(sock)
        return _seconds_until_timeout(lambda: sock.connect(("127.0.0.1", 1030)))


def keepalive_to_nobody() -> float:
    """Return the seconds after which keep-alive gives up on a peer that vanished."""
    client, server = connected()
    with client, server:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        deafen(server)
        return _seconds_until_timeout(lambda: client.recv(1))


def data_to_nobody() -> float:
    """Return the seconds after which a sender gives up on a peer that vanished."""
    client, server = connected()
    with client, server:
        deafen(server)
        client.send(b"x")
        return _seconds_until_timeout(lambda: client.recv(1))


def _states() -> list[str]:
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [row.split()[3] for row in rows if ":0406" in row.split()[2]]


def orphan(last_byte: bytes) -> float:
    """Close a client whose peer keeps its end open, or is deaf where there is a last byte; return how long it stays."""
    client, server = connected()
    with server:
        if last_byte:
            deafen(server)
            client.send(last_byte)
        start = time.monotonic()
        client.close()
        while _states():
            time.sleep(0.01)
        return time.monotonic() - start


def time_waits(count: int) -> tuple[int, int]:
    """Close connections, client first; return TIME_WAIT sockets and how many skipped that state."""
    before = _overflows()
    with listener() as server:
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", 1030))
            accepted = server.accept()[0]
            client.close()
            assert accepted.recv(1) == b""
            accepted.close()
    sockstat = Path("/proc/net/sockstat").read_text().split()
    return int(sockstat[sockstat.index("tw") + 1]), _overflows() - before


def _overflows() -> int:
    names, values = (line.split() for line in Path("/proc/net/netstat").read_text().splitlines()[:2])
    return int(values[names.index("TCPTimeWaitOverflow")])


def window_scaling() -> tuple[bool, int]:
    """Tell whether a connection scales its window, and the largest that it then offered."""
    client, server = connected()
    with client, server:
        client.setblocking(False)
        try:
            while True:
                client.send(bytes(1 << 16))
        except BlockingIOError:
            pass
        info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 280)
    snd_wnd = struct.unpack_from("=I", info, 228)[0]
    return bool(info[5] & TCPI_OPT_WSCALE), snd_wnd


def unsent() -> int:
    """Send to a peer that does not read until no more is taken; return the bytes that are not yet sent."""
    client, server = connected()
    with client, server:
        client.setblocking(False)
        try:
            while True:
                client.send(bytes(1000))
        except BlockingIOError:
            pass
        return int(struct.unpack_from("=I", client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 280), 144)[0])


def options(size: int) -> tuple[int | None, int | None]:
    """Attach a filter of a size and send ancillary data of that size; return the error numbers."""
    errors: list[int | None] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        acts: tuple[Callable[[], object], ...] = (
            lambda: attach(sock, _DROP * (size // len(_DROP))),
            lambda: sock.sendmsg([b"x"], [(socket.SOL_SOCKET + 1, 0, bytes(size))], 0, ("127.0.0.1", 9)),
        )
        for act in acts:
            try:
                act()
            except OSError as error:
                errors.append(error.errno)
            else:
                errors.append(None)
    return errors[0], errors[1]


def memberships(count: int) -> int | None:
    """Join multicast groups; return the error number of the last."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for number in range(count):
            try:
                sock.setsockopt(
                    socket.IPPROTO_IP,
                    socket.IP_ADD_MEMBERSHIP,
                    socket.inet_aton(f"239.1.1.{number + 1}") + socket.inet_aton("127.0.0.1"),
                )
            except OSError as error:
                assert number == count - 1
                return error.errno
    return None


def unprivileged_bind(port: int) -> int | None:
    """Bind to a port as nobody; return the error number."""
    pid = os.fork()
    if pid == 0:
        code = 255
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            socket.socket().bind(("127.0.0.1", port))
            code = 0
        except OSError as error:
            code = error.errno or 255
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status or None


def udp_to_nobody(count: int) -> None:
    """Send datagrams to a port where nobody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(count):
            sock.sendto(b"x", ("127.0.0.1", 9))


_held: list[socket.socket] = []


def hold(kinds: list[str]) -> None:
    """Keep sockets of some kinds, bound to a port where there are ports."""
    for kind in kinds:
        sock = socket.socket(*KINDS[kind])
        if kind in ("tcp", "tcp6", "udp", "udp6"):
            sock.bind(("", 0))
        if kind in ("tcp", "tcp6"):
            sock.listen()
        _held.append(sock)


def drop() -> None:
    """Close what is kept."""
    for sock in _held:
        sock.close()
    _held.clear()


def page_and_cpus() -> tuple[int, list[int]]:
    """Return the size of a page and the CPUs that are online, as the system calls tell them."""
    online = []
    for part in Path("/sys/devices/system/cpu/online").read_text().strip().split(","):
        first, _, last = part.partition("-")
        online += range(int(first), int(last or first) + 1)
    return os.sysconf("SC_PAGE_SIZE"), online


def until_no_request() -> float:
    """Return the seconds until no request is in a SYN queue any more."""
    start = time.monotonic()
    while any(row.split()[3] == "03" for row in Path("/proc/net/tcp").read_text().splitlines()[1:]):
        time.sleep(0.01)
    return time.monotonic() - start
