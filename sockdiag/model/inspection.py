"""One socket through all its layers: descriptor, struct file, struct socket, struct sock, struct proto."""

from __future__ import annotations

from sockdiag.model.address import Endpoint
from sockdiag.model.fdinfo import Watcher
from sockdiag.model.link import Link
from sockdiag.model.process import Process
from sockdiag.model.provenance import Gap
from sockdiag.model.qdisc import Qdisc
from sockdiag.model.record import BYTES, COUNT, COUNTER, HOST, ID, LABEL, RATIO, Record, field
from sockdiag.model.route import LocalAddress, Neighbour, Route
from sockdiag.model.socket import Owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.protocols import Protocol
    from sockdiag.model.socket import Socket

_FDINFO = "/proc/PID/fdinfo"


class FdLayer(Record):
    """The descriptor: ``files_struct`` and ``fdtable`` of the process."""

    pid: int | None = field("Process.", default=None, kind=ID, sources=("/proc/PID/fd",))
    comm: bytes | None = field("Its name.", default=None, kind=LABEL, sources=("/proc/PID/comm",))
    fd: int | None = field("Number of the descriptor.", default=None, kind=ID, sources=("/proc/PID/fd",))
    user: str | None = field(
        "User that the process runs as.", default=None, kind=LABEL, sources=("owner of /proc/PID",)
    )
    container: str | None = field("Container of the process.", default=None, kind=LABEL, sources=("/proc/PID/cgroup",))
    unit: str | None = field("systemd unit of the process.", default=None, kind=LABEL, sources=("/proc/PID/cgroup",))
    close_on_exec: bool | None = field(
        "O_CLOEXEC: execve(2) closes it.",
        default=None,
        kind=LABEL,
        kernel="close_on_exec(fd, fdt)",
        sources=(f"{_FDINFO}: flags",),
    )
    others: tuple[Owner, ...] | None = field(
        "Other descriptors of the same socket, of any process.", default=None, of=Owner, sources=("/proc/PID/fd",)
    )
    watchers: tuple[Watcher, ...] | None = field(
        "epoll instances that watch it.", default=None, of=Watcher, sources=(f"{_FDINFO}: tfd",)
    )
    note: str = field("Why there is none, or what follows.", default="", kind=LABEL)
    lacks: tuple[Gap, ...] = field("What of this layer could not be seen, and what would show it.", default=(), of=Gap)
    process: Process | None = field("What the process is.", default=None, of=Process)


class FileLayer(Record):
    """The open file: ``struct file``, in sockfs."""

    inode: int | None = field(
        "Inode in sockfs.",
        default=None,
        kind=ID,
        kernel="file_inode(file)->i_ino",
        sources=("inet_diag_msg.idiag_inode", "/proc/PID/fd: socket:[INODE]"),
    )
    filesystem: str | None = field(
        "Filesystem that every socket's file is in; derived.", default=None, kind=LABEL, kernel="sock_mnt"
    )
    flags: tuple[str, ...] | None = field(
        "Access mode and status flags.",
        default=None,
        kind=LABEL,
        kernel="file->f_flags",
        sources=(f"{_FDINFO}: flags",),
    )
    nonblocking: bool | None = field(
        "O_NONBLOCK: calls that would wait return EAGAIN.",
        default=None,
        kind=LABEL,
        kernel="file->f_flags & O_NONBLOCK",
        sources=(f"{_FDINFO}: flags",),
    )
    mnt_id: int | None = field(
        "Mount id of sockfs, which no mountinfo lists.",
        default=None,
        kind=ID,
        kernel="real_mount(file->f_path.mnt)->mnt_id",
        sources=(f"{_FDINFO}: mnt_id",),
    )
    scm_fds: int | None = field(
        "Descriptors that wait in the queue of a unix socket.",
        default=None,
        unit=COUNT,
        kernel="unix_sk(sk)->scm_stat.nr_fds",
        sources=(f"{_FDINFO}: scm_fds",),
    )
    note: str = field("Why there is none, or what follows.", default="", kind=LABEL)
    lacks: tuple[Gap, ...] = field("What of this layer could not be seen, and what would show it.", default=(), of=Gap)


class SocketLayer(Record):
    """The socket of the VFS side: ``struct socket``."""

    state: str | None = field(
        "SS_… state, derived from sk_state: the kernel reports it for no family.",
        default=None,
        kind=LABEL,
        kernel="socket->state",
        sources=("derived",),
    )
    type: str | None = field(
        "Third part of what socket(2) was asked for.",
        default=None,
        kind=LABEL,
        kernel="socket->type",
        sources=("unix_diag_msg.udiag_type", "/proc/net/unix: Type"),
    )
    ops: str | None = field(
        "Operations that family and type select; derived, not read.",
        default=None,
        kind=LABEL,
        kernel="socket->ops",
        sources=("derived",),
    )
    note: str = field("Why there is none, or what follows.", default="", kind=LABEL)
    lacks: tuple[Gap, ...] = field("What of this layer could not be seen, and what would show it.", default=(), of=Gap)


class NextState(Record):
    """A way out of the present state."""

    state: str = field("State that it leads to.", kind=LABEL)
    by: str = field("What would take it there.", kind=LABEL)


class BufferLimit(Record):
    """A buffer's limit and its origin."""

    bytes: int | None = field("The limit.", unit=BYTES, kernel="sk->sk_rcvbuf, sk->sk_sndbuf")
    origin: str = field(
        "default: as it was created; autotuned: the kernel adapted it; set: by setsockopt; clamped: setsockopt asked for "
        "the cap or more; raised: the kernel's lower bound; forced: above the cap; unlocked: set, and its lock cleared; "
        "unknown.",
        kind=LABEL,
    )
    locked: bool | None = field(
        "setsockopt fixed it: no auto-tuning.",
        default=None,
        kind=LABEL,
        kernel="sk->sk_userlocks",
        sources=("getsockopt(SO_BUF_LOCK)",),
    )
    certain: bool = field("The lock was read; else the origin is concluded from the size.", default=False, kind=LABEL)
    why: str = field("The same in a sentence.", default="", kind=LABEL)


class Topic(Record):
    """Members of tcp_info that belong together, and a sentence that sums them up."""

    name: str = field("path, flow_control, loss, pacing or application.", kind=LABEL)
    summary: str = field("Their meaning, in one sentence.", kind=LABEL)
    members: tuple[str, ...] = field("Names in tcp_info.", kind=LABEL)


class SockLayer(Record):
    """The network side: ``struct sock`` and the layers built on it."""

    socket: Socket = field(
        "Addresses, state, queues, memory, timer, options, tcp_info.", of="sockdiag.model.socket:Socket"
    )
    next_states: tuple[NextState, ...] = field("Where the state may go next.", default=(), of=NextState)
    recv_q_is: str = field("What recv_q counts.", default="", kind=LABEL)
    send_q_is: str = field("What send_q counts.", default="", kind=LABEL)
    rcvbuf: BufferLimit | None = field("Receive buffer.", default=None, of=BufferLimit)
    sndbuf: BufferLimit | None = field("Send buffer.", default=None, of=BufferLimit)
    backlog_limit: int | None = field(
        "Bytes of rmem_alloc and backlog together at which segments are dropped while the owner holds the lock.",
        default=None,
        unit=BYTES,
        kernel="tcp_add_backlog()",
        sources=("derived",),
    )
    drops_mean: str = field("What the drops of such a socket are.", default="", kind=LABEL)
    tcp: tuple[Topic, ...] = field("tcp_info by topic.", default=(), of=Topic)
    subflows: tuple[Socket, ...] | None = field(
        "Subflows of an MPTCP connection.", default=None, of="sockdiag.model.socket:Socket"
    )
    note: str = field("What follows.", default="", kind=LABEL)
    lacks: tuple[Gap, ...] = field("What of this layer could not be seen, and what would show it.", default=(), of=Gap)


class ProtoLayer(Record):
    """The protocol: ``struct proto``."""

    name: str | None = field(
        "Name; derived from family and type.",
        default=None,
        kind=LABEL,
        kernel="sk->sk_prot->name",
        sources=("derived",),
    )
    row: Protocol | None = field(
        "Its row of /proc/net/protocols: memory and pressure are the host's.",
        default=None,
        of="sockdiag.model.protocols:Protocol",
    )
    memory_bytes: int | None = field(
        "Memory that it, and the protocols that share its account, are charged on this host.",
        default=None,
        unit=BYTES,
        scope=HOST,
        kernel="proto_memory_allocated(proto)",
        sources=("/proc/net/sockstat: mem", "/proc/net/protocols: memory"),
    )
    limit_bytes: int | None = field(
        "Memory at which data is refused.",
        default=None,
        unit=BYTES,
        scope=HOST,
        kernel="proto->sysctl_mem",
        sources=("net.ipv4.tcp_mem, net.ipv4.udp_mem, net.sctp.sctp_mem",),
    )
    used_ratio: float | None = field(
        "The one as a part of the other.", default=None, unit=RATIO, scope=HOST, sources=("derived",)
    )
    note: str = field("What follows.", default="", kind=LABEL)
    lacks: tuple[Gap, ...] = field("What of this layer could not be seen, and what would show it.", default=(), of=Gap)


class Layers(Record):
    """The stack, from the descriptor down."""

    fd: FdLayer = field("Descriptor.", of=FdLayer)
    file: FileLayer = field("struct file.", of=FileLayer)
    socket: SocketLayer = field("struct socket.", of=SocketLayer)
    sock: SockLayer = field("struct sock.", of=SockLayer)
    proto: ProtoLayer = field("struct proto.", of=ProtoLayer)


class Egress(Record):
    """How the packets of a connection leave: route, device, queueing discipline and neighbour."""

    route: Route | None = field("Route to the peer.", default=None, of=Route)
    refused: str | None = field(
        "Error that sending ends with because no route leads to the peer: ENETUNREACH where there is none, EINVAL for a "
        "blackhole, EHOSTUNREACH and EACCES for routes of type unreachable and prohibit.",
        default=None,
        kind=LABEL,
        sources=("rtnetlink:RTM_GETROUTE",),
    )
    mtu: int | None = field(
        "Largest packet that fits: the route's, else the device's.",
        default=None,
        unit=BYTES,
        kernel="dst_mtu(dst)",
        sources=("RTA_METRICS: RTAX_MTU", "IFLA_MTU"),
    )
    link: Link | None = field("Device that they leave by.", default=None, of=Link)
    qdisc: Qdisc | None = field("Root queueing discipline of the device.", default=None, of=Qdisc)
    neighbour: Neighbour | None = field(
        "Gateway, or the peer itself where it is on the link; null where the kernel has no entry for it.",
        default=None,
        of=Neighbour,
    )
    address: LocalAddress | None = field(
        "The local address; null where no device has it.", default=None, of=LocalAddress
    )
    note: str = field("What follows.", default="", kind=LABEL)
    lacks: tuple[Gap, ...] = field("What could not be seen, and what would show it.", default=(), of=Gap)


class FarEnd(Record):
    """The socket at the other end of a connection, on this host."""

    netid: str = field("Table.", kind=LABEL)
    local: Endpoint = field("Its local end.", of=Endpoint)
    peer: Endpoint = field("Its remote end.", of=Endpoint)
    inode: int | None = field("Its sockfs inode; 0: no process holds it, or has accepted it.", kind=ID)
    state: str | None = field("Its state.", kind=LABEL)
    processes: tuple[Owner, ...] | None = field("Its descriptors; null where none is visible.", of=Owner)
    netns: str | None = field("Its network namespace: name, or inode where it has none.", kind=LABEL)
    cookie: int | None = field("Its cookie.", default=None, kind=ID, base=16)


class Explanation(Record):
    """The answer in five sentences."""

    what: str = field("What the socket is.", kind=LABEL)
    held_by: str = field("Whose it is.", kind=LABEL)
    waits_for: str = field("What it is waiting for.", kind=LABEL)
    problem: str = field("What is wrong.", kind=LABEL)
    other_end: str = field("Where the other end is.", kind=LABEL)


class StationCounter(Record):
    """A counter of losses at a station, since boot or since the namespace was made."""

    name: str = field("Exact name; * stands for the sum over the rows of a table.", kind=LABEL)
    total: int | None = field("Its value; unknown where this kernel has none.", unit=COUNT, kind=COUNTER)
    scope: str = field("Whose it is: netns or host.", kind=LABEL)
    change: int | None = field("Since the previous sample, with --follow.", default=None, unit=COUNT)


class Station(Record):
    """One station on the way to the socket."""

    where: str = field("Functions of the kernel.", kind=LABEL)
    counters: tuple[StationCounter, ...] = field("Losses here, of all sockets.", of=StationCounter)


class Paths(Record):
    """What creates the socket and what feeds it."""

    create: str | None = field("Functions that made it.", kind=LABEL)
    receive: tuple[Station, ...] = field("Stations on the way in.", of=Station)


class Fact(Record):
    """One known thing, for tables, CSV and NDJSON."""

    layer: str = field("fd, file, socket, sock, proto, getsockopt, path or egress.", kind=LABEL)
    name: str = field("Name below the layer, dotted.", kind=LABEL)
    value: int | float | str | bool | tuple[str, ...] | tuple[int, ...] | None = field("Its value.")
    unit: str = field("Unit.", default="", kind=LABEL)
    was: int | float | str | bool | tuple[str, ...] | tuple[int, ...] | None = field(
        "Its value in the previous sample, where it moved; with --follow.", default=None
    )
    source: str = field(
        "Where it was read: attribute or file; derived where it follows from others.", default="", kind=LABEL
    )
    kernel: str = field("The kernel's expression for it.", default="", kind=LABEL)
