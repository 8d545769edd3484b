"""A port: its sockets, who holds them, and what bind(2) would answer."""

from __future__ import annotations

from sockdiag.model.address import Endpoint
from sockdiag.model.process import Process
from sockdiag.model.record import COUNT, ID, LABEL, Record, field
from sockdiag.model.socket import Owner

# What sockets on a port do.
LISTENING, BOUND, CONNECTED, LEFT, OUTGOING, ELSEWHERE = (
    "listening",
    "bound",
    "connected",
    "left",
    "outgoing",
    "elsewhere",
)


class PortUse(Record):
    """Sockets on a port that do the same: one listener, or all connections of one peer in one state."""

    role: str = field(
        "listening; bound: to the port, without listening; connected: from a peer; left: of a connection that its process "
        "has closed; outgoing: to this port of a peer; elsewhere: listening in another network namespace.",
        kind=LABEL,
    )
    netid: str = field("Table.", kind=LABEL)
    state: str | None = field("Their state.", kind=LABEL)
    local: Endpoint = field("Local end; of several sockets, what they have in common.", of=Endpoint)
    peer: Endpoint | None = field(
        "Remote end; of several sockets, what they have in common.", default=None, of=Endpoint
    )
    sockets: int = field("Number of sockets.", default=1, unit=COUNT)
    waiting: int | None = field("Connections that wait in its accept queue.", default=None, unit=COUNT)
    limit: int | None = field("Limit of that queue.", default=None, unit=COUNT)
    processes: tuple[Owner, ...] | None = field(
        "Their descriptors; null where they cannot be seen.", default=None, of=Owner
    )
    note: str | None = field("Why no process holds them, or none can be shown.", default=None, kind=LABEL)
    inode: int | None = field("sockfs inode of a single socket.", default=None, kind=ID)
    netns: str | None = field("Network namespace: name, or inode where it has none.", default=None, kind=LABEL)


class PortHolder(Record):
    """A process that holds sockets on the port."""

    pid: int = field("Process.", kind=ID)
    comm: bytes | None = field("Its name.", kind=LABEL)
    fds: tuple[int, ...] = field("Its descriptors of these sockets, of which at most 64.", kind=ID)
    user: str | None = field("User that it runs as.", default=None, kind=LABEL)
    unit: str | None = field("systemd unit.", default=None, kind=LABEL)
    container: str | None = field("Container.", default=None, kind=LABEL)
    listens: bool = field("One of them listens.", default=False, kind=LABEL)
    process: Process | None = field("What the process is; null where that cannot be read.", default=None, of=Process)


class BindAnswer(Record):
    """What bind(2) would answer to one request."""

    netns: str | None = field("Network namespace that is asked about.", kind=LABEL)
    netid: str = field("tcp or udp.", kind=LABEL)
    address: str = field("Address asked for.", kind=ID)
    option: str = field("SO_REUSEADDR or SO_REUSEPORT, if the program set it first; else empty.", kind=LABEL)
    answer: str | None = field(
        "OK, EADDRINUSE, EACCES or EADDRNOTAVAIL; null where it depends on what cannot be seen.", kind=LABEL
    )
    why: str = field("Which socket, or which limit, decides.", kind=LABEL)


class PortRange(Record):
    """What the sysctls say about a port. Unknown is null."""

    netns: str | None = field("Network namespace.", kind=LABEL)
    privileged: bool | None = field(
        "Binding takes CAP_NET_BIND_SERVICE.", kind=LABEL, sources=("net.ipv4.ip_unprivileged_port_start",)
    )
    ephemeral: bool | None = field(
        "The kernel gives it to outgoing connections.", kind=LABEL, sources=("net.ipv4.ip_local_port_range",)
    )
    reserved: bool | None = field(
        "It is kept from them; bind(2) may still take it.", kind=LABEL, sources=("net.ipv4.ip_local_reserved_ports",)
    )


class Published(Record):
    """A rule, or a proxy, that passes the port on to another address."""

    netns: str | None = field("Network namespace that has it.", kind=LABEL)
    netid: str = field("tcp, udp or sctp.", kind=LABEL)
    to: Endpoint = field("Where packets go.", of=Endpoint)
    by: str = field("What does it: the name of a process, or the table and chain of a rule.", kind=LABEL)
    processes: tuple[Owner, ...] | None = field(
        "Who listens there; null if no socket was found in any network namespace.", default=None, of=Owner
    )
    there: str | None = field("Network namespace that has the address: name or inode.", default=None, kind=LABEL)
