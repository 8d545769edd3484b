"""The tables of the memory screen."""

from __future__ import annotations

from sockdiag.model.quantity import UNKNOWN, share, size
from sockdiag.render.cells import cell, endpoint, state_word
from sockdiag.render.table import aligned, cells, fitting, is_number, remark_lines, spare_headings

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
            size(row.bytes),
            UNKNOWN if row.pressure is None else size(_bytes(row, row.pressure_pages)),
            size(row.limit_bytes),
            share(row.ratio),
            UNKNOWN if row.pressure is None else "yes" if row.pressure else "no",
            row.note,
        )
        for row in protocols
    ]
    headings = ("PROTOCOL", "HELD", "PRESSURE-AT", "LIMIT", "USED", "PRESSURE", "")
    yield from aligned(
        headings, list(zip(*rows, strict=True)), [False, *[True] * 4, False, False], style.width, prose=True
    )


def _bytes(row: ProtocolMemory, pages: int | None) -> int | None:
    # Both are known in pages and in bytes, or neither is.
    if pages is None or not row.limit_pages or row.limit_bytes is None:
        return None
    return pages * (row.limit_bytes // row.limit_pages)


def group_lines(table: Table, style: Style) -> Iterator[str]:
    """Yield the sums, with bytes as sizes."""
    columns = [
        [size(entry.get(row)) for row in table.records()] if entry.field.unit == "bytes" else column
        for entry, column in zip(table.columns, cells(table), strict=True)
    ]
    headings = [entry.field.header for entry in table.columns] if table.header else []
    right = [is_number(entry) for entry in table.columns]
    yield from fitting(headings, columns, right, style, spare_headings(table))
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
                state_word(s.state),
                *(size(m and getattr(m, name)) for name in ("rmem_alloc", "rcvbuf")),
                part,
                *(size(m and getattr(m, name)) for name in ("wmem_queued", "sndbuf", "fwd_alloc")),
                endpoint(s.local),
                endpoint(s.peer),
                cell(s.processes),
            )
        )
    shown = len(_SOCKETS) - all(row.socket.processes is None for row in sockets)
    names, sides = zip(*_SOCKETS[:shown], strict=True)
    yield from fitting(
        names, list(zip(*rows, strict=True))[:shown], sides, style, _LEAST, "--json, or a wider terminal"
    )


# Columns that a narrow terminal leaves out, in this order.
_LEAST = ("FWD", "SNDBUF", "RCVBUF", "WMEM-QUEUED", "PEER", "STATE", "NETID")

# Heading, and whether the column is aligned right.
_SOCKETS = (
    ("HELD", True),
    ("NETID", False),
    ("STATE", False),
    ("RMEM", True),
    ("RCVBUF", True),
    ("FILL", True),
    ("WMEM-QUEUED", True),
    ("SNDBUF", True),
    ("FWD", True),
    ("LOCAL", False),
    ("PEER", False),
    ("PROCESSES", False),
)
