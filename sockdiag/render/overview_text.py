"""The overview screen: the verdict and the worst findings first, then sockets, memory, queues and losses."""

from __future__ import annotations

from sockdiag.analysis.losses import added_up
from sockdiag.model.counters import of_all_cpus
from sockdiag.model.quantity import UNKNOWN, count, counted, rate, share, size, span
from sockdiag.model.query import TABLES
from sockdiag.model.record import HOST
from sockdiag.render.cells import cell, endpoint, process_cell, state_word
from sockdiag.render.escape import printable
from sockdiag.render.findings_text import command_line, is_about_now, next_command, severity_text, verdict_lines
from sockdiag.render.suspects import sentence
from sockdiag.render.table import aligned
from sockdiag.render.wrap import TableLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sockdiag.analysis.hotspots import Fullest
    from sockdiag.analysis.losses import Loss
    from sockdiag.analysis.overview import Overview
    from sockdiag.model.finding import Finding
    from sockdiag.model.provenance import Provenance
    from sockdiag.render.document import Style
    from sockdiag.render.findings_text import Verdict
    from sockdiag.render.suspects import Whereabouts

_BOLD, _RED, _YELLOW, _GREEN = "1", "31", "33", "32"

# Findings that are shown.
_SHOWN = 3
# Of unix sockets and send queues no level is shown, so it does not say that nothing waits at all.
_NO_QUEUES = "no data waits in a receive buffer of TCP or UDP, no connection in an accept queue"
# Losses of the interval that are listed: a host with many devices may have a counter for each.
_LISTED = 10
_WHOLE = " (whole host)"
# Counters of earlier losses that are named, those of this network namespace first.
_EARLIER = 2


def overview_lines(
    view: Overview, verdict: Verdict, provenance: Provenance, style: Style, whereabouts: Whereabouts
) -> Iterator[str]:
    """Yield the lines of the screen."""
    yield from verdict_lines(verdict, style)
    yield from _place(provenance, style)
    yield from _findings([f for f in view.findings if is_about_now(f)], len(view.findings), style, whereabouts)
    yield "\n"
    yield from _section("SOCKETS", "", _states(view, style), "none", style)
    yield from _section("MEMORY", "of the whole host", _memory(view, style), "unknown", style)
    yield from _section("QUEUES", "", _queues(view, style), _NO_QUEUES, style)
    yield from _losses(view, verdict, style, whereabouts)


def _place(provenance: Provenance, style: Style) -> Iterator[str]:
    host, scope = provenance.host, provenance.scope
    where = scope.root or " ".join(filter(None, (cell(host.hostname), "Linux", cell(host.kernel))))
    netns = ", ".join(n.label or UNKNOWN for n in scope.netns)
    which = (
        f"network namespace {printable(netns)}"
        if len(scope.netns) == 1
        else counted(len(scope.netns), "network namespace")
    )
    yield f"{style.paint(printable(where), _BOLD)}, {which}\n"


def _findings(named: Sequence[Finding], total: int, style: Style, whereabouts: Whereabouts) -> Iterator[str]:
    if named:
        yield "\n"
    for finding in named[:_SHOWN]:
        head = f"{severity_text(finding, style, 8)}  {style.paint(finding.code, _BOLD)}"
        yield f"{head}  {sentence(finding, whereabouts)}\n"
        yield command_line(next_command(finding, whereabouts), 10)
    if total:
        every = "both" if total == 2 else f"all {total}"
        which = every if total > min(len(named), _SHOWN) > 0 else "the evidence"
        yield f"{whereabouts.command('sockdiag doctor')} shows {which}, and what to do\n"


def _section(title: str, note: str, lines: Iterator[str], empty: str, style: Style) -> Iterator[str]:
    rows = list(lines)
    heading = style.paint(title, _BOLD) + (f" {note}" if note else "")
    yield f"{heading}\n" if rows else f"{heading}  {empty}\n"
    yield from rows


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


def _memory(view: Overview, style: Style) -> Iterator[str]:
    rows = []
    for row in view.memory:
        if row.limit_source or row.pages:
            of = f"{share(row.ratio)} of {size(row.limit_bytes)}" if row.ratio is not None else row.note
            pressure = " under pressure" if row.pressure else ""
            rows.append((f"  {row.protocol}", size(row.bytes), f"{of}{pressure}"))
    if rows:
        yield from aligned((), list(zip(*rows, strict=True)), (False, True, False), style.width, prose=True)


def _queues(view: Overview, style: Style) -> Iterator[str]:
    worst = view.worst
    levels = (
        ("  receive buffer", worst.buffer, "B", (0.5, 0.9)),
        ("  TCP receive buffer", worst.tcp_buffer, "B", (0.9, 2)),
        ("  accept queue", worst.queue, "waiting", (0.5, 0.9)),
    )
    rows = [(name, *_fullest(level, style, unit, bounds)) for name, level, unit, bounds in levels if level is not None]
    busiest = worst.state
    if busiest is not None:
        who = ""
        if busiest.pid is not None:
            who = f", {busiest.held} of them held by {process_cell(busiest.held_by, busiest.pid)}"
        rows.append(("  transient state", busiest.state, f"{counted(busiest.count, 'socket')}{who}"))
    if rows:
        yield from aligned((), list(zip(*rows, strict=True)), (False, False, False), style.width, prose=True)


def _fullest(level: Fullest, style: Style, unit: str, bounds: tuple[float, float]) -> tuple[str, str]:
    socket = level.socket
    low, high = bounds
    color = _RED if level.ratio >= high else _YELLOW if level.ratio >= low else _GREEN
    if unit == "B":
        level_text = f"{size(level.used)} of {size(level.limit)}"
    else:
        level_text = f"{level.used} waiting (limit {level.limit}, room for {level.limit + 1})"
    drops = f", {count(level.drops)} dropped since it was created" if level.drops else ""
    peer = f" from {endpoint(socket.peer)}" if socket.netid == "tcp" and unit == "B" else ""
    return style.paint(share(level.ratio), color), f"{socket.netid} {endpoint(socket.local)}{peer}: {level_text}{drops}"


def _losses(view: Overview, verdict: Verdict, style: Style, whereabouts: Whereabouts) -> Iterator[str]:
    rows = added_up(view.losses, of_all_cpus)
    now = [loss for loss in rows if loss.own]
    title = style.paint("LOST", _BOLD)
    if view.interval_s is None:
        yield f"{title}  unknown: detecting losses takes two samples\n"
    elif not now:
        yield f"{title}  {style.paint('nothing', _GREEN)} in {span(view.interval_s, verdict.longest_s)}\n"
    else:
        yield f"{title} in {span(view.interval_s, verdict.longest_s)}\n"
        lines = [
            (
                f"  {count(loss.own)}",
                rate(loss.own_per_s),
                f"{loss.meaning} ({printable(loss.name)}{_scope(loss)})",
            )
            for loss in now[:_LISTED]
        ]
        yield from aligned((), list(zip(*lines, strict=True)), (True, True, False), style.width, prose=True)
        if len(now) > _LISTED:
            yield f"  and {counted(len(now) - _LISTED, 'more counter')}: {whereabouts.command('sockdiag path')}\n"
    past = sorted((loss for loss in rows if not loss.own), key=lambda loss: loss.scope == HOST)
    if past:
        names = [
            f"{printable(loss.name)} {count(loss.own_total)}{_WHOLE if loss.scope == HOST else ''}"
            for loss in past[:_EARLIER]
        ]
        more = f" and {len(past) - _EARLIER} more" if len(past) > _EARLIER else ""
        yield f"  earlier: {', '.join(names)}{more}\n"


def _scope(loss: Loss) -> str:
    return ", whole host" if loss.scope == HOST else ""
