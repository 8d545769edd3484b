"""Links with their counters, and neighbours that do not answer, from the kernel's messages: those that a capture holds.

The running system is asked by pyroute2 (``sockdiag.sources.netlink.routes``), which reads the same messages.

Source: ``rtnl_fill_ifinfo()``, net/core/rtnetlink.c; ``neigh_fill_info()``, net/core/neighbour.c.
"""

from __future__ import annotations

from struct import Struct

from sockdiag.kernel.byte_order import ORDER
from sockdiag.kernel.netlink import NETLINK_ROUTE, NLMSG_HDRLEN
from sockdiag.kernel.rtnetlink import (
    IFINFOMSG,
    IFLA_CARRIER_CHANGES,
    IFLA_IFNAME,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    IFLA_MTU,
    IFLA_OPERSTATE,
    IFLA_STATS64,
    IFLA_TXQLEN,
    LINK_STATS64,
    OPERSTATES,
    RTM_GETLINK,
    RTM_NEWLINK,
)
from sockdiag.model.link import Link
from sockdiag.sources.netlink.attributes import attributes, fields, number, text
from sockdiag.sources.system.transport import Request, check_type, read_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.transport import Transport

_LINKS = Request("RTM_GETLINK", IFINFOMSG.pack(0, 0, 0, 0, 0), RTM_GETLINK, protocol=NETLINK_ROUTE)
_STATS64 = Struct(f"{ORDER}{len(LINK_STATS64)}Q")
_COUNTERS = tuple(one.name for one in Link.FIELDS if one.kernel.startswith("rtnl_link_stats64."))


def read_links(transport: Transport | None = None) -> list[Link]:
    """Read all devices of the network namespace.

    Args:
        transport: who answers; None: the kernel.

    Raises:
        SourceError: the answer is not complete, or was not captured.
        ParseError: it is not understood.
    """
    return read_all(transport, _LINKS, _link)


def _link(message: bytes) -> Link:
    source = _LINKS.source
    check_type(_LINKS, message, "RTM_NEWLINK", RTM_NEWLINK, IFINFOMSG.size)
    _family, _type, index, flags, _change = IFINFOMSG.unpack_from(message, NLMSG_HDRLEN)
    found = attributes(message, NLMSG_HDRLEN + IFINFOMSG.size, source)

    def value(attribute: int, name: str, size: int = 4) -> int | None:
        return number(found[attribute], size, name, source) if attribute in found else None

    kind = attributes(found.get(IFLA_LINKINFO, b""), 0, source).get(IFLA_INFO_KIND)
    state = value(IFLA_OPERSTATE, "IFLA_OPERSTATE", 1)
    counters: dict[str, int] = {}
    if IFLA_STATS64 in found:
        counters = dict(zip(LINK_STATS64, fields(_STATS64, found[IFLA_STATS64], "IFLA_STATS64", source), strict=True))
    return Link(
        text(found.get(IFLA_IFNAME)) or f"if{index}",
        index,
        None if kind is None else text(kind),
        None if state is None else OPERSTATES[state] if state < len(OPERSTATES) else str(state),
        flags,
        value(IFLA_MTU, "IFLA_MTU"),
        value(IFLA_TXQLEN, "IFLA_TXQLEN"),
        value(IFLA_CARRIER_CHANGES, "IFLA_CARRIER_CHANGES"),
        *(counters.get(name) for name in _COUNTERS),
    )
