"""The path of a packet, one stage per line."""

from __future__ import annotations

from sockdiag.analysis.path import waiting
from sockdiag.analysis.path_table import IN, SIGN
from sockdiag.kernel.rtnetlink import NUD_FAILED
from sockdiag.model.counters import of_all_cpus
from sockdiag.model.quantity import duration, size
from sockdiag.model.quantity import rate as pace
from sockdiag.render.cells import cell
from sockdiag.render.escape import printable, width
from sockdiag.render.table import aligned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sockdiag.analysis.path import PathCounter, PathStage
    from sockdiag.model.route import LinkTrouble
    from sockdiag.render.document import Style

_BOLD, _RED, _YELLOW, _GREEN = "1", "31", "33", "32"
_ARROW, _LOSING = "↓", "✗"
# Stages that need more words than their name.
_NAMES = {
    "nic_rx": "NIC",
    "qdisc_ingress": "ingress qdisc",
    "ipv4_in": "IPv4",
    "ipv6_in": "IPv6",
    "tcp_in": "TCP",
    "udp_in": "UDP",
    "tcp_backlog": "TCP backlog",
    "tcp_receive_queue": "TCP receive queue",
    "udp_receive_queue": "UDP receive queue",
    "other_receive_queues": "other queues",
    "read": "read(2)",
    "write": "write(2)",
    "tcp_out": "TCP",
    "ipv4_out": "IPv4",
    "ipv6_out": "IPv6",
    "nic_tx": "NIC",
}


def path_lines(
    stages: Sequence[PathStage],
    interval: float | None,
    style: Style,
    troubles: Mapping[str | None, LinkTrouble] | None = None,
    *,
    again: bool = False,
) -> Iterator[str]:
    """Yield the lines of the screen.

    Args:
        stages: the stages, in the order of the path.
        interval: seconds between the two samples; None for a single sample.
        style: colour and width.
        troubles: devices that carry nothing and neighbours that do not answer, by network namespace.
        again: it is not the first of several screens: leave out the introduction.
    """
    if interval is None and not again:
        yield "Single sample: the numbers are history, since boot or since the namespace, device or socket was created.\n"
        yield "Current rates and losses are unknown.\n\n"
    columns = _columns(stages, interval)
    lost = "LOST-EVER" if interval is None else "LOST-NOW"
    drawn = aligned(("", "STAGE", "PACKETS", lost, "WHERE"), columns, (False, False, True, True, False))
    heading, *lines = [_cut(line.rstrip("\n"), style.width) for line in drawn]
    yield style.paint(heading, _BOLD) + "\n"
    way = ""
    for stage, line in zip(stages, lines, strict=True):
        if stage.direction != way:
            way = stage.direction
            yield "in, from the device to read(2)\n" if way == IN else "out, from write(2) to the device\n"
        color = _RED if _lost(stage, interval) else _YELLOW if _signs(stage, interval) else ""
        yield (style.paint(line, color) if color else line) + "\n"
    yield from _explained(stages, interval, style)
    for netns in dict.fromkeys(stage.netns for stage in stages if stage.netns is not None):
        yield from _link_lines((troubles or {}).get(netns), style)
    unknown = [] if again else [(stage, text) for stage in stages for text in stage.unseen]
    if unknown:
        yield "\n"
        yield style.paint("UNKNOWN", _BOLD) + "\n"
        for stage, text in unknown:
            yield f"  {_NAMES.get(stage.stage, stage.stage)}: {text}\n"


def _link_lines(trouble: LinkTrouble | None, style: Style) -> Iterator[str]:
    if trouble is None or not (trouble.down or trouble.without_carrier or trouble.unanswering):
        return
    yield "\n"
    yield style.paint("LINKS", _BOLD) + "\n"
    for name in trouble.without_carrier:
        yield f"  {style.paint(printable(name), _RED)}: no carrier: nothing is sent or received\n"
    for one in trouble.unanswering:
        used = "" if one.used_ms is None else f", last used {duration(one.used_ms / 1000)} ago"
        what = "does not answer" if one.state & NUD_FAILED else "has not answered yet"
        yield f"  {style.paint(printable(one.address), _YELLOW)} on {printable(one.device or '-')}: {what}{used}\n"
    if trouble.down:
        yield f"  off: {', '.join(map(printable, trouble.down))}\n"


def everywhere_lines(
    stages: Sequence[PathStage],
    interval: float | None,
    style: Style,
    troubles: Mapping[str | None, LinkTrouble] | None = None,
) -> Iterator[str]:
    """Yield the path through the first network namespace and the host, then those of namespaces that lost something.

    Args:
        stages: the stages of all namespaces, one namespace after the other.
        interval: see :func:`path_lines`.
        style: colour and width.
        troubles: see :func:`path_lines`.
    """
    ways: dict[str | None, list[PathStage]] = {}
    first = next((stage.netns for stage in stages if stage.netns is not None), None)
    for stage in stages:
        ways.setdefault(first if stage.netns is None else stage.netns, []).append(stage)
    quiet = 0
    for netns, way in ways.items():
        if netns != first and not any(_share(c, interval) for stage in way for c in stage.counters):
            quiet += 1
            continue
        if netns != first:
            yield "\n"
        yield f"{style.paint('NETNS', _BOLD)} {printable(netns or '-')}\n"
        yield from path_lines(way, interval, style, troubles, again=netns != first)
    if quiet:
        yield f"\nNo counter shows a loss in {quiet} other network namespace{'s' if quiet > 1 else ''}.\n"


def _columns(stages: Sequence[PathStage], interval: float | None) -> list[list[str]]:
    rows = []
    for stage in stages:
        lost = _lost(stage, interval)
        count = ("≥" if lost and stage.loss_is_minimum else "") + cell(stage.loss if interval else stage.loss_total)
        name = _NAMES.get(stage.stage, stage.stage) + (" (host)" if stage.scope == "host" else "")
        packets = stage.packets if interval else stage.packets_total
        rows.append((_LOSING if lost else _ARROW, name, cell(packets), count, _where(stage, interval)))
    return [list(column) for column in zip(*rows, strict=True)]


def _lost(stage: PathStage, interval: float | None) -> int | None:
    return stage.loss if interval else None


def _share(counter: PathCounter, interval: float | None) -> int:
    return (counter.loss if interval else counter.loss_total) or 0


def _signs(stage: PathStage, interval: float | None) -> list[tuple[PathCounter, int]]:
    return [(c, c.delta) for c in stage.counters if c.role == SIGN and c.delta] if interval else []


def _added_up(counts: Iterable[tuple[PathCounter, int]]) -> list[tuple[str, tuple[int, str]]]:
    """Return name, count and meaning of the counters that are not 0, the largest first; those of all CPUs become one."""
    sums: dict[str, tuple[int, str]] = {}
    for counter, n in counts:
        if n:
            name = of_all_cpus(counter.name)
            sums[name] = (sums.get(name, (0, ""))[0] + n, counter.meaning)
    return sorted(sums.items(), key=lambda item: -item[1][0])


def _where(stage: PathStage, interval: float | None) -> str:
    losing = _added_up((c, _share(c, interval)) for c in stage.counters)
    said = [f"{printable(name)} {n}" for name, (n, _meaning) in losing]
    said += [f"{printable(name)} {n}" for name, (n, _meaning) in _added_up(_signs(stage, interval))]
    said += [_level(counter) for counter in waiting(stage)]
    return "  ".join(said)


def _level(counter: PathCounter) -> str:
    name = printable(counter.name.removeprefix("sockets."))
    if name.endswith("_bytes"):
        return f"{name.removesuffix('_bytes')} {size(counter.value)}"
    return f"{name} {counter.value}"


def _cut(line: str, columns: int | None) -> str:
    return line if columns is None or width(line) <= columns else line[: max(0, columns - 1)] + "…"


def _explained(stages: Sequence[PathStage], interval: float | None, style: Style) -> Iterator[str]:
    losing = _added_up((c, _share(c, interval)) for stage in stages for c in stage.counters)
    if interval:
        yield "\n"
        yield style.paint("LOST", _BOLD) + f" in {interval:.2f} s\n"
        if not losing:
            yield f"  {style.paint('nothing', _GREEN)} that a counter shows\n"
    elif losing:
        yield "\n"
        yield style.paint("HISTORY", _BOLD) + "\n"
    for name, (n, meaning) in losing:
        rate = f" ({pace(n / interval)})" if interval else ""
        yield f"  {style.paint(str(n), _RED) if interval else n}{rate}  {printable(name)}: {meaning}\n"
    for name, (n, meaning) in _added_up(sign for stage in stages for sign in _signs(stage, interval)):
        yield f"  {style.paint(str(n), _YELLOW)}  {printable(name)}: {meaning}\n"
