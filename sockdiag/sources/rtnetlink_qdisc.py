"""Queueing disciplines and what they dropped, over rtnetlink by pyroute2."""

from __future__ import annotations

from sockdiag.errors import SourceDenied, SourceUnavailable
from sockdiag.model.record import BYTES, COUNT, COUNTER, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOURCE = "rtnetlink:RTM_GETQDISC"


class Qdisc(Record):
    """A queueing discipline of a device. Source: ``tc_fill_qdisc()``, net/sched/sch_api.c."""

    device: str = field("Device.", kind=LABEL, kernel="qdisc_dev(q)->name", sources=("tcm_ifindex",))
    handle: str = field("Its handle, as tc writes it.", kind=LABEL, kernel="q->handle", sources=("tcm_handle",))
    kind: str = field("Kind: fq_codel, pfifo_fast, …", kind=LABEL, kernel="q->ops->id", sources=("TCA_KIND",))
    packets: int | None = field("Packets sent.", default=None, unit=COUNT, kind=COUNTER, sources=("TCA_STATS2",))
    drops: int | None = field(
        "Packets dropped instead of sent.", default=None, unit=COUNT, kind=COUNTER, kernel="q->qstats.drops",
        sources=("TCA_STATS2",),
    )  # fmt: skip
    backlog_bytes: int | None = field(
        "Bytes that wait to be sent.", default=None, unit=BYTES, kernel="q->qstats.backlog", sources=("TCA_STATS2",)
    )


def read_qdiscs() -> list[Qdisc]:
    """Read the queueing disciplines of the current network namespace.

    Raises:
        SourceUnavailable: pyroute2 is not installed, or the kernel has no traffic control.
        SourceDenied: they may not be read.
    """
    try:
        from pyroute2 import IPRoute
        from pyroute2.netlink.exceptions import NetlinkError
    except ImportError as error:
        raise SourceUnavailable(SOURCE, f"pyroute2 cannot be imported: {error}", hint="install pyroute2") from None
    try:
        with IPRoute() as route:
            names = {link["index"]: link.get("ifname") for link in route.get_links()}
            return [_qdisc(message, names) for message in route.get_qdiscs()]
    except NetlinkError as error:
        kind = SourceDenied if error.code in (1, 13) else SourceUnavailable
        raise kind(SOURCE, str(error), error.code) from None
    except OSError as error:
        raise SourceUnavailable(SOURCE, error.strerror or str(error), error.errno) from None


def _qdisc(message: Any, names: dict[int, str]) -> Qdisc:
    stats = message.get_attr("TCA_STATS2")
    queue = stats.get_attr("TCA_STATS_QUEUE") if stats is not None else None
    basic = stats.get_attr("TCA_STATS_BASIC") if stats is not None else None
    index = message["index"]
    return Qdisc(
        names.get(index) or f"if{index}",
        f"{message['handle'] >> 16:x}:",
        message.get_attr("TCA_KIND") or "",
        None if basic is None else basic["packets"],
        None if queue is None else queue["drops"],
        None if queue is None else queue["backlog"],
    )
