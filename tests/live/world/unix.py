"""Unix sockets."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Any

from tests.live.world.facts import factory
from tests.live.world.release import kernel_since

if TYPE_CHECKING:
    from tests.live.world.facts import Fact, Maker

STREAM, DGRAM, SEQPACKET = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET
TYPES = ({"type": STREAM}, {"type": DGRAM}, {"type": SEQPACKET})
CONNECTION_TYPES = ({"type": STREAM}, {"type": SEQPACKET})

# sun_path holds 108 bytes, one of them the NUL of an abstract name.
HOSTILE_NAMES = {
    "newline": b"\0sockdiag\n0000000000000000: 00000002 00000000 00010000 0001 01     7 @forged",
    "escape": b"\0sockdiag\x1b[2J\x1b[31mred",
    "invalid-utf8": b"\0sockdiag\xff\xfe\xc3\x28",
    "nul": b"\0sockdiag\0inside\0",
    "space": b"\0sockdiag with spaces  and\ttab",
    "utf8": "\0sockdiag-Grüße-\u202egnp".encode(),
    "longest": b"\0sockdiag".ljust(108, b"x"),
}


def unix(
    made: Maker, role: str, state: str, sock: socket.socket, peer: socket.socket | None = None, **expect: Any
) -> Fact:
    """Record a held unix socket, its name as bytes (b"" where it has none), and the inode of its peer."""
    if state == "ESTABLISHED" and sock.type == DGRAM and not kernel_since(5, 15):
        state = "CLOSE"  # connect(2) left the state of datagram sockets alone
    name = sock.getsockname()
    expect["peer_inode"] = os.fstat(peer.fileno()).st_ino if peer else 0
    return made.fact(role, "unix", state, sock, os.fsencode(name) if isinstance(name, str) else name, **expect)


def made_pair(made: Maker, type: int) -> tuple[socket.socket, socket.socket]:
    """Create a connected pair."""
    first, second = socket.socketpair(socket.AF_UNIX, type)
    return made.keep(first), made.keep(second)


@factory(*TYPES)
def unix_pair(made: Maker, type: int) -> None:
    """Create a connected pair without names."""
    first, second = made_pair(made, type)
    unix(made, "first", "ESTABLISHED", first, second)
    unix(made, "second", "ESTABLISHED", second, first)


@factory(*TYPES)
def unix_pair_unread(made: Maker, type: int) -> None:
    """Create a connected pair with unread bytes on the second."""
    first, second = made_pair(made, type)
    first.send(b"x" * 300)
    unix(made, "first", "ESTABLISHED", first, second, charged=True)
    unix(made, "second", "ESTABLISHED", second, first, unread=300)


@factory(*CONNECTION_TYPES)
def unix_pair_shutdown(made: Maker, type: int) -> None:
    """Create a pair of which one end was shut down for writing."""
    first, second = made_pair(made, type)
    first.shutdown(socket.SHUT_WR)
    unix(made, "first", "ESTABLISHED", first, second, shutdown=2)
    unix(made, "second", "ESTABLISHED", second, first, shutdown=1)


@factory(*TYPES)
def unix_unbound(made: Maker, type: int) -> None:
    """Create and do nothing."""
    unix(made, "unbound", "CLOSE", made.open(socket.AF_UNIX, type))


@factory()
def unix_autobind(made: Maker) -> None:
    """Have the kernel choose an abstract name."""
    sock = made.open(socket.AF_UNIX, DGRAM)
    sock.bind("")
    unix(made, "bound", "CLOSE", sock)


@factory(*({**type_, "abstract": abstract} for type_ in CONNECTION_TYPES for abstract in (False, True)))
def unix_connection(made: Maker, type: int, abstract: bool) -> None:
    """Make a listener by path or abstract name, and a connection to it."""
    name = made.folder() + "/listener"
    listener = made.open(socket.AF_UNIX, type)
    listener.bind("\0" + name if abstract else name)
    listener.listen(5)
    client = made.open(socket.AF_UNIX, type)
    client.connect(listener.getsockname())
    server = made.keep(listener.accept()[0])
    unix(made, "listener", "LISTEN", listener, recv_q=0, send_q=5)
    unix(made, "client", "ESTABLISHED", client, server)
    unix(made, "server", "ESTABLISHED", server, client)


@factory(*CONNECTION_TYPES)
def unix_listener_waiting(made: Maker, type: int) -> None:
    """Connect twice to a listener that does not accept: /proc lists the waiting ends as inode 0 under its name."""
    listener = made.open(socket.AF_UNIX, type)
    listener.bind(made.folder() + "/waiting")
    listener.listen(4)
    name = os.fsencode(listener.getsockname())
    for role in ("first", "second"):
        client = made.open(socket.AF_UNIX, type)
        client.connect(name)
        unix(made, f"{role}-client", "ESTABLISHED", client)
        made.fileless(f"{role}-child", "unix", socket.AF_UNIX, "ESTABLISHED", name, None, type, where=("proc",))
    unix(made, "listener", "LISTEN", listener, recv_q=2, send_q=4)


@factory()
def unix_dgram(made: Maker) -> None:
    """Bind a receiver by path, connect a sender to it, and leave a datagram unread."""
    receiver = made.open(socket.AF_UNIX, DGRAM)
    receiver.bind(made.folder() + "/dgram")
    sender = made.open(socket.AF_UNIX, DGRAM)
    sender.connect(receiver.getsockname())
    sender.send(b"x" * 100)
    unix(made, "receiver", "CLOSE", receiver, unread=100)
    unix(made, "sender", "ESTABLISHED", sender, receiver, charged=True)


@factory()
def unix_dgram_full(made: Maker) -> None:
    """Fill a receiver's queue: net.unix.max_dgram_qlen and one more."""
    receiver = made.open(socket.AF_UNIX, DGRAM)
    receiver.bind(made.folder() + "/full")
    sender = made.open(socket.AF_UNIX, DGRAM)
    sender.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sender.sendto(b"x" * 10, receiver.getsockname())
    unix(made, "receiver", "CLOSE", receiver)
    unix(made, "sender", "CLOSE", sender, charged=True)


@factory()
def unix_path_hostile(made: Maker) -> None:
    """Bind to a path with a newline, an escape sequence and bytes that are no UTF-8."""
    sock = made.open(socket.AF_UNIX, STREAM)
    sock.bind(os.fsencode(made.folder()) + b"/new\nline\x1b[31m\xff")
    sock.listen(1)
    unix(made, "listener", "LISTEN", sock)


@factory()
def unix_path_removed(made: Maker) -> None:
    """Listen at a path that was removed."""
    sock = made.open(socket.AF_UNIX, STREAM)
    sock.bind(made.folder() + "/removed")
    sock.listen(1)
    os.unlink(sock.getsockname())
    unix(made, "listener", "LISTEN", sock)


@factory(*({"name": name} for name in HOSTILE_NAMES))
def unix_abstract_hostile(made: Maker, name: str) -> None:
    """Listen at an abstract name that no terminal should see."""
    sock = made.open(socket.AF_UNIX, STREAM)
    sock.bind(HOSTILE_NAMES[name])
    sock.listen(1)
    unix(made, "listener", "LISTEN", sock)
