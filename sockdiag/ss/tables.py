"""Which tables, families and states a command line selects.

**Source:** ss(8) and the behaviour of the program.
"""

from __future__ import annotations

from sockdiag.kernel.sock_diag import (
    AF_INET,
    AF_INET6,
    AF_NETLINK,
    AF_PACKET,
    AF_TIPC,
    AF_UNIX,
    AF_UNSPEC,
    AF_VSOCK,
    AF_XDP,
)
from sockdiag.kernel.tcp_states import BOUND_INACTIVE, CLOSE, ESTABLISHED, LISTEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.filter.states import StateSets

(
    TCP,
    MPTCP,
    DCCP,
    UDP,
    RAW,
    UNIX_DGRAM,
    UNIX_STREAM,
    UNIX_SEQPACKET,
    PACKET_DGRAM,
    PACKET_RAW,
    NETLINK,
    SCTP,
    VSOCK_STREAM,
    VSOCK_DGRAM,
    TIPC,
    XDP,
) = (1 << n for n in range(16))

INET_TABLES = UDP | DCCP | TCP | MPTCP | SCTP | RAW
UNIX_TABLES = UNIX_DGRAM | UNIX_STREAM | UNIX_SEQPACKET
PACKET_TABLES = PACKET_RAW | PACKET_DGRAM
VSOCK_TABLES = VSOCK_STREAM | VSOCK_DGRAM
ALL_TABLES = INET_TABLES | UNIX_TABLES | PACKET_TABLES | NETLINK | VSOCK_TABLES | XDP

INET_FAMILIES = 1 << AF_INET | 1 << AF_INET6

CLOSED = 1 << CLOSE
LISTENING = 1 << LISTEN | 1 << CLOSE
INACTIVE = 1 << BOUND_INACTIVE
_TIPC_STATES = 1 << ESTABLISHED | 1 << LISTEN | 1 << CLOSE


TABLE_NAMES = {
    "all": ALL_TABLES,
    "inet": INET_TABLES,
    "tcp": TCP,
    "mptcp": MPTCP,
    "udp": UDP,
    "dccp": DCCP,
    "sctp": SCTP,
    "raw": RAW,
    "unix": UNIX_TABLES,
    "unix_stream": UNIX_STREAM,
    "u_str": UNIX_STREAM,
    "unix_dgram": UNIX_DGRAM,
    "u_dgr": UNIX_DGRAM,
    "unix_seqpacket": UNIX_SEQPACKET,
    "u_seq": UNIX_SEQPACKET,
    "packet": PACKET_TABLES,
    "packet_raw": PACKET_RAW,
    "p_raw": PACKET_RAW,
    "packet_dgram": PACKET_DGRAM,
    "p_dgr": PACKET_DGRAM,
    "netlink": NETLINK,
    "tipc": TIPC,
    "vsock": VSOCK_TABLES,
    "vsock_stream": VSOCK_STREAM,
    "v_str": VSOCK_STREAM,
    "vsock_dgram": VSOCK_DGRAM,
    "v_dgr": VSOCK_DGRAM,
    "xdp": XDP,
}

# Names that stand for the tables of several families or protocols.
_WITHOUT_OWN = ("all", "inet")

FAMILY_NAMES = {
    "inet": AF_INET,
    "inet6": AF_INET6,
    "link": AF_PACKET,
    "unix": AF_UNIX,
    "netlink": AF_NETLINK,
    "tipc": AF_TIPC,
    "vsock": AF_VSOCK,
    "xdp": AF_XDP,
}

_FAMILY_TABLES = {
    AF_INET: INET_TABLES,
    AF_INET6: INET_TABLES,
    AF_UNIX: UNIX_TABLES,
    AF_PACKET: PACKET_TABLES,
    AF_NETLINK: NETLINK,
    AF_TIPC: TIPC,
    AF_VSOCK: VSOCK_TABLES,
    AF_XDP: XDP,
}

_TABLE_FAMILIES = (
    (INET_TABLES, INET_FAMILIES),
    (UNIX_TABLES, 1 << AF_UNIX),
    (PACKET_TABLES, 1 << AF_PACKET),
    (NETLINK, 1 << AF_NETLINK),
    (TIPC, 1 << AF_TIPC),
    (VSOCK_TABLES, 1 << AF_VSOCK),
    (XDP, 1 << AF_XDP),
)


class Selection:
    """What is selected so far; options act on it in their order.

    Attributes:
        tables: mask of tables.
        families: mask of ``1 << AF_…``.
        states: states that follow from tables and families, or were chosen.
        chosen: states chosen by -a, -l, -B and state words; 0: none.
        preferred: the family of the last family option or operand prefix, AF_UNSPEC without one.
        untouched: no table, family or query option was given.
        named: tables that were asked for each by its own name.
    """

    __slots__ = (
        "_asked",
        "_connected",
        "chosen",
        "families",
        "named",
        "preferred",
        "states",
        "tables",
        "untouched",
    )

    def __init__(self, sets: StateSets) -> None:
        # What is connected by default: not the states that a server has by the thousand.
        self._connected = sets.connected & ~sets.bucket
        self.tables = self.families = self.states = self.chosen = self.named = 0
        self.preferred = AF_UNSPEC
        self.untouched = True
        self._asked = False

    def table(self, mask: int) -> None:
        """Add tables with their default states."""
        self.tables |= mask
        self.untouched = False
        if mask & (TCP | MPTCP | DCCP | SCTP | UNIX_STREAM | UNIX_SEQPACKET | VSOCK_TABLES):
            self.states |= self._connected
        if mask & (UDP | RAW):
            self.states |= 1 << ESTABLISHED
        if mask & (UNIX_DGRAM | PACKET_TABLES | NETLINK | XDP):
            self.states |= CLOSED
        if mask & TIPC:
            self.states |= _TIPC_STATES

    def family(self, family: int) -> None:
        """Add a family with its default states and prefer it."""
        self.families |= 1 << family
        if not 1 << family & INET_FAMILIES:
            self.named |= _FAMILY_TABLES[family]
        self.preferred = family
        self.untouched = False
        if family in (AF_PACKET, AF_NETLINK, AF_XDP):
            self.states |= CLOSED
        elif family == AF_TIPC:
            self.states |= _TIPC_STATES
        else:
            self.states |= self._connected

    def query(self, text: str) -> str | None:
        """Add or remove the tables of a -A list; return the first element that is no table, or None."""
        if not self._asked:
            self._asked = True
            self.tables = 0
            self.untouched = False
            self.chosen = self.chosen or self._connected
        for word in text.split(","):
            mask = TABLE_NAMES.get(word[1:] if word[:1] == "!" else word)
            if mask is None:
                return word
            if word[:1] == "!":
                self.tables &= ~mask
            else:
                self.table(mask)
                if word not in _WITHOUT_OWN:
                    self.named |= mask
        return None

    def settle(self) -> None:
        """Apply the defaults and fill the gaps between tables and families."""
        if self.untouched:
            self.chosen = self.chosen or self._connected
            self.table(ALL_TABLES)
        if self.chosen:
            self.states = self.chosen
        for tables, families in _TABLE_FAMILIES:
            if self.tables & tables and not self.families & families:
                self.families |= families
        for family, tables in _FAMILY_TABLES.items():
            if self.families >> family & 1 and not self.tables & tables:
                self.tables |= tables
