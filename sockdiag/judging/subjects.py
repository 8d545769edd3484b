"""The subjects of findings, and their names in sentences."""

from __future__ import annotations

from sockdiag.model.finding import PROCESS, SOCKET, Advice, Evidence, Subject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.judging.case import Case
    from sockdiag.model.address import Endpoint
    from sockdiag.model.batch import Batch
    from sockdiag.model.socket import Owner, Socket

# Where the figures of a socket are read, by table.
_MEMORY = {
    "netlink": "NETLINK_DIAG_MEMINFO",
    "packet": "PACKET_DIAG_MEMINFO",
    "unix": "UNIX_DIAG_MEMINFO",
    "raw": "/proc/net/raw",
    "icmp": "/proc/net/icmp",
}
_WORDS = {
    "rmem_alloc": "SK_MEMINFO_RMEM_ALLOC",
    "rcvbuf": "SK_MEMINFO_RCVBUF",
    "drops": "SK_MEMINFO_DROPS",
    "backlog": "SK_MEMINFO_BACKLOG",
    "sndbuf": "SK_MEMINFO_SNDBUF",
}


def memory_evidence(socket: Socket, name: str, value: int | None, unit: str, limit: int | None = None) -> Evidence:
    """Describe a word of a socket's memory."""
    attribute = _MEMORY.get(socket.netid, "INET_DIAG_SKMEMINFO")
    if socket.source == "proc":
        source = f"/proc/net/{socket.netid}{'6' if socket.family == 'AF_INET6' else ''}"
    else:
        source = f"{attribute}[{_WORDS[name]}]"
    return Evidence(value, unit, limit, source, "socket")


def at(end: Endpoint | None) -> str:
    """Write one end of a socket."""
    if end is None:
        return "-"
    address, port = end.address, end.port
    if isinstance(address, bytes):
        return (b"@" + address[1:] if address[:1] == b"\0" else address).decode("utf-8", "surrogateescape") or "-"
    if address is None:
        return "-" if port is None else str(port)
    text = f"[{address}]" if ":" in address else address
    return text if port is None else f"{text}:{port}"


def name_of(socket: Socket) -> str:
    """Write a socket with its table; packet sockets have a device instead of an address."""
    if socket.netid == "packet":
        device = socket.local.interface
        return f"packet socket on {device}" if device else f"packet socket (inode {socket.inode})"
    where = at(socket.local)
    return f"{socket.netid} socket (inode {socket.inode})" if where == "-" else f"{socket.netid} {where}"


def subject_of(socket: Socket) -> Subject:
    """Identify a socket."""
    found = Subject(
        SOCKET, None, socket.netid, socket.state, socket.local, socket.peer, socket.inode or None, socket.cookie
    )
    if socket.inode is None and socket.processes:
        # Text without inodes names the owners itself.
        owner = min(socket.processes, key=lambda one: one.pid)
        found = found._replace(pid=owner.pid, comm=owner.comm)
    return found


def process_subject(owner: Owner | None, sockets: int, **more: Any) -> Subject:
    """Identify a process, or that it is not visible."""
    pid, comm = (None, None) if owner is None else (owner.pid, owner.comm)
    return Subject(PROCESS, pid=pid, comm=comm, sockets=sockets, **more)


def process_name(pid: int | None, comm: bytes | None) -> str:
    """Write a process."""
    if pid is None:
        return "an unknown process"
    return f"{(comm or b'?').decode('utf-8', 'surrogateescape')}({pid})"


def one(batch: Batch, row: int) -> Socket:
    """Return the record of one row."""
    return batch.at([row])[0]


# What to do where the sockets were chosen that a loss could be of.
WITHOUT_FILTER = Advice(
    "Judge all sockets, without --where and --netid.",
    "sockdiag doctor",
    "The counter counts what every socket lost, and only some of the sockets were read.",
)


def unseen(case: Case, what: str) -> str:
    """Name the sockets that a loss is of which no socket in the sample explains; *what* is their plural."""
    if case.now.filtered:
        return f"{what} that --where or --netid leaves out, or that are closed by now"
    return f"{what} that are closed by now"
