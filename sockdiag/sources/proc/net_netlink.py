"""Netlink sockets from /proc/net/netlink."""

from __future__ import annotations

from sockdiag.kernel.netlink import NETLINK_PROTOCOLS
from sockdiag.model.address import Endpoint
from sockdiag.model.local_attrs import NetlinkAttrs
from sockdiag.model.proc_attrs import ProcAttrs
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket
from sockdiag.sources.proc.table import (
    DIGITS,
    HEX,
    cell,
    decimal,
    hexadecimal,
    parse_headed,
    pointer,
    read_tables,
    signed,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.reading import Reading
    from sockdiag.sources.system.proc_root import ProcRoot

# Kernels before 2.6.30 have no Drops, before 3.6 no Inode.
_HEADING = "sk Eth Pid Groups Rmem Wmem"


def parse_netlink(body: bytes) -> Reading:
    """Parse the text of ``/proc/net/netlink``.

    Source: ``netlink_native_seq_show()``, net/netlink/af_netlink.c.
    Units: Rmem and Wmem in bytes of memory, overhead included.
    Shape: type, state, the other end, groups above 32 and the owner are not in this file. ``Dump`` is 1 while a dump is
    not read to its end; before 3.10 it is a pointer, ``(null)`` where there is none.

    Args:
        body: the whole file.

    Returns:
        Sockets in file order; a ParseError for each malformed row (bounded), or one for an unknown heading.
    """
    return parse_headed(body, "/proc/net/netlink", _HEADING, _socket)


def read_netlink(files: ProcRoot) -> Reading:
    """Read and parse /proc/net/netlink; if it cannot be read, that is the error of the reading."""
    return read_tables(files, ("netlink",), lambda body, _name: parse_netlink(body))


def _socket(columns: dict[str, bytes]) -> Socket:
    number = cell("Eth", columns["eth"], decimal, DIGITS)
    protocol = NETLINK_PROTOCOLS.get(number, str(number))
    # Printed with %d by some kernels and with %u by others.
    portid = cell("Pid", columns["pid"], signed, DIGITS) & 0xFFFFFFFF
    rmem = cell("Rmem", columns["rmem"], decimal, DIGITS)
    wmem = cell("Wmem", columns["wmem"], decimal, DIGITS)
    drops = cell("Drops", columns["drops"], decimal, DIGITS) if "drops" in columns else None
    return Socket(
        netid="netlink",
        family="AF_NETLINK",
        protocol=protocol,
        local=Endpoint(protocol, portid),
        recv_q=rmem,
        send_q=wmem,
        inode=cell("Inode", columns["inode"], decimal, DIGITS) if "inode" in columns else None,
        skmem=SkMem(rmem_alloc=rmem, wmem_alloc=wmem, drops=drops),
        netlink=NetlinkAttrs(
            groups=cell("Groups", columns["groups"], hexadecimal, HEX),
            cb_running=cell("Dump", columns["dump"], pointer, HEX) is not None if "dump" in columns else None,
            refs=cell("Locks", columns["locks"], decimal, DIGITS) if "locks" in columns else None,
        ),
        proc=ProcAttrs(cell("sk", columns["sk"], pointer, HEX)),
        source="proc",
    )
