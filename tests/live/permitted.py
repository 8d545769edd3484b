"""Where netlink and /proc may say different things of the same socket: the one list of it.

Every field of the model is compared. Equal values need no entry; a difference is permitted by exactly one entry, which
says what the two values must then be. ``test_netlink_vs_proc.py`` also fails for an entry that nothing needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.model.socket import Socket

INET = ("tcp", "udp", "udplite")
ALL = (*INET, "unix", "netlink", "packet")

# inet_diag_msg.idiag_expires is in ms, tm->when in ticks of 1/100 s (USER_HZ), rounded down.
TICK_MS = 10


class Seen(NamedTuple):
    """One field of one socket: by netlink before, by /proc, by netlink after, and the socket as netlink had it before."""

    before: Any
    proc: Any
    after: Any
    socket: Socket


class Permitted(NamedTuple):
    """A permitted difference.

    Attributes:
        tables: netids.
        field: dotted name of the field; one that ends in a dot stands for all below it.
        why: what the kernel does.
        holds: tells whether a difference is this one.
    """

    tables: tuple[str, ...]
    field: str
    why: str
    holds: Callable[[Seen], bool]


def netlink_only(seen: Seen) -> bool:
    """The kernel tells it by netlink and not in /proc."""
    return seen.before is not None and seen.proc is None


def proc_only(seen: Seen) -> bool:
    """The kernel tells it in /proc and not by netlink."""
    return seen.before is None and seen.proc is not None


def timer_ran(seen: Seen) -> bool:
    """Time passes between the three looks, and a tick is 10 ms, rounded down: after - 10 < proc <= before."""
    return bool(seen.after - TICK_MS < seen.proc <= seen.before)


def name_in_proc(name: bytes) -> bytes:
    """Write a unix name as the first line that /proc/net/unix has of it."""
    return (name[:1] + name[1:].replace(b"\0", b"@")).split(b"\n")[0]


FIELDS = (
    Permitted(
        ALL, "source", "it is where the row was read", lambda seen: (seen.before, seen.proc) == ("netlink", "proc")
    ),
    Permitted(ALL, "proc.", "columns that only /proc has", proc_only),
    Permitted(ALL, "cookie", "no column", netlink_only),
    Permitted(INET, "mark", "no column", netlink_only),
    Permitted(INET, "cgroup_id", "no column", netlink_only),
    Permitted((*INET, "unix"), "shutdown", "no column", netlink_only),
    Permitted(INET, "local.interface", "no column", netlink_only),
    Permitted(INET, "inet.", "no column for any option", netlink_only),
    Permitted(
        ("tcp",),
        "send_q",
        "tx_queue of a listener is 0 and not the limit of its accept queue",
        lambda seen: seen.socket.state == "LISTEN" and netlink_only(seen),
    ),
    Permitted(("tcp",), "timer.expires_ms", "time passes, and /proc has ticks of 10 ms", timer_ran),
    Permitted(("tcp", "unix"), "skmem.", "no column for memory", netlink_only),
    Permitted(("udp", "udplite"), "skmem.rmem_alloc", "rx_queue lacks the memory not yet given back", netlink_only),
    *(
        Permitted(("udp", "udplite", "netlink", "packet"), f"skmem.{word}", "no column", netlink_only)
        for word in ("rcvbuf", "sndbuf", "fwd_alloc", "wmem_queued", "optmem", "backlog")
    ),
    Permitted(("unix",), "recv_q", "no column", netlink_only),
    Permitted(("unix",), "send_q", "no column", netlink_only),
    Permitted(("unix",), "uid", "no column", netlink_only),
    Permitted(("unix",), "unix.peer_inode", "no column", netlink_only),
    Permitted(("unix",), "unix.refs", "RefCount is not told by netlink", proc_only),
    Permitted(
        ("unix",), "unix.socket_state", "St is the state of struct socket, which netlink does not tell", proc_only
    ),
    Permitted(
        ("unix",),
        "local.address",
        "/proc writes a NUL in an abstract name as @, and a newline in any name as it is: what follows it is another line",
        lambda seen: seen.proc == name_in_proc(seen.before),
    ),
    Permitted(("netlink",), "type", "no column", netlink_only),
    Permitted(("netlink",), "state", "no column", netlink_only),
    Permitted(("netlink",), "netlink.memberships", "Groups is cut to 32 bits", netlink_only),
    Permitted(("netlink",), "netlink.dst_portid", "no column", netlink_only),
    Permitted(("netlink",), "netlink.dst_group", "no column", netlink_only),
    Permitted(("netlink",), "netlink.flags", "no column", netlink_only),
    Permitted(("netlink",), "netlink.refs", "Locks is not told by netlink", proc_only),
    *(
        Permitted(
            ("netlink",),
            field,
            "the kernel's own sock_diag socket holds the request while it is answered",
            lambda seen: (seen.socket.protocol, seen.socket.local.port, seen.proc) == ("SOCK_DIAG", 0, 0),
        )
        for field in ("recv_q", "skmem.rmem_alloc")
    ),
    Permitted(("packet",), "send_q", "no column", netlink_only),
    Permitted(("packet",), "skmem.wmem_alloc", "no column", netlink_only),
    Permitted(("packet",), "skmem.drops", "no column", netlink_only),
    *(
        Permitted(("packet",), f"packet.{field}", "no column", netlink_only)
        for field in (
            "version",
            "copy_thresh",
            "timestamp",
            "reserve",
            "flags",
            "memberships",
            "filter",
            "rx_ring.",
            "fanout.",
        )
    ),
    Permitted(("packet",), "packet.refs", "RefCnt is not told by netlink", proc_only),
)


class PermittedRow(NamedTuple):
    """A socket that only one of the two lists; attributes as those of :class:`Permitted`, and the kernel it came with."""

    table: str
    only: str
    why: str
    holds: Callable[[Socket], bool]
    since: tuple[int, int] = (0, 0)


ROWS = (
    PermittedRow(
        "tcp",
        "netlink",
        "bound and idle sockets are in the bind hash alone, which /proc does not walk (mask bit BOUND_INACTIVE)",
        lambda socket: socket.state == "CLOSE" and bool(socket.local.port) and not socket.peer.port,
        since=(6, 8),
    ),
    PermittedRow(
        "unix",
        "proc",
        "netlink lists connections that wait in accept(2) only as ICONS of their listener",
        lambda socket: socket.inode == 0 and socket.unix is not None and socket.unix.socket_state == "SS_CONNECTING",
    ),
    PermittedRow(
        "unix",
        "proc",
        "a newline in a name makes lines that are no sockets: any user can forge rows of /proc/net/unix",
        lambda socket: (socket.inode, socket.local.address) == (7, b"\0forged"),
    ),
    PermittedRow(
        "netlink",
        "netlink",
        "the socket that asked is in the answer",
        lambda socket: socket.protocol == "SOCK_DIAG" and bool(socket.local.port),
    ),
)
