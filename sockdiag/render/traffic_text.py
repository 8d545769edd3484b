"""The screen of traffic: a line about all sockets, and the busiest sockets or groups."""

from __future__ import annotations

from sockdiag.model.quantity import count, counted, duration, rate, share, size, span
from sockdiag.model.record import BYTES, BYTES_PER_S, COUNT, COUNT_PER_S, RATIO, US
from sockdiag.render.table import cells, fitting, is_number, remark_lines, spare_headings
from sockdiag.render.wrap import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from sockdiag.analysis.traffic_rows import TrafficTotals
    from sockdiag.render.document import Style, Table


def _rate_of_bytes(value: float) -> str:
    return rate(value, "bytes")


def _rate(value: float) -> str:
    # One packet in 1.0004 s is one per second.
    return rate(round(value, 2))


def _microseconds(value: int) -> str:
    return duration(value / 1e6)


_WRITTEN: dict[str, Callable[[Any], str]] = {
    BYTES_PER_S: _rate_of_bytes,
    COUNT_PER_S: _rate,
    RATIO: share,
    US: _microseconds,
    BYTES: size,
    COUNT: count,
}


def traffic_lines(
    seconds: tuple[float | None, float | None], totals: TrafficTotals, table: Table, style: Style
) -> Iterator[str]:
    """Yield the screen.

    Args:
        seconds: shortest and longest time between the samples of a namespace; None for a single sample.
        totals: of all sockets.
        table: rows to show.
        style: of the terminal.
    """
    lines = [_summary(seconds, totals)]
    if style.width is not None:
        lines = wrapped(lines[0], style.width)
    yield from (style.paint(line, "1") + "\n" for line in lines)
    rows = list(table.records())
    if not rows:
        return
    yield "\n"
    columns = []
    for entry, plain in zip(table.columns, cells(table), strict=True):
        write = _WRITTEN.get(entry.field.unit)
        columns.append(plain if write is None else ["-" if (v := entry.get(row)) is None else write(v) for row in rows])
    headings = [entry.field.header for entry in table.columns] if table.header else []
    right = [is_number(entry) for entry in table.columns]
    yield from fitting(headings, columns, right, style, spare_headings(table))
    yield from remark_lines(table, style)


def _summary(seconds: tuple[float | None, float | None], totals: TrafficTotals) -> str:
    sockets = counted(totals.sockets, "socket")
    if seconds[0] is None:
        return f"{sockets}, a single sample: rates take two"
    changes = [f"{count(totals.began)} began"] if totals.began else []
    if totals.ended:
        resets = f" ({count(totals.resets)} reset)" if totals.resets else ""
        changes.append(f"{count(totals.ended)} ended{resets}")
    moved = f"in {rate(totals.in_bytes_per_s, 'bytes')}, out {rate(totals.out_bytes_per_s, 'bytes')} of TCP payload"
    if totals.ended_in_bytes or totals.ended_out_bytes:
        moved += f"; those that ended: in {size(totals.ended_in_bytes)}, out {size(totals.ended_out_bytes)}"
    return f"{span(*seconds)}: {', '.join([f'{sockets}, {count(totals.active)} active', *changes])}; {moved}"
