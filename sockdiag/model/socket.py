"""The socket: one shape for every family and every source."""

from __future__ import annotations

from sockdiag.kernel.families import IP_TABLES, OTHER_TABLES
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6
from sockdiag.kernel.tcp_states import SHOWN_STATES
from sockdiag.model.address import Endpoint
from sockdiag.model.record import BYTES, COUNT, FLAGS, ID, LABEL, MS, Record, field
from sockdiag.model.skmem import SkMem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.inet_attrs import InetAttrs
    from sockdiag.model.link_attrs import PacketAttrs, XdpAttrs
    from sockdiag.model.local_attrs import NetlinkAttrs, UnixAttrs
    from sockdiag.model.mptcp_info import MptcpInfo
    from sockdiag.model.proc_attrs import ProcAttrs
    from sockdiag.model.sctp_info import SctpInfo
    from sockdiag.model.tcp_info import TcpInfo

# recv_q and send_q of a listener count connections; elsewhere they are bytes.
IN_BYTES = "bytes"
IN_CONNECTIONS = "connections"


class Timer(Record):
    """The timer that is armed on a TCP socket.

    Source: ``inet_sk_diag_fill()``; in /proc/net/tcp the columns tr, tm->when and retrnsmt.
    """

    name: str = field(
        "retransmit, keepalive, timewait, persist (zero-window probe) or delack; of SCTP t3_rtx.",
        kind=LABEL,
        header="TIMER",
        kernel="icsk->icsk_pending",
        sources=("inet_diag_msg.idiag_timer", "/proc/net/tcp: tr"),
    )
    expires_ms: int | None = field(
        "Time until it fires.",
        default=None,
        unit=MS,
        header="EXPIRES",
        sources=("inet_diag_msg.idiag_expires", "/proc/net/tcp: tm->when"),
    )
    retransmits: int | None = field(
        "Unanswered retransmissions or probes so far.",
        default=None,
        unit=COUNT,
        header="RETRANS",
        kernel="icsk->icsk_retransmits, icsk->icsk_probes_out",
        sources=("inet_diag_msg.idiag_retrans", "/proc/net/tcp: retrnsmt, timeout"),
    )


class Owner(Record):
    """One open descriptor of a socket. Source: ``/proc/PID/fd``, ``/proc/PID/stat``, ``/proc/PID/cgroup``."""

    pid: int = field("Process id.", kind=ID, header="PID", sources=("/proc/PID",))
    comm: bytes | None = field(
        "Name of the process's main thread.", kind=LABEL, header="COMM", sources=("/proc/PID/comm", "/proc/PID/stat")
    )
    fd: int | None = field(
        "Descriptor number in that process; null where a bundle's text does not show it.",
        kind=ID,
        header="FD",
        sources=("/proc/PID/fd",),
    )
    user: str | None = field(
        "User that the process runs as: name, or number where it has none.",
        default=None,
        kind=LABEL,
        header="USER",
        sources=("owner of /proc/PID",),
    )
    container: str | None = field(
        "Container id or name, from the cgroup path.",
        default=None,
        kind=LABEL,
        header="CONTAINER",
        sources=("/proc/PID/cgroup",),
    )
    unit: str | None = field(
        "systemd unit, from the cgroup path.",
        default=None,
        kind=LABEL,
        header="UNIT",
        sources=("/proc/PID/cgroup",),
    )


class Socket(Record):
    """One kernel socket, as far as its source describes it. None is unknown or not applicable, never zero."""

    netid: str = field(
        f"Table: {', '.join((*IP_TABLES, *OTHER_TABLES))}.",
        kind=LABEL,
        header="NETID",
    )
    family: str = field(
        "Address family, AF_….", kind=LABEL, kernel="sk->sk_family", sources=("inet_diag_msg.idiag_family",)
    )
    type: str | None = field(
        "Socket type, SOCK_….",
        default=None,
        kind=LABEL,
        kernel="sk->sk_type",
        sources=("unix_diag_msg.udiag_type", "/proc/net/unix: Type"),
    )
    protocol: str | None = field(
        "Protocol: IPPROTO_… without the prefix, NETLINK_… without the prefix, or the ethertype of a packet socket.",
        default=None,
        kind=LABEL,
        kernel="sk->sk_protocol",
        sources=("INET_DIAG_PROTOCOL", "netlink_diag_msg.ndiag_protocol"),
    )
    state: str | None = field(
        "State in the kernel's word (TCP_ESTABLISHED is ESTABLISHED); on screens CLOSE is UNCONN, as in ss.",
        default=None,
        kind=LABEL,
        shown=SHOWN_STATES,
        kernel="sk->sk_state",
        sources=("inet_diag_msg.idiag_state", "/proc/net/tcp: st"),
    )
    local: Endpoint = field("Local end.", default=Endpoint(), of=Endpoint)
    peer: Endpoint = field("Remote end.", default=Endpoint(), of=Endpoint)
    recv_q: int | None = field(
        "Received and not yet read; on a listener, connections waiting in accept(2).",
        default=None,
        unit=BYTES,
        kernel="tp->rcv_nxt - tp->copied_seq, sk->sk_ack_backlog, sk_rmem_alloc_get()",
        sources=("inet_diag_msg.idiag_rqueue", "UNIX_DIAG_RQLEN", "/proc/net/tcp: rx_queue"),
        header="RECV-Q",
    )
    send_q: int | None = field(
        "Sent and not yet acknowledged, or not yet sent; on a listener, the limit of its accept queue.",
        default=None,
        unit=BYTES,
        kernel="tp->write_seq - tp->snd_una, sk->sk_max_ack_backlog",
        sources=("inet_diag_msg.idiag_wqueue", "UNIX_DIAG_RQLEN", "/proc/net/tcp: tx_queue"),
        header="SEND-Q",
    )
    recv_q_unit: str = field(
        "Unit of recv_q and send_q: bytes, or connections on a listener.", default=IN_BYTES, kind=LABEL, header="Q-UNIT"
    )
    uid: int | None = field(
        "User that created it; null where there is no file (inode 0) and the kernel reports 0, as it then may.",
        default=None,
        kind=ID,
        kernel="sk->sk_uid",
        sources=("inet_diag_msg.idiag_uid", "/proc/net/tcp: uid"),
    )
    inode: int | None = field(
        "sockfs inode; 0: no file (TIME_WAIT, SYN_RECV, orphan, not yet accepted).",
        default=None,
        kind=ID,
        kernel="sock_i_ino(sk)",
        sources=("inet_diag_msg.idiag_inode", "/proc/net/tcp: inode"),
    )
    cookie: int | None = field(
        "Identity of the socket, unique until reboot; hexadecimal, as ss -e prints it.",
        default=None,
        kind=ID,
        base=16,
        kernel="sk->sk_cookie",
        sources=("inet_diag_sockid.idiag_cookie",),
    )
    mark: int | None = field(
        "SO_MARK; visible only with CAP_NET_ADMIN.",
        default=None,
        kind=ID,
        kernel="sk->sk_mark",
        sources=("INET_DIAG_MARK",),
    )
    cgroup_id: int | None = field(
        "Id of the cgroup that created it.",
        default=None,
        kind=ID,
        kernel="sock_cgroup_ptr(&sk->sk_cgrp_data)",
        sources=("INET_DIAG_CGROUP_ID",),
        header="CGROUP-ID",
    )
    cgroup: str | None = field(
        "Path of that cgroup below the cgroup2 mount.",
        default=None,
        kind=LABEL,
        needs="cgroup",
        sources=("INET_DIAG_CGROUP_ID", "cgroup2"),
    )
    shutdown: int | None = field(
        "Directions that are shut down.",
        default=None,
        kind=FLAGS,
        words=("RCV_SHUTDOWN", "SEND_SHUTDOWN"),
        kernel="sk->sk_shutdown",
        sources=("INET_DIAG_SHUTDOWN", "UNIX_DIAG_SHUTDOWN"),
    )
    timer: Timer | None = field("Timer that is armed.", default=None, of=Timer)
    skmem: SkMem | None = field("Socket memory.", default=None, of=SkMem, needs="skmem")
    tcp_info: TcpInfo | None = field(
        "TCP internals; asked for only when a member is shown or filtered on.",
        default=None,
        of="sockdiag.model.tcp_info:TcpInfo",
        needs="tcp_info",
        sources=("INET_DIAG_INFO",),
        kernel="tcp_get_info()",
    )
    inet: InetAttrs | None = field(
        "Options of an IP socket.",
        default=None,
        of="sockdiag.model.inet_attrs:InetAttrs",
        needs="inet",
    )
    mptcp_info: MptcpInfo | None = field(
        "MPTCP connection.",
        default=None,
        of="sockdiag.model.mptcp_info:MptcpInfo",
        needs="tcp_info",
        kernel="mptcp_diag_fill_info()",
    )
    sctp_info: SctpInfo | None = field(
        "SCTP association.",
        default=None,
        of="sockdiag.model.sctp_info:SctpInfo",
        needs="tcp_info",
        kernel="sctp_get_sctp_info()",
    )
    unix: UnixAttrs | None = field(
        "What only a unix socket has.", default=None, of="sockdiag.model.local_attrs:UnixAttrs"
    )
    netlink: NetlinkAttrs | None = field(
        "What only a netlink socket has.", default=None, of="sockdiag.model.local_attrs:NetlinkAttrs"
    )
    packet: PacketAttrs | None = field(
        "What only a packet socket has.", default=None, of="sockdiag.model.link_attrs:PacketAttrs"
    )
    xdp: XdpAttrs | None = field("What only an XDP socket has.", default=None, of="sockdiag.model.link_attrs:XdpAttrs")
    processes: tuple[Owner, ...] | None = field(
        "Every open descriptor of the socket; null where owners were not looked up.",
        default=None,
        of=Owner,
        needs="owners",
        header="PROCESSES",
    )
    unknown_attributes: tuple[tuple[int, bytes], ...] = field(
        "Unknown netlink attributes, or the rest of a known one: number and bytes.",
        default=(),
        kind=LABEL,
        header="UNKNOWN-ATTRS",
    )
    proc: ProcAttrs | None = field(
        "Fields that only /proc/net tables have.", default=None, of="sockdiag.model.proc_attrs:ProcAttrs"
    )
    netns: str | None = field("Network namespace: name, or inode where it has none.", default=None, kind=LABEL)
    source: str = field(
        "Where the row was read: netlink, proc, or the text of ss or netstat in a bundle.",
        default="netlink",
        kind=LABEL,
    )

    @property
    def is_inet(self) -> bool:
        """Return whether the socket has IP addresses."""
        return self.family in ("AF_INET", "AF_INET6")


INET_FAMILIES = {AF_INET: "AF_INET", AF_INET6: "AF_INET6"}
