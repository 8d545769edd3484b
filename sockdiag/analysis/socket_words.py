"""The meaning of one socket's numbers, which depends on its table and state."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.socket import Socket

_DATAGRAM = ("udp", "udplite")
_NOT_READ = "memory of received data that is not read: payload and the kernel's overhead"

# What recv_q and send_q count: (received, sent).
_QUEUES = {
    "tcp": ("bytes received in order and not read", "bytes written and not acknowledged by the peer"),
    "mptcp": ("bytes received and not read", "bytes written and not acknowledged by the peer"),
    "udp": (_NOT_READ, "memory of datagrams that the queueing discipline or the device still holds"),
    "udplite": (_NOT_READ, "memory of datagrams that the queueing discipline or the device still holds"),
    "raw": (_NOT_READ, "memory of packets that the queueing discipline or the device still holds"),
    "icmp": (_NOT_READ, "memory of packets that the queueing discipline or the device still holds"),
    "netlink": (_NOT_READ, "memory of messages that the receiver has not read"),
    "packet": (_NOT_READ + "; without a mapped ring", "not reported"),
    "sctp": (_NOT_READ, "memory of data not acknowledged"),
}


def queues_mean(socket: Socket) -> tuple[str, str]:
    """Return what recv_q and send_q of a socket count."""
    if socket.recv_q_unit == "connections":
        return "connections waiting for accept(2)", "limit of the accept queue, which holds one connection more"
    if socket.netid == "unix":
        if socket.type == "SOCK_STREAM":
            return "bytes waiting to be read", "memory of data that the peer has not read"
        return (
            "size of the next datagram, 0 if none is waiting",
            "memory of datagrams that its receivers have not read",
        )
    return _QUEUES.get(socket.netid, ("", ""))


def drops_mean(socket: Socket) -> str:
    """Return the meaning of a socket's drops."""
    netid, state = socket.netid, socket.state
    if netid == "tcp":
        if state == "LISTEN":
            return "Connection attempts that were refused: the accept queue or the SYN queue was full."
        return (
            "Segments that TCP discarded: mostly old ones, such as keep-alive and zero-window probes. They are "
            "answered, and no data is lost."
        )
    if netid in _DATAGRAM:
        return (
            "Datagrams that were lost here: the receive buffer was full (RcvbufErrors), a filter refused them, their "
            "checksum was wrong, or memory was short (udp_mem, cgroup)."
        )
    if netid in ("raw", "icmp"):
        return "Packets that were lost here: the receive buffer was full, or a filter refused them. No MIB counts them."
    if netid == "packet":
        return (
            "Packets that were lost because the receive buffer was full. Those that found a mapped ring full are counted by "
            "PACKET_STATISTICS alone, which is not read here: reading resets it."
        )
    if netid == "netlink":
        return "Messages that were lost: the receive buffer was full, and stays closed until it is empty. recv(2) returns ENOBUFS."
    if netid == "unix":
        return "Always 0: a sender waits or gets EAGAIN, nothing is dropped."
    return ""


def file_note(socket: Socket) -> str:
    """Return why a socket has no file; empty if it has one."""
    if socket.inode is None or socket.inode:
        return ""
    state = socket.state
    if socket.netid == "unix":
        return "A connection that its listener has not accepted has no file yet."
    if state == "TIME_WAIT":
        return "No process holds it: the kernel keeps only a small struct for a connection in TIME_WAIT."
    if state == "SYN_RECV":
        return "No process holds it: it is a request in the SYN queue of its listener."
    if state == "FIN_WAIT2" and socket.timer is not None and socket.timer.name == "timewait":
        return "No process holds it: it was closed, and the kernel keeps a small struct until tcp_fin_timeout ends."
    if state in ("FIN_WAIT1", "FIN_WAIT2", "CLOSING", "LAST_ACK"):
        return "No process holds it: it is an orphan, closed before the connection ended."
    if state in ("ESTABLISHED", "CLOSE_WAIT"):
        return "No process holds it: it waits in the accept queue of its listener, or the kernel created it for itself."
    return "No file refers to it: the kernel created it for itself."


def sock_note(socket: Socket) -> str:
    """Return what has to happen for a socket to leave its state; empty for an ordinary state."""
    state, held = socket.state, bool(socket.inode)
    if socket.netid not in ("tcp", "mptcp"):
        return ""
    if state == "CLOSE_WAIT":
        return "The peer has closed; only close(2) by the process that holds the socket ends this." if held else ""
    if state == "FIN_WAIT2":
        return (
            "This end was shut down and waits for the peer's FIN without any time limit."
            if held
            else "Ends when the peer's FIN arrives, or after tcp_fin_timeout."
        )
    if state == "ESTABLISHED" and not held and socket.inode is not None:
        return "A connection that its listener has not accepted: it counts in the listener's recv_q."
    return ""


# Kernel code that opens sockets of its own, by table and port.
_IN_KERNEL = {
    ("tcp", 2049): "the NFS server",
    ("udp", 2049): "the NFS server",
    ("tcp", 20049): "NFS over RDMA",
    ("tcp", 445): "the SMB server ksmbd",
    ("tcp", 3260): "the iSCSI target",
    ("tcp", 4420): "the NVMe target",
    ("udp", 4789): "VXLAN",
    ("udp", 8472): "VXLAN",
    ("udp", 6081): "Geneve",
    ("udp", 51820): "WireGuard",
    ("udp", 1701): "L2TP",
}


def no_holder(socket: Socket, unseen: str) -> str:
    """Return why no process can be shown that holds a socket with a file."""
    if socket.inode is None:
        return "This source does not show who holds it."
    usual = _IN_KERNEL.get((socket.netid, socket.local.port or 0))
    if unseen:
        kernel = f"; on this port, the kernel itself often holds one for {usual}" if usual else ""
        return f"Its process cannot be seen: {unseen}{kernel}."
    if usual:
        return f"No process has a descriptor of it: the kernel holds it, on this port usually for {usual}."
    return (
        "No process has a descriptor of it: the kernel holds it (NFS, RPC, SMC, a tunnel, io_uring), or it is in flight in a "
        "unix socket."
    )
