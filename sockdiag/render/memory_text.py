"""The tables of the memory screen."""

from __future__ import annotations

from sockdiag.model.quantity import UNKNOWN, share, size
from sockdiag.render.cells import cell, endpoint
from sockdiag.render.table import aligned, cells, is_number, remark_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sockdiag.analysis.memory import ProtocolMemory
    from sockdiag.analysis.socket_memory import SocketMemory
    from sockdiag.render.document import Style, Table


def protocol_lines(protocols: Iterable[ProtocolMemory], style: Style) -> Iterator[str]:
    """Yield the protocols with their limits."""
    rows = [
        (
            row.protocol,
            cell(row.pages),
            size(row.bytes),
            UNKNOWN if row.pressure is None else cell(row.pressure_pages),
            cell(row.limit_pages),
            size(row.limit_bytes),
            share(row.ratio),
            UNKNOWN if row.pressure is None else "yes" if row.pressure else "no",
            row.note,
        )
        for row in protocols
    ]
    headings = ("PROTOCOL", "PAGES", "BYTES", "PRESSURE-AT", "LIMIT", "LIMIT-BYTES", "USED", "PRESSURE", "")
    yield from aligned(
        headings, list(zip(*rows, strict=True)), [False, *[True] * 6, False, False], style.width, prose=True
    )


def group_lines(table: Table, style: Style) -> Iterator[str]:
    """Yield the sums, with bytes as sizes."""
    columns = [
        [size(entry.get(row)) for row in table.records()] if entry.field.unit == "bytes" else column
        for entry, column in zip(table.columns, cells(table), strict=True)
    ]
    headings = [entry.field.header for entry in table.columns] if table.header else []
    yield from aligned(headings, columns, [is_number(entry) for entry in table.columns], style.width)
    yield from remark_lines(table, style)


def socket_lines(sockets: Sequence[SocketMemory], style: Style) -> Iterator[str]:
    """Yield the sockets that hold most, with their processes if those were looked up."""
    rows = []
    for held, s in (row._values() for row in sockets):
        m = s.skmem
        part = UNKNOWN if m is None or not m.rcvbuf or m.rmem_alloc is None else share(m.rmem_alloc / m.rcvbuf)
        rows.append(
            (
                size(held),
                s.netid,
                cell(s.state),
                *(size(m and getattr(m, name)) for name in ("rmem_alloc", "rcvbuf")),
                part,
                *(size(m and getattr(m, name)) for name in ("wmem_queued", "sndbuf", "fwd_alloc")),
                endpoint(s.local),
                endpoint(s.peer),
                cell(s.processes),
            )
        )
    shown = len(_SOCKETS) - all(row.socket.processes is None for row in sockets)
    columns = [
        (name, right, column)
        for (name, right), column in zip(_SOCKETS[:shown], list(zip(*rows, strict=True))[:shown], strict=True)
    ]
    for least in _LEAST:
        if style.width is None or _wide(columns) <= style.width:
            break
        columns = [column for column in columns if column[0] != least]
    names, sides, texts = zip(*columns, strict=True)
    yield from aligned(names, texts, sides, style.width)


def _wide(columns: list[tuple[str, bool, tuple[str, ...]]]) -> int:
    return sum(2 + max(map(len, (name, *column))) for name, _right, column in columns) - 2


# Columns that a narrow terminal leaves out, in this order; --json has them all.
_LEAST = ("FWD", "SNDBUF", "RCVBUF", "WMEMQ")

# Heading, and whether the column is aligned right.
_SOCKETS = (
    ("HELD", True),
    ("NETID", False),
    ("STATE", False),
    ("RMEM", True),
    ("RCVBUF", True),
    ("FILL", True),
    ("WMEMQ", True),
    ("SNDBUF", True),
    ("FWD", True),
    ("LOCAL", False),
    ("PEER", False),
    ("PROCESSES", False),
)
