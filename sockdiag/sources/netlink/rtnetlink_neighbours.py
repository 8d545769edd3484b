"""Neighbours that do not answer, their tables, and the state of devices, over rtnetlink.

Samples read them twice within a second, and importing pyroute2 takes longer than a whole sample: this decoder is our own.
"""

from __future__ import annotations

from sockdiag.errors import SourceTruncated
from sockdiag.kernel.netlink import NETLINK_ROUTE, NLMSG_HDRLEN
from sockdiag.kernel.rtnetlink import (
    IFF_LOWER_UP,
    IFF_UP,
    IFINFOMSG,
    IFLA_IFNAME,
    NDA_CACHEINFO,
    NDA_CACHEINFO_LAYOUT,
    NDA_DST,
    NDA_PROBES,
    NDMSG,
    NDT_CONFIG,
    NDT_STATS,
    NDTA_CONFIG,
    NDTA_NAME,
    NDTA_STATS,
    NDTA_THRESH3,
    NDTMSG,
    NUD_FAILED,
    NUD_INCOMPLETE,
    RTM_GETLINK,
    RTM_GETNEIGH,
    RTM_GETNEIGHTBL,
    RTM_NEWLINK,
    RTM_NEWNEIGH,
    RTM_NEWNEIGHTBL,
    USER_HZ,
)
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6
from sockdiag.model.route import LinkState, Neighbour, NeighbourTable
from sockdiag.sources.netlink.attributes import attributes, fields, ip_text, number, text
from sockdiag.sources.system.transport import Request, check_type, read_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.sources.system.transport import Transport

_NEIGHBOURS = Request("RTM_GETNEIGH", NDMSG.pack(0, 0, 0, 0, 0), RTM_GETNEIGH, protocol=NETLINK_ROUTE)
_TABLES = Request("RTM_GETNEIGHTBL", NDTMSG.pack(0), RTM_GETNEIGHTBL, protocol=NETLINK_ROUTE)
_LINKS = Request("RTM_GETLINK", IFINFOMSG.pack(0, 0, 0, 0, 0), RTM_GETLINK, protocol=NETLINK_ROUTE)
SOURCE = _NEIGHBOURS.source
_LENGTHS = {AF_INET: 4, AF_INET6: 16}


def read_unanswering(names: Callable[[int], str | None], transport: Transport | None = None) -> list[Neighbour]:
    """Read the neighbours of the current network namespace that are being resolved or did not answer.

    Args:
        names: names an interface by its index.
        transport: who answers; None: the kernel.

    Raises:
        SourceError: the answer of the kernel is not complete.
        ParseError: its answer is not understood.
    """
    return read_all(transport, _NEIGHBOURS, lambda message: _neighbour(message, names))


def read_neighbour_tables(transport: Transport | None = None) -> list[NeighbourTable]:
    """Read how full the tables of neighbours are; every network namespace sees the same.

    Args:
        transport: who answers; None: the kernel.

    Raises:
        SourceError: the answer of the kernel is not complete.
        ParseError: its answer is not understood.
    """
    return read_all(transport, _TABLES, _table)


def _table(message: bytes) -> NeighbourTable | None:
    check_type(_TABLES, message, "RTM_NEWNEIGHTBL", RTM_NEWNEIGHTBL, NDTMSG.size)
    found = attributes(message, NLMSG_HDRLEN + NDTMSG.size, _TABLES.source)
    if not {NDTA_NAME, NDTA_THRESH3, NDTA_CONFIG, NDTA_STATS} <= set(found):
        return None  # parameters of one device
    _key, _size, entries = fields(NDT_CONFIG, found[NDTA_CONFIG], "NDTA_CONFIG", _TABLES.source)
    fulls = fields(NDT_STATS, found[NDTA_STATS], "NDTA_STATS", _TABLES.source)[-1]
    limit = number(found[NDTA_THRESH3], 4, "NDTA_THRESH3", _TABLES.source)
    return NeighbourTable(text(found[NDTA_NAME]), entries, limit, fulls)


def read_link_states(transport: Transport | None = None) -> list[LinkState]:
    """Read which devices of the current network namespace are up and have a carrier.

    Args:
        transport: who answers; None: the kernel.

    Raises:
        SourceError: the answer of the kernel is not complete.
        ParseError: its answer is not understood.
    """
    return read_all(transport, _LINKS, _link)


def _neighbour(message: bytes, names: Callable[[int], str | None]) -> Neighbour | None:
    check_type(_NEIGHBOURS, message, "RTM_NEWNEIGH", RTM_NEWNEIGH, NDMSG.size)
    family, index, state, _flags, _type = NDMSG.unpack_from(message, NLMSG_HDRLEN)
    if not state & (NUD_INCOMPLETE | NUD_FAILED) or family not in _LENGTHS:
        return None
    found = attributes(message, NLMSG_HDRLEN + NDMSG.size, SOURCE)
    address = found.get(NDA_DST, b"")
    if len(address) != _LENGTHS[family]:
        raise SourceTruncated(SOURCE, "a neighbour without an address")
    used = None
    if NDA_CACHEINFO in found:
        _confirmed, ticks, _updated, _refs = fields(NDA_CACHEINFO_LAYOUT, found[NDA_CACHEINFO], "NDA_CACHEINFO", SOURCE)
        used = ticks * 1000 // USER_HZ
    probes = number(found[NDA_PROBES], 4, "NDA_PROBES", SOURCE) if NDA_PROBES in found else None
    return Neighbour(ip_text(family, address) or "", state, None, probes, names(index) or f"if{index}", used)


def _link(message: bytes) -> LinkState:
    check_type(_LINKS, message, "RTM_NEWLINK", RTM_NEWLINK, IFINFOMSG.size)
    _family, _type, index, flags, _change = IFINFOMSG.unpack_from(message, NLMSG_HDRLEN)
    found = attributes(message, NLMSG_HDRLEN + IFINFOMSG.size, _LINKS.source)
    return LinkState(text(found.get(IFLA_IFNAME)) or f"if{index}", bool(flags & IFF_UP), bool(flags & IFF_LOWER_UP))
