"""Queueing disciplines and their counters, over rtnetlink.

Samples read them twice within a second, and importing pyroute2 takes longer than a whole sample: this decoder is our own.
"""

from __future__ import annotations

from sockdiag.kernel.netlink import NETLINK_ROUTE, NLMSG_HDRLEN
from sockdiag.kernel.rtnetlink import (
    GNET_STATS_BASIC,
    GNET_STATS_QUEUE,
    RTM_GETQDISC,
    RTM_NEWQDISC,
    TCA_KIND,
    TCA_STATS2,
    TCA_STATS_BASIC,
    TCA_STATS_QUEUE,
    TCMSG,
)
from sockdiag.model.qdisc import Qdisc
from sockdiag.sources.netlink.attributes import attributes, fields, text
from sockdiag.sources.system.transport import Request, check_type, read_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.sources.system.transport import Transport

_REQUEST = Request("RTM_GETQDISC", TCMSG.pack(0, 0, 0, 0, 0), RTM_GETQDISC, protocol=NETLINK_ROUTE)
SOURCE = _REQUEST.source


def read_qdiscs(names: Callable[[int], str | None], transport: Transport | None = None) -> list[Qdisc]:
    """Read the queueing disciplines of the current network namespace.

    Args:
        names: names an interface by its index.
        transport: who answers; None: the kernel.

    Raises:
        SourceError: the kernel has no traffic control, or its answer is not complete.
        ParseError: its answer is not understood.
    """
    return read_all(transport, _REQUEST, lambda message: _qdisc(message, names))


def _qdisc(message: bytes, names: Callable[[int], str | None]) -> Qdisc:
    check_type(_REQUEST, message, "RTM_NEWQDISC", RTM_NEWQDISC, TCMSG.size)
    _family, index, handle, parent, _info = TCMSG.unpack_from(message, NLMSG_HDRLEN)
    found = attributes(message, NLMSG_HDRLEN + TCMSG.size, SOURCE)
    stats = attributes(found[TCA_STATS2], 0, SOURCE) if TCA_STATS2 in found else {}
    packets = drops = backlog = None
    if TCA_STATS_BASIC in stats:
        _bytes, packets = fields(GNET_STATS_BASIC, stats[TCA_STATS_BASIC], "TCA_STATS_BASIC", SOURCE)
    if TCA_STATS_QUEUE in stats:
        _length, backlog, drops, _again, _over = fields(
            GNET_STATS_QUEUE, stats[TCA_STATS_QUEUE], "TCA_STATS_QUEUE", SOURCE
        )
    return Qdisc(names(index) or f"if{index}", text(found.get(TCA_KIND)), packets, drops, backlog, handle, parent)
