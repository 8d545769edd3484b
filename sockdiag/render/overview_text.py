"""The overview screen."""

from __future__ import annotations

from sockdiag.model.quantity import UNKNOWN, share, size
from sockdiag.model.query import TABLES
from sockdiag.render.cells import cell, endpoint, state_word
from sockdiag.render.escape import printable
from sockdiag.render.table import aligned
from sockdiag.render.wrap import TableLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.analysis.hotspots import Fullest
    from sockdiag.analysis.overview import Overview
    from sockdiag.model.provenance import Provenance
    from sockdiag.render.document import Style

_BOLD, _RED, _YELLOW, _GREEN = "1", "31", "33", "32"


def overview_lines(view: Overview, provenance: Provenance, style: Style) -> Iterator[str]:
    """Yield the lines of the screen."""
    host, scope = provenance.host, provenance.scope
    where = scope.root or " ".join(filter(None, (cell(host.hostname), "Linux", cell(host.kernel))))
    netns = ", ".join(n.label or UNKNOWN for n in scope.netns)
    which = (
        f"network namespace {printable(netns)}" if len(scope.netns) == 1 else f"{len(scope.netns)} network namespaces"
    )
    yield f"{style.paint(printable(where), _BOLD)}  {which}\n\n"
    yield style.paint("SOCKETS", _BOLD) + "\n"
    yield from _states(view, style)
    yield "\n" + style.paint("MEMORY", _BOLD) + " of the whole host\n"
    yield from _memory(view, style)
    yield "\n" + style.paint("WORST", _BOLD) + "\n"
    yield from _worst(view, style)
    yield "\n" + style.paint("LOST", _BOLD) + "\n"
    yield from _losses(view, style)


def _states(view: Overview, style: Style) -> Iterator[str]:
    sums: dict[str, dict[str, int]] = {}
    for row in view.states:
        table = sums.setdefault(row.netid, {})
        state = state_word(row.state)
        table[state] = table.get(state, 0) + row.count
    rows = []
    for netid in TABLES:
        if netid in sums:
            states = sorted(sums[netid].items(), key=lambda item: -item[1])
            rows.append((f"  {netid}", str(sum(sums[netid].values())), "  ".join(f"{s}\0{n}" for s, n in states)))
    if rows:
        # Keep a state and its number on one line.
        lines = aligned((), list(zip(*rows, strict=True)), (False, True, False), style.width, prose=True)
        yield from (TableLine(line.replace("\0", " ")) for line in lines)
    else:
        yield "  none\n"


def _memory(view: Overview, style: Style) -> Iterator[str]:
    rows = []
    for row in view.memory:
        if row.limit_source or row.pages:
            of = f"{share(row.ratio)} of {size(row.limit_bytes)}" if row.ratio is not None else row.note
            pressure = " under pressure" if row.pressure else ""
            rows.append((f"  {row.protocol}", size(row.bytes), f"{of}{pressure}"))
    if rows:
        yield from aligned((), list(zip(*rows, strict=True)), (False, True, False), style.width, prose=True)
    else:
        yield "  unknown\n"


def _worst(view: Overview, style: Style) -> Iterator[str]:
    worst = view.worst
    rows = [
        ("  receive buffer", *_fullest(worst.buffer, style, "B", (0.5, 0.9))),
        ("  TCP receive buffer", *_fullest(worst.tcp_buffer, style, "B", (0.9, 2))),
        ("  accept queue", *_fullest(worst.queue, style, "waiting", (0.5, 0.9))),
    ]
    busiest = worst.state
    if busiest is None:
        rows.append(("  state", UNKNOWN, "no connections in a transient state"))
    else:
        who = "" if busiest.pid is None else f", {busiest.held} of them held by {cell(busiest.held_by)}({busiest.pid})"
        rows.append(("  state", busiest.state, f"{busiest.count} sockets{who}"))
    yield from aligned((), list(zip(*rows, strict=True)), (False, False, False), style.width, prose=True)


def _fullest(level: Fullest | None, style: Style, unit: str, bounds: tuple[float, float]) -> tuple[str, str]:
    if level is None:
        return UNKNOWN, "all empty"
    socket = level.socket
    low, high = bounds
    color = _RED if level.ratio >= high else _YELLOW if level.ratio >= low else _GREEN
    amount = (
        f"{size(level.used)} of {size(level.limit)}" if unit == "B" else f"{level.used} {unit}, limit {level.limit}"
    )
    drops = f", {level.drops} dropped since it was created" if level.drops else ""
    peer = f" from {endpoint(socket.peer)}" if socket.netid == "tcp" and unit == "B" else ""
    return style.paint(share(level.ratio), color), f"{socket.netid} {endpoint(socket.local)}{peer}: {amount}{drops}"


def _losses(view: Overview, style: Style) -> Iterator[str]:
    now = [loss for loss in view.losses if loss.delta]
    if view.interval_s:
        if not now:
            yield f"  {style.paint('nothing', _GREEN)} in {view.interval_s:.2f} s\n"
        for loss in now:
            yield f"  {style.paint(str(loss.delta), _RED)} in {view.interval_s:.2f} s  {loss.name}: {loss.meaning}\n"
    else:
        yield "  no rates: a capture is a single sample\n"
    past = [loss for loss in view.losses if not loss.delta]
    if past:
        yield "  history, since boot or since the namespace was created:\n"
        rows = [
            (f"    {loss.total}", loss.name, loss.meaning + (" (host)" if loss.scope == "host" else ""))
            for loss in past
        ]
        yield from aligned((), list(zip(*rows, strict=True)), (True, False, False), style.width, prose=True)
