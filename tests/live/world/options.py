"""Socket options that the kernel reports: mark, device, TOS, congestion control, MD5 signatures, kTLS."""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import TYPE_CHECKING

from tests.live.world.facts import ANY, BOTH_FAMILIES, LOOPBACK, Unavailable, factory
from tests.live.world.tcp import both_ends

if TYPE_CHECKING:
    from tests.live.world.facts import Maker

SO_MARK, TCP_MD5SIG, TCP_ULP, TCP_CONGESTION = 36, 14, 31, 13
MARK = 0x5EED
KEY = b"secret"


@factory(*BOTH_FAMILIES)
def tcp_mark(made: Maker, family: int) -> None:
    """Set SO_MARK on a listener; visible only with CAP_NET_ADMIN."""
    listener = made.listener(family, 2)
    listener.setsockopt(socket.SOL_SOCKET, SO_MARK, MARK)
    made.tcp("listener", "LISTEN", listener, mark=MARK)


@factory()
def udp_mark(made: Maker) -> None:
    """Set SO_MARK on a UDP socket."""
    sock = made.bound(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_MARK, MARK)
    made.inet_fact("bound", "udp", "CLOSE", sock, mark=MARK)


@factory(*({**family, "device": "lo"} for family in BOTH_FAMILIES))
def tcp_bound_to_device(made: Maker, family: int, device: str) -> None:
    """Listen on one device."""
    sock = made.open(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    sock.bind((ANY[family], 0))
    sock.listen(2)
    made.tcp("listener", "LISTEN", sock, device=device)


@factory(*BOTH_FAMILIES)
def udp_bound_to_device(made: Maker, family: int) -> None:
    """Receive on one device."""
    sock = made.open(family, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    sock.bind((ANY[family], 0))
    made.inet_fact("bound", "udp", "CLOSE", sock, device="lo")


@factory()
def tcp_tos(made: Maker) -> None:
    """Connect with IP_TOS."""

    def set_tos(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x28)

    client, server = made.connection(socket.AF_INET, prepare=set_tos)
    made.tcp("client", "ESTABLISHED", client, tos=0x28)
    made.tcp("server", "ESTABLISHED", server)


@factory()
def tcp_tclass(made: Maker) -> None:
    """Connect with IPV6_TCLASS."""

    def set_tclass(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x48)

    client, server = made.connection(socket.AF_INET6, prepare=set_tclass)
    made.tcp("client", "ESTABLISHED", client, tclass=0x48)
    made.tcp("server", "ESTABLISHED", server)


@factory({"algorithm": "reno"}, {"algorithm": "cubic"}, {"algorithm": "bbr"})
def tcp_congestion(made: Maker, algorithm: str) -> None:
    """Connect with a congestion control of choice."""

    def choose(sock: socket.socket) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, algorithm.encode())
        except FileNotFoundError:
            raise Unavailable(f"setsockopt(TCP_CONGESTION, {algorithm}): not built") from None

    client, server = made.connection(socket.AF_INET, prepare=choose)
    made.tcp("client", "ESTABLISHED", client, congestion=algorithm)
    made.tcp("server", "ESTABLISHED", server, congestion=algorithm)


@factory(*BOTH_FAMILIES)
def tcp_md5sig(made: Maker, family: int) -> None:
    """Connect with TCP MD5 signatures (RFC 2385) between both ends."""

    def sign(sock: socket.socket) -> None:
        address = socket.inet_pton(family, LOOPBACK[family])
        if family == socket.AF_INET:
            sockaddr = struct.pack("=HH4s", family, 0, address)
        else:
            sockaddr = struct.pack("=HHI16sI", family, 0, 0, address, 0)
        # struct tcp_md5sig: sockaddr_storage (128), flags, prefixlen, keylen, ifindex, key (80)
        option = struct.pack("=128sBBHi80s", sockaddr, 0, 0, len(KEY), 0, KEY)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, option)
        except OSError as error:
            if error.errno == errno.ENOPROTOOPT:
                raise Unavailable("setsockopt(TCP_MD5SIG): not built") from None
            raise

    client, server = made.connection(family, prepare=sign)
    made.tcp("client", "ESTABLISHED", client, md5=KEY)
    made.tcp("server", "ESTABLISHED", server, md5=KEY)


def require_ktls() -> None:
    """Raise Unavailable where the kernel has no TLS: TCP_ULP is looked up before the socket's state is."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise Unavailable("setsockopt(TCP_ULP, tls): not built") from None


@factory()
def tcp_ktls(made: Maker) -> None:
    """Connect, and have the kernel do TLS on one end."""
    require_ktls()
    client, server = made.connection(socket.AF_INET)
    client.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
    made.tcp("client", "ESTABLISHED", client, ulp="tls")
    made.tcp("server", "ESTABLISHED", server)


@factory()
def tcp_user(made: Maker) -> None:
    """Connect as another user."""
    os.seteuid(65534)
    try:
        client, server = made.connection(socket.AF_INET)
    finally:
        os.seteuid(0)
    both_ends(made, client, server)


@factory()
def tcp_buffers(made: Maker) -> None:
    """Connect with fixed buffers."""

    def fix(sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 30000)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 40000)

    client, server = made.connection(socket.AF_INET, prepare=fix)
    made.tcp("client", "ESTABLISHED", client, rcvbuf=60000, sndbuf=80000)
    made.tcp("server", "ESTABLISHED", server, rcvbuf=60000, sndbuf=80000)
