"""The kernel's registered protocols."""

from __future__ import annotations

from sockdiag.model.record import BYTES, COUNT, HOST, LABEL, PAGES, Record, field

_PATH = "/proc/net/protocols"

# The two letters that head a column of y and n, and the operation of struct proto that it stands for.
OPERATIONS = {
    "cl": "close",
    "co": "connect",
    "di": "disconnect",
    "ac": "accept",
    "io": "ioctl",
    "in": "init",
    "de": "destroy",
    "sh": "shutdown",
    "ss": "setsockopt",
    "gs": "getsockopt",
    "se": "sendmsg",
    "re": "recvmsg",
    "sp": "sendpage",
    "bi": "bind",
    "br": "backlog_rcv",
    "ha": "hash",
    "uh": "unhash",
    "gp": "get_port",
    "em": "enter_memory_pressure",
}


class InNamespace(Record):
    """Sockets of a protocol in one network namespace."""

    netns: str = field("Name, or inode where it has none.", kind=LABEL)
    sockets: int = field("Sockets that are in use.", unit=COUNT, kernel="sock_prot_inuse_get(net, proto)")


class Protocol(Record):
    """A ``struct proto``: what a family's or transport's sockets are made of and can do.

    Source: ``proto_seq_printf()``, net/core/sock.c.
    """

    name: str = field("Name.", kind=LABEL, kernel="proto->name", sources=(f"{_PATH}: protocol",))
    size_bytes: int | None = field(
        "Size of one socket of it.", default=None, unit=BYTES, kernel="proto->obj_size", sources=(f"{_PATH}: size",)
    )
    sockets: int | None = field(
        "Sockets of it that are in use, in this namespace or with --netns all in every one; as inuse of sockstat for TCP, "
        "UDP and raw.",
        default=None,
        unit=COUNT,
        kernel="sock_prot_inuse_get(net, proto)",
        sources=(f"{_PATH}: sockets",),
    )
    memory_pages: int | None = field(
        "Memory of all its queues on this host; unknown where the protocol does not account for it.",
        default=None,
        unit=PAGES,
        scope=HOST,
        kernel="proto_memory_allocated(proto)",
        sources=(f"{_PATH}: memory (-1: no accounting)",),
    )
    pressure: bool | None = field(
        "Memory is above the pressure mark of its limit; unknown where the protocol has no such state.",
        default=None,
        kind=LABEL,
        scope=HOST,
        kernel="proto_memory_pressure(proto)",
        sources=(f"{_PATH}: press (NI: not implemented)",),
    )
    max_header_bytes: int | None = field(
        "Room that it leaves in front of data for headers.",
        default=None,
        unit=BYTES,
        header="MAX-HEADER",
        kernel="proto->max_header",
        sources=(f"{_PATH}: maxhdr",),
    )
    slab: bool | None = field(
        "It has a cache of sockets of its own.",
        default=None,
        kind=LABEL,
        kernel="proto->slab != NULL",
        sources=(f"{_PATH}: slab",),
    )
    module: str | None = field(
        "Module that it is in; kernel where it is built in.",
        default=None,
        kind=LABEL,
        kernel="proto->owner",
        sources=(f"{_PATH}: module",),
    )
    operations: tuple[str, ...] = field(
        "Operations of struct proto that it implements.",
        default=(),
        kind=LABEL,
        kernel="proto->close, proto->connect, …",
        sources=(f"{_PATH}: cl co di …",),
    )
    namespaces: tuple[InNamespace, ...] = field(
        "The namespaces that have some of the sockets.", default=(), of=InNamespace
    )
