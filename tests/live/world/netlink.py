"""Netlink sockets."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from tests.live.world import netdev
from tests.live.world.facts import factory, wait_until
from tests.live.world.observe import table

if TYPE_CHECKING:
    from tests.live.world.facts import Fact, Maker

NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_KOBJECT_UEVENT, NETLINK_GENERIC = 0, 4, 15, 16
SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 270, 1
RTNLGRP_LINK, RTNLGRP_NSID = 1, 28


def channel(made: Maker, protocol: int, groups: int = 0) -> socket.socket:
    """Create a netlink socket that is bound to a port id of the kernel's choice."""
    sock = made.open(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    sock.bind((0, groups))
    return sock


def row_of(sock: socket.socket) -> dict[str, str]:
    """Find a socket in /proc/net/netlink by protocol and port id."""
    wanted = (str(sock.proto), str(sock.getsockname()[0]))
    return next(row for row in table("netlink") if (row["Eth"], row["Pid"]) == wanted)


def netlink(made: Maker, role: str, sock: socket.socket, **expect: Any) -> Fact:
    """Record a netlink socket; its local end is the port id."""
    return made.fact(role, "netlink", "CLOSE", sock, sock.getsockname()[0], **expect)


@factory(*({"protocol": protocol} for protocol in (NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_GENERIC)))
def netlink_bound(made: Maker, protocol: int) -> None:
    """Bind without groups."""
    netlink(made, "bound", channel(made, protocol), groups=0, rmem=0, drops=0)


@factory()
def netlink_unbound(made: Maker) -> None:
    """Create and do nothing: port id 0, and in no table."""
    sock = made.open(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
    made.fact("unbound", "netlink", "CLOSE", sock, 0, where=())


@factory()
def netlink_groups(made: Maker) -> None:
    """Join groups; the uevents of the whole host are heard, so how much is unread is not known."""
    sock = channel(made, NETLINK_KOBJECT_UEVENT, groups=1)
    netlink(made, "uevent", sock, groups=1)
    sock = channel(made, NETLINK_ROUTE)
    sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, RTNLGRP_NSID)
    netlink(made, "nsid", sock, groups=1 << (RTNLGRP_NSID - 1), rmem=0, drops=0)


@factory()
def netlink_unread(made: Maker) -> None:
    """Hear of links and read nothing."""
    sock = channel(made, NETLINK_ROUTE, groups=1 << (RTNLGRP_LINK - 1))
    netdev.set_mtu("lo", 65000)
    netdev.set_mtu("lo", 65536)
    wait_until(lambda: int(row_of(sock)["Rmem"]), f"{made.name}: message queued")
    netlink(made, "listener", sock, groups=1, drops=0, heard=True)


@factory()
def netlink_dropped(made: Maker) -> None:
    """Hear of links with too small a buffer."""
    sock = channel(made, NETLINK_ROUTE, groups=1 << (RTNLGRP_LINK - 1))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    for mtu in (65000, 65536) * 10:
        netdev.set_mtu("lo", mtu)
    wait_until(lambda: int(row_of(sock)["Drops"]), f"{made.name}: message dropped")
    netlink(made, "listener", sock, groups=1, heard=True, dropped=True)
