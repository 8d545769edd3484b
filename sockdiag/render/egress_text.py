"""How a connection's packets leave this host: one line each for route, metrics, neighbour, device and queue."""

from __future__ import annotations

from sockdiag.model.route import RouteMetrics
from sockdiag.render.cells import cell
from sockdiag.render.escape import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sockdiag.model.inspection import Egress
    from sockdiag.model.link import Link
    from sockdiag.model.qdisc import Qdisc
    from sockdiag.model.record import Record
    from sockdiag.model.route import LocalAddress, Neighbour, Route
    from sockdiag.render.document import Style

_MOVED = "1;33"
_TABLES = {253: "default", 254: "main", 255: "local"}


def egress_lines(egress: Egress, moved: Collection[str], style: Style) -> Iterator[str]:
    """Yield the lines of the section.

    Args:
        egress: the route, device, queueing discipline and neighbour.
        moved: dotted names of the members that changed since the last sample.
        style: width and colours.
    """
    lines = [
        ("route", egress.route and _route(egress.route)),
        ("metrics", egress.route and _metrics(egress.route)),
        ("mtu", egress.mtu and f"{egress.mtu} bytes"),
        ("address", egress.address and _address(egress.address)),
        ("neighbour", egress.neighbour and _neighbour(egress.neighbour)),
        ("link", egress.link and _link(egress.link)),
        ("qdisc", egress.qdisc and _qdisc(egress.qdisc)),
    ]
    for name, text in lines:
        if text:
            lead = "route.metrics." if name == "metrics" else f"{name}."
            line = f"  {name:<9}  {text}"
            changed = name in moved or any(one.startswith(lead) for one in moved)
            yield (style.paint(f"* {line[2:]}", _MOVED) if changed else line) + "\n"


def _shown(record: Record, name: str) -> str:
    place = type(record)._INDEX[name]  # type: ignore[attr-defined]
    return cell(record._values()[place], type(record).FIELDS[place])


def _route(route: Route) -> str:
    words = [_shown(route, "type"), printable(route.prefix or "")]
    if route.gateway is not None:
        words += ["via", printable(route.gateway)]
    if route.device is not None:
        words += ["dev", printable(route.device)]
    if route.source is not None:
        words += ["src", printable(route.source)]
    if route.table is not None:
        words += ["table", _TABLES.get(route.table, str(route.table))]
    if route.protocol is not None:
        words += ["proto", printable(route.protocol)]
    if route.priority is not None:
        words += ["metric", str(route.priority)]
    return " ".join(filter(None, words))


def _metrics(route: Route) -> str:
    metrics = route.metrics
    said = [
        f"{field.name} {cell(value, field)}"
        for field, value in zip(RouteMetrics.FIELDS, metrics._values(), strict=True)
        if value is not None
    ]
    if route.expires_ms is not None:
        said.append(f"expires in {route.expires_ms / 1000:.0f} s")
    return ", ".join(said)


def _address(address: LocalAddress) -> str:
    flags = _shown(address, "flags")
    return f"{printable(address.address)}/{address.prefixlen} on {cell(address.device)}, {flags}"


def _neighbour(neighbour: Neighbour) -> str:
    return f"{printable(neighbour.address)} at {cell(neighbour.lladdr)}, {_shown(neighbour, 'state')}"


def _link(link: Link) -> str:
    kind = "" if link.kind is None else f" ({printable(link.kind)})"
    return (
        f"{printable(link.name)}{kind}, {cell(link.operstate)}, mtu {cell(link.mtu)}, "
        f"{cell(link.tx_packets)} packets sent, {cell(link.tx_dropped)} dropped, {cell(link.tx_errors)} errors"
    )


def _qdisc(qdisc: Qdisc) -> str:
    return (
        f"{printable(qdisc.kind)}, {cell(qdisc.packets)} packets sent, {cell(qdisc.drops)} dropped, "
        f"{cell(qdisc.backlog_bytes)} bytes waiting"
    )
