"""Queueing disciplines and what they dropped, over rtnetlink by pyroute2."""

from __future__ import annotations

from sockdiag.errors import SourceDenied, SourceUnavailable
from sockdiag.model.qdisc import Qdisc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOURCE = "rtnetlink:RTM_GETQDISC"


def prepare() -> None:
    """Import what takes long: once, before processes are made that read."""
    try:
        import pyroute2.netlink.exceptions  # noqa: F401
    except ImportError:
        return  # read_qdiscs() tells


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
        message.get_attr("TCA_KIND") or "",
        None if basic is None else basic["packets"],
        None if queue is None else queue["drops"],
        None if queue is None else queue["backlog"],
        message["handle"],
        message["parent"],
    )
