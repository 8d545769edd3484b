"""Differences between two systems, for people: one line each, with + for what is new, - for what has gone and ~ for what changed."""

from __future__ import annotations

from itertools import islice

from sockdiag.model.difference import (
    APPEARED,
    BACKLOG,
    CLOSED,
    COUNTER_KIND,
    FINDING_KIND,
    LIMIT_KIND,
    OPENED,
    OWNER,
    RESTARTED,
    SOCKET_KIND,
    STATE,
    VANISHED,
    Difference,
)
from sockdiag.model.quantity import counted, duration
from sockdiag.render.cells import cell, endpoint, process_cell, state_word
from sockdiag.render.document import DIM
from sockdiag.render.escape import printable
from sockdiag.render.wrap import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sockdiag.model.difference import (
        ComparedSide,
        CounterDifference,
        FindingDifference,
        LimitDifference,
        SocketDifference,
        SocketSide,
    )
    from sockdiag.render.document import Style

_SIGN = {OPENED: "+", CLOSED: "-", APPEARED: "+", VANISHED: "-"}
_COLOR = {"+": "32", "-": "31", "~": "33"}
# Classes of counters that are shown first.
_FIRST = ("loss", "refusal", "noise", "sign")


def side_lines(before: ComparedSide, after: ComparedSide, relation: str, style: Style) -> Iterator[str]:
    """Yield who is compared with whom."""
    for letter, side in (("A", before), ("B", after)):
        facts = [printable(side.name), *(printable(text) for text in (side.hostname, side.kernel) if text)]
        if side.at is not None:
            from datetime import UTC, datetime

            facts.append(f"{datetime.fromtimestamp(side.at, UTC):%Y-%m-%d %H:%M:%S} UTC")
        yield from _line(f"{letter}  {', '.join(facts)}", style)
    yield from _line(relation, style)


def relation_text(seconds: float | None, apart: str, *, netns_differ: bool) -> str:
    """Return how the two moments relate, and what follows for counters."""
    if apart:
        return f"B is {apart}" if apart.startswith("of ") else apart[0].upper() + apart[1:]
    if netns_differ:
        return "The same boot, another network namespace"
    if seconds is None:
        return "The same boot"
    return f"The same boot, B is {duration(abs(seconds))} {'later' if seconds >= 0 else 'earlier'} than A"


def section_lines(
    title: str, lines: Iterable[tuple[str, str]], count: int, shown: int | None, style: Style
) -> Iterator[str]:
    """Yield the lines of a section; none if it is empty.

    Args:
        title: its heading.
        lines: sign and text of each difference.
        count: number of differences.
        shown: how many of them are shown; None for all.
        style: width and colours.
    """
    if not count:
        return
    yield f"\n{title}\n"
    for sign, text in islice(lines, shown):
        mark = style.paint(sign, _COLOR[sign])
        if style.width is None:
            yield f"{mark} {text}\n"
        else:
            first, *rest = wrapped(text, max(style.width - 2, 1), "", "    ")
            yield f"{mark} {first}\n"
            yield from (f"  {line}\n" for line in rest)
    if shown is not None and count > shown:
        yield style.paint(f"  {count - shown} more (--limit N)", DIM) + "\n"


def socket_line(one: SocketDifference) -> tuple[str, str]:
    """Return sign and text of a socket that differs."""
    ends = f"{printable(one.netid)} {endpoint(one.local)}"
    if one.peer.port or isinstance(one.peer.address, bytes):
        ends += f" {endpoint(one.peer)}"
    now = one.after or one.before
    assert now is not None
    if one.before is None or one.after is None:
        return _SIGN[one.change], f"{ends}  {state_word(now.state)}{_held_by(now)}"
    changes = [f"{name} {_value(name, one.before)} -> {_value(name, one.after)}" for name in one.fields]
    if one.change == RESTARTED:
        restarted = "restarted"
        if OWNER not in one.fields and now.processes:
            restarted += f" by {_holders(now)}"
        changes.insert(0, restarted)
    held = "" if OWNER in one.fields else _held_by(now) if one.change != RESTARTED else ""
    return "~", f"{ends}{held}  {', '.join(changes)}"


def counter_line(one: CounterDifference) -> tuple[str, str]:
    """Return sign and text of a counter that differs."""
    name = printable(one.name)
    if one.delta is None:
        return "~", f"{name}  {cell(one.before)} -> {cell(one.after)} ({one.reason})"
    rate = "" if one.per_s is None else f" ({one.per_s:.3g}/s)"
    return "~", f"{name}  {one.delta:+d}{rate}"


def limit_line(one: LimitDifference) -> tuple[str, str]:
    """Return sign and text of a sysctl that differs."""
    return "~", f"{one.name}  {_numbers(one.before)} -> {_numbers(one.after)}"


def finding_line(one: FindingDifference) -> tuple[str, str]:
    """Return sign and text of a finding that appeared, vanished or changed."""
    finding = one.finding
    severity = finding.severity if one.before is None or one.after is None else f"{one.before} -> {one.after}"
    return _SIGN.get(one.change, "~"), f"{severity} {finding.code}  {printable(finding.summary)}"


def important_first(counters: Sequence[CounterDifference]) -> list[CounterDifference]:
    """Return counters with those of losses first."""
    rank = {kind: place for place, kind in enumerate(_FIRST)}
    return sorted(counters, key=lambda one: rank.get(one.kind, len(rank)))


def totals(counts: dict[str, int]) -> str:
    """Return in words how many sockets differ."""
    said = ", ".join(f"{number} {change}" for change, number in counts.items() if number)
    return f"Sockets: {said}" if said else "Sockets: no difference"


# Rows of tables


def socket_row(one: SocketDifference) -> Difference:
    """Return a socket that differs as a row."""
    now = one.after or one.before
    assert now is not None
    first = (now.processes or (None,))[0]
    return Difference(
        SOCKET_KIND,
        one.change,
        one.netid,
        one.fields,
        one.local,
        one.peer,
        None if one.before is None else _said(one, one.before),
        None if one.after is None else _said(one, one.after),
        process=None if first is None else first.comm,
        pid=None if first is None else first.pid,
    )


def counter_row(one: CounterDifference) -> Difference:
    """Return a counter that differs as a row."""
    return Difference(
        COUNTER_KIND,
        "changed",
        one.name,
        before=None if one.before is None else str(one.before),
        after=None if one.after is None else str(one.after),
        delta=one.delta,
        per_s=one.per_s,
        summary=one.reason,
    )


def limit_row(one: LimitDifference) -> Difference:
    """Return a sysctl that differs as a row."""
    return Difference(LIMIT_KIND, "changed", one.name, before=_numbers(one.before), after=_numbers(one.after))


def finding_row(one: FindingDifference) -> Difference:
    """Return a finding that differs as a row."""
    subject = one.finding.subject
    return Difference(
        FINDING_KIND,
        one.change,
        one.finding.code,
        (),
        subject.local,
        subject.peer,
        one.before,
        one.after,
        process=subject.comm,
        pid=subject.pid,
        summary=one.finding.summary,
    )


def _said(one: SocketDifference, side: SocketSide) -> str:
    names = one.fields or (STATE,)
    return ", ".join(_value(name, side) for name in names)


def _value(name: str, side: SocketSide) -> str:
    values: dict[str, Callable[[], str]] = {
        STATE: lambda: state_word(side.state),
        OWNER: lambda: _holders(side),
        BACKLOG: lambda: cell(side.backlog),
    }
    return values.get(name, lambda: cell(side.uid))()


def _holders(side: SocketSide) -> str:
    if not side.processes:
        return "unknown" if side.processes is None else "nobody"
    shown = [process_cell(holder.comm, holder.pid) for holder in side.processes[:_NAMED]]
    more = len(side.processes) - len(shown)
    return ",".join(shown) + (f" and {counted(more, 'other')}" if more else "")


_NAMED = 3


def _held_by(side: SocketSide) -> str:
    return f"  {_holders(side)}" if side.processes else ""


def _numbers(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else cell(value)


def _line(text: str, style: Style) -> Iterator[str]:
    lines = [text] if style.width is None else wrapped(text, style.width, "", "   ")
    yield from (line + "\n" for line in lines)
