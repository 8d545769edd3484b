"""MPTCP: each of its sockets has TCP subflows, which the TCP tables list under its inode."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

from tests.live.world.facts import ANY, BOTH_FAMILIES, IPPROTO_MPTCP, Unavailable, endpoint, factory
from tests.live.world.tcp import settle

if TYPE_CHECKING:
    from tests.live.world.facts import Maker


def require_mptcp() -> None:
    """Raise Unavailable where the kernel has no MPTCP."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP).close()
    except OSError as error:
        if error.errno in (errno.EPROTONOSUPPORT, errno.ENOPROTOOPT):
            raise Unavailable(f"socket(IPPROTO_MPTCP): {os.strerror(error.errno)}") from None
        raise


@factory(*BOTH_FAMILIES)
def mptcp_listen(made: Maker, family: int) -> None:
    """Make an MPTCP listener; its first subflow listens too."""
    require_mptcp()
    listener = made.listener(family, 6, protocol=IPPROTO_MPTCP)
    made.inet_fact("listener", "mptcp", "LISTEN", listener, where=("netlink",))
    local = endpoint(listener.getsockname())
    inode = os.fstat(listener.fileno()).st_ino
    made.fileless("subflow", "tcp", family, "LISTEN", local, (ANY[family], 0), inode=inode, protocol=IPPROTO_MPTCP)


@factory(*BOTH_FAMILIES)
def mptcp_connection(made: Maker, family: int) -> None:
    """Connect over MPTCP; each end has one subflow."""
    require_mptcp()
    client, server = made.connection(family, IPPROTO_MPTCP)
    for role, sock in (("client", client), ("server", server)):
        local, peer = endpoint(sock.getsockname()), endpoint(sock.getpeername())
        settle(made, family, local, peer, "ESTABLISHED")
        made.inet_fact(role, "mptcp", "ESTABLISHED", sock, where=("netlink",))
        made.fileless(
            f"{role}-subflow",
            "tcp",
            family,
            "ESTABLISHED",
            local,
            peer,
            inode=os.fstat(sock.fileno()).st_ino,
            protocol=IPPROTO_MPTCP,
        )
