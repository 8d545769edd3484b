"""The layers of one socket as rows: name, value and source."""

from __future__ import annotations

from sockdiag.kernel.families import OTHER_TABLES
from sockdiag.model.inspection import Egress, Fact, Layers, Paths, Topic
from sockdiag.model.protocols import Protocol
from sockdiag.model.record import Record
from sockdiag.model.socket import Socket
from sockdiag.render.cells import cell
from sockdiag.render.plain import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from sockdiag.model.record import Field

    Known = Mapping[tuple[str, str], Any]

# Shown elsewhere, or about the row and not about the socket.
_SKIPPED = frozenset(("lacks", "processes", "recv_q_unit", "unknown_attributes"))
# Members whose own members are listed beside those of the layer.
_FLAT = frozenset(("socket", "row"))


def facts(
    layers: Layers,
    options: Mapping[str, Any] | None,
    levels: Mapping[str, str],
    paths: Paths,
    before: Known | None = None,
    egress: Egress | None = None,
) -> list[Fact]:
    """List the known facts.

    Args:
        layers: the layers.
        options: answers of getsockopt(2), by option.
        levels: level of each option.
        paths: how the socket is created and fed.
        before: values of an earlier list by (layer, name), to mark what changed.
        egress: how its packets leave this host; None if they do not.
    """
    rows: list[Fact] = []
    origin = _Origin(layers.sock.socket)
    for field, layer in zip(Layers.FIELDS, layers._values(), strict=True):
        rows += _walk(field.name, "", layer, origin)
    for name, value in (options or {}).items():
        rows.append(Fact("getsockopt", name, plain(value), source=f"getsockopt({levels.get(name, '')}, {name})"))
    if paths.create:
        rows.append(Fact("path", "create", paths.create, source="derived"))
    for i, station in enumerate(paths.receive):
        rows.append(Fact("path", f"receive.{i}", station.where, source="derived"))
        rows += [
            Fact("path", f"receive.{i}.{c.name}", c.total, "count", source=c.name)
            for c in station.counters
            if c.total is not None
        ]
    if egress is not None:
        rows += _walk("egress", "", egress, origin)
    rows = [row._replace(value=tuple(row.value)) if isinstance(row.value, list) else row for row in rows]
    if before is None:
        return rows
    return [
        row._replace(was=before[row.layer, row.name])
        if (row.layer, row.name) in before and before[row.layer, row.name] != row.value
        else row
        for row in rows
    ]


def known(rows: list[Fact]) -> Known:
    """Return the values of a list, for comparison with the next one."""
    return {(row.layer, row.name): row.value for row in rows}


_QUEUES = ("recv_q", "send_q")


def _walk(layer: str, prefix: str, record: Record, origin: _Origin) -> Iterator[Fact]:
    for field, value in zip(type(record).FIELDS, record._values(), strict=True):
        if value is None or value in ("", ()) or field.name in _SKIPPED:
            continue
        name = prefix + field.name
        if isinstance(record, Protocol) and field.name == "name":
            continue  # the layer's own, by which its row was found
        if isinstance(value, Record):
            yield from _walk(layer, prefix if field.name in _FLAT else name + ".", value, origin)
        elif isinstance(value, tuple) and isinstance(value[0], Topic):
            for topic in value:
                yield Fact(layer, f"tcp.{topic.name}", topic.summary, source="derived")
        elif isinstance(value, tuple) and isinstance(value[0], Record):
            for i, item in enumerate(value):
                yield Fact(layer, f"{name}[{i}]", cell(item), source=origin.of(field))
        else:
            # On a listener the two queues count connections.
            unit = (record.recv_q_unit if field.name in _QUEUES and isinstance(record, Socket) else None) or field.unit
            yield Fact(layer, name, plain(value, field), unit, None, origin.of(field), field.kernel)


class _Origin:
    """Finds the source that a field of a socket was read from, among those that it can be read from."""

    def __init__(self, socket: Socket) -> None:
        self.by = socket.source
        self.netid = socket.netid
        # Its attributes and structs begin with this word and _DIAG or _diag.
        self.family = socket.netid if socket.netid in OTHER_TABLES else "inet"

    def of(self, field: Field) -> str:
        for source in field.sources:
            if source.startswith("INET_DIAG_SKMEMINFO") and self.family != "inet" and self.by == "netlink":
                return source.replace("INET_DIAG_SKMEMINFO", f"{self.family.upper()}_DIAG_MEMINFO")
            if self._suits(source):
                return source
        if not field.sources:
            return "derived"
        # The declaration names only sources of other tables.
        return {"netlink": f"netlink:{self.family}_diag", "proc": f"/proc/net/{self.netid}"}.get(self.by, self.by)

    def _suits(self, source: str) -> bool:
        family, diag, _rest = source.lower().partition("_diag")
        if diag:
            return self.by == "netlink" and family == self.family
        return self.by == "proc" or not source.startswith(_SOCKET_TABLES)


_SOCKET_TABLES = tuple(
    f"/proc/net/{name}" for name in ("tcp", "udp", "raw", "icmp", "unix", "netlink", "packet", "mptcp", "sctp/", "dccp")
)
