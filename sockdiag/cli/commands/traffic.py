"""`sockdiag traffic`: rates of connections and groups, without capturing packets."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.columns import sort_column
from sockdiag.cli.grouping import BY, SHOWN, GroupColumns, chosen_keys, unasked
from sockdiag.cli.invocation import Invocation
from sockdiag.cli.spec import Command, seconds
from sockdiag.defaults import INTERVAL_S
from sockdiag.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.model.record import Record
    from sockdiag.render.document import Style, Table
    from sockdiag.survey.traffic import TrafficFound

INTERVAL = seconds(
    "interval",
    f"Take two samples, S seconds apart, and show the difference (default: {INTERVAL_S:g}). 0: a single sample, without rates.",
)
_COLUMNS = (
    "socket.netid",
    "socket.local",
    "socket.peer",
    "socket.processes",
    "in_bytes_per_s",
    "out_bytes_per_s",
    "in_packets_per_s",
    "out_packets_per_s",
    "retransmits_per_s",
    "retransmit_ratio",
    "rtt_us",
    "drops_per_s",
)
_GROUP_COLUMNS = (
    "sockets",
    "in_bytes_per_s",
    "out_bytes_per_s",
    "in_packets_per_s",
    "out_packets_per_s",
    "retransmits_per_s",
    "retransmit_ratio",
    "rtt_us",
    "rtt_max_us",
    "drops_per_s",
    "began",
    "ended",
    "resets",
    "zero_windows",
    "stuck",
    "send_q",
)
# What a narrow terminal leaves out first.
_SPARE = (
    "in_packets_per_s",
    "out_packets_per_s",
    "retransmits_per_s",
    "socket.netid",
    "retransmit_ratio",
    "rtt_us",
    "drops_per_s",
    "socket.processes",
)
_GROUP_SPARE = (
    "in_packets_per_s",
    "out_packets_per_s",
    "rtt_max_us",
    "drops_per_s",
    "began",
    "retransmits_per_s",
    "send_q",
    "ended",
    "zero_windows",
    "stuck",
    "resets",
)

# A group without any of these is idle.
_WORTH_SHOWING = ("in_packets", "out_packets", "drops", "began", "ended", "zero_windows", "stuck")


def run(env: Env, args: Args) -> int:
    """Measure traffic and show it."""
    from sockdiag.survey.diagnose import judging
    from sockdiag.survey.traffic import TABLES, Measuring, measure

    this = Invocation(env, args)
    survey = this.survey
    named = survey.options.netids
    if named and not set(named) & set(TABLES):
        raise UsageError(f"only {', '.join(TABLES)} sockets count what they transfer or drop")
    interval = judging(survey.system, args[INTERVAL]).interval_s or None
    by = chosen_keys(args)
    if by:
        return _groups(this, measure(survey, Measuring(interval, by), survey.where), by)
    return _sockets(this, interval)


def _sockets(this: Invocation, interval: float | None) -> int:
    from sockdiag.analysis.traffic import busiest
    from sockdiag.analysis.traffic_rows import Traffic
    from sockdiag.survey.traffic import Measuring, measure

    args, survey = this.args, this.survey
    columns, chosen = this.columns(Traffic, ("socket.netns", *_COLUMNS) if survey.everywhere else _COLUMNS)
    limit = args[options.LIMIT]
    # A screen shows the sockets that something is to be said about; programs get all of them.
    screen = this.renderer is options.SCREEN and limit is None and not args[options.NO_HEADER] and not chosen
    order = sort_column(Traffic, args, survey)
    measured_field = order is None or ("." not in order.name and order.name != "socket")
    found = measure(
        survey,
        Measuring(
            interval,
            idle=not screen or interval is None,
            order=None if order is None or not measured_field else Traffic._INDEX[order.name],  # type: ignore[attr-defined]
            descending=(args[options.SORT] or "").startswith("-"),
            most=(SHOWN if screen else limit) if measured_field else None,
            owners=any("owners" in column.needs for column in columns) or this.renderer.records,
        ),
        survey.where,
    )
    rows = sorted(found.rows, key=busiest) if order is None else found.rows
    rows = list(this.ordered(rows, Traffic))
    remarks = []
    if screen:
        totals = found.total
        rows = rows[:SHOWN]
        if totals.rows > len(rows):
            remarks.append(f"… and {totals.rows - len(rows)} more (--limit {totals.sockets} shows all, idle ones too)")
    table = this.table(columns, rows, chosen=chosen, remarks=remarks, spare=_SPARE)
    return _show(this, found, table, {})


def _groups(this: Invocation, found: TrafficFound, by: Sequence[str]) -> int:
    from sockdiag.analysis.traffic import busiest
    from sockdiag.analysis.traffic_rows import TrafficGroup
    from sockdiag.model.quantity import counted

    columns = GroupColumns(this, TrafficGroup, by, _GROUP_COLUMNS)
    found.groups.sort(key=lambda group: (*busiest(group), -group.sockets, group.key or "", group.pid or 0))
    groups = columns.ordered(found.groups)
    if columns.cuts and found.seconds is not None:
        groups = [group for group in groups if any(getattr(group, name) for name in _WORTH_SHOWING)]
    rows, remarks = columns.first(groups)
    if columns.cuts and len(groups) < len(found.groups):
        idle = counted(len(found.groups) - len(groups), "idle group")
        remarks.append(f"{idle} not shown (--limit {len(found.groups)} shows all)")
    table = this.table(columns.entries, rows, chosen=columns.chosen, remarks=remarks, spare=_GROUP_SPARE)
    return _show(this, found, table, {"by": ",".join(by)})


def _show(this: Invocation, found: TrafficFound, table: Table, keys: dict[str, Any]) -> int:
    from sockdiag.model.query import OWNERS, PARTS, TCP_INFO
    from sockdiag.render.document import Document

    by, where = chosen_keys(this.args), this.survey.where
    asked = {TCP_INFO} if by and not this.survey.grouping(by, {}).owned else {TCP_INFO, OWNERS}
    if where is not None:
        asked |= where.needs

    def lines(style: Style) -> Iterable[str]:
        from sockdiag.render.traffic_text import traffic_lines

        return traffic_lines((found.seconds, found.longest_s), found.total, table, style)

    if this.renderer.document:
        keys = {"interval_s": found.seconds, "longest_interval_s": found.longest_s, **keys, "ended": found.ended}
    screen = None if table.chosen else lines
    document = Document(
        COMMAND.name,
        this.survey.provenance,
        table=table,
        table_key="rows",
        keys=keys,
        lines=screen,
        unasked=unasked(by) | PARTS - asked,
    )
    return this.show(document)


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.analysis.traffic_rows import EndedConnection, Traffic, TrafficGroup

    return {
        "interval_s": "float | None",
        "longest_interval_s": "float | None",
        "by?": "str",
        "rows*": [Traffic, TrafficGroup],
        "ended": [EndedConnection],
    }


def rows() -> tuple[type[Record], ...]:
    """Name the records of the rows: the second with --by."""
    from sockdiag.analysis.traffic_rows import Traffic, TrafficGroup

    return Traffic, TrafficGroup


COMMAND = Command(
    run,
    name="traffic",
    help=(
        "Reads the counters of each connection twice and shows the difference; no packet is captured. Bytes are TCP payload: in "
        "as received in order, out as sent, each byte once. Packets include acknowledgements and retransmissions. A connection "
        "that began during the interval counts with all that it transferred. Connections that ended are listed separately (ENDED, "
        "and 'ended' in JSON), with what they transferred until then, as the kernel reports it. Both ends of a connection "
        "within the host are rows. UDP and other sockets without connections have no such counters, only drops."
        "\n\n"
        "With --by peer the table also shows how well each peer can be reached: retransmissions, round-trip times, connections "
        "that were reset (RESETS: by either end, refused, or timed out), those whose peer takes no more data (ZERO-WIN), and "
        "those whose send queue did not move (STUCK)."
        "\n\n"
        "The screen shows the twenty busiest sockets or groups; --limit, -o, -H, JSON and CSV show idle ones too."
    ),
    options=(BY, INTERVAL, options.WHERE, options.NETID, *options.COMMON),
    examples=(
        ("traffic", "the busiest connections within a second"),
        ("traffic --by process --interval 5", "which processes use the network"),
        ("traffic --by peer --sort -retransmit_ratio", "which peers lose packets"),
        ("traffic --by unit,remote --json", "which service talks to which server, for programs"),
    ),
    all_namespaces=True,
    many_hosts=True,
    document=document,
    rows=rows,
)
