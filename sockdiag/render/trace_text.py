"""Events as lines for people, one per event, and their totals."""

from __future__ import annotations

from sockdiag.model.address import NOWHERE
from sockdiag.model.quantity import count, counted
from sockdiag.render.cells import cell, endpoint
from sockdiag.render.document import DIM
from sockdiag.render.escape import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sockdiag.model.address import Endpoint
    from sockdiag.model.record import Record
    from sockdiag.model.trace_event import DropTrace, TracedDrop, TraceEvent, TraceTotal
    from sockdiag.render.document import Style

_HEADING = f"{'TIME (UTC)':<15}  {'EVENT':<17}  {'REASON':<24}  {'NETID':<5}  {'LOCAL':<21}  {'PEER':<21}  {'STATE':<11}  PROCESS"
# Of a time such as 2026-12-01T05:07:55.778241Z, its length and where the clock is.
_TIME, _CLOCK = 27, slice(11, 26)
_TITLES = {"reason": "REASON", "socket": "SOCKET", "process": "PROCESS", "peer": "PEER"}


def heading(style: Style) -> str:
    """Return the heading line."""
    return style.paint(_HEADING, DIM) + "\n"


def clock(time: str) -> str:
    """Return the time of day of an event."""
    return time[_CLOCK] if len(time) == _TIME else time


def event_line(event: TraceEvent, style: Style) -> str:
    """Format one event as a line."""
    what = f"{event.old_state} -> {event.state}" if event.old_state else event.reason or "-"
    state = "" if event.old_state else event.state or "-"
    ends = f"{event.netid or '-':<5}  {_end(event.local):<21}  {_end(event.peer):<21}"
    parts = [f"{clock(event.time)}  {event.event:<17}  {what:<24}  {ends}  {state:<11}  {_process(event)}"]
    if event.lifetime_s is not None:
        parts.append(f"lifetime {event.lifetime_s * 1000:.3f} ms")
    if event.bytes_sent is not None and event.bytes_received is not None:
        parts.append(f"sent {event.bytes_sent} received {event.bytes_received} bytes")
    if event.netns is None:
        parts.append("network namespace unknown")
    line = "  ".join(parts)
    if event.meaning:
        line += style.paint(f"  {event.meaning}", DIM)
    return line.rstrip() + "\n"


def total_lines(totals: Iterable[TraceTotal], events: int, seconds: float, style: Style) -> Iterator[str]:
    """Format totals, under a heading for each kind."""
    yield f"\n{events} events in {seconds:.1f} s\n"
    title = ""
    for total in totals:
        if total.by != title:
            title = total.by
            yield style.paint(f"{_TITLES[title]}", DIM) + "\n"
        yield f"  {total.events:>8}  {printable(total.name) if not total.name.isprintable() else total.name}\n"


# Sockets and reasons that are listed under one heading.
_LISTED = 10


def unexplained_lines(trace: DropTrace, drops: Sequence[TracedDrop], style: Style) -> Iterator[str]:
    """Yield what a trace beside the samples shows that belongs to no finding, and how complete it is."""
    seconds = f"{trace.seconds or 0.0:.1f} s"
    number = sum(drop.events for drop in drops) + (trace.others or 0)
    if not trace.drops:
        yield f"\ntrace of {seconds}: no drops\n"
    elif number:
        yield f"\ntrace of {seconds}: {counted(number, 'drop')} that no finding explains\n"
        for text in drop_texts(drops):
            yield f"  {text}\n"
    else:
        yield f"\ntrace of {seconds}: the findings explain all drops\n"
    if trace.others:
        yield f"  {counted(trace.others, 'drop')} of more sockets than are listed\n"
    if trace.lost:
        yield style.paint(f"  {counted(trace.lost, 'event')} lost, because they came faster than they were read\n", DIM)


def drop_texts(drops: Sequence[TracedDrop]) -> list[str]:
    """Describe drops: how many, why, of which socket and whose."""
    texts = [_drop(drop) for drop in drops[:_LISTED]]
    if len(drops) > _LISTED:
        more = sum(drop.events for drop in drops[_LISTED:])
        texts.append(f"{counted(more, 'more drop')} of {len(drops) - _LISTED} sockets or reasons: --json lists all")
    return texts


def _drop(drop: TracedDrop) -> str:
    why = drop.reason or drop.event
    if drop.meaning:
        why += f" ({drop.meaning})"
    parts = [f"{counted(drop.events, 'drop')}: {why}"]
    if drop.netid is None or drop.local == NOWHERE:
        parts.append("no socket")
    else:
        parts.append(f"{drop.netid} {_end(drop.local)}")
        if drop.peer.port and drop.peers == 1:
            parts.append(f"from {_end(drop.peer)}")
        elif drop.peers > 1:
            parts.append(f"from {count(drop.peers)} senders, most from {_end(drop.peer)}")
        parts.append(_process(drop))
    if drop.netns is None:
        parts.append("network namespace unknown")
    return ", ".join(parts)


def _process(event: TraceEvent | TracedDrop) -> str:
    if event.pid is None:
        return "process unknown"
    words = [f"{cell(event.process) if event.process else '?'}({event.pid})"]
    if event.unit:
        words.append(printable(event.unit))
    if event.container:
        words.append(f"container {printable(event.container[:12])}")
    words.append(f"[{event.attribution}]")
    return " ".join(words)


# The same few ends come again and again.
_ENDS: dict[Record, str] = {}


def _end(end: Endpoint) -> str:
    found = _ENDS.get(end)
    if found is None:
        if len(_ENDS) > 10_000:
            _ENDS.clear()
        found = _ENDS[end] = endpoint(end)
    return found
