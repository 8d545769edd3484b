"""`sockdiag path`: where packets are lost on their way through the kernel."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import Command, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sockdiag.analysis.path import PathSample, PathStage
    from sockdiag.analysis.socket_queues import SocketQueues
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.model.counters import Counters
    from sockdiag.model.qdisc import Qdisc
    from sockdiag.model.route import LinkLayer, LinkTrouble
    from sockdiag.survey.reader import SystemReader
    from sockdiag.survey.workers import Pause

INTERVAL = seconds("interval", "Take two samples, S seconds apart. 0: a single sample, totals only.", default=1.0)
_COLUMNS = ("direction", "stage", "scope", "packets", "loss", "loss_per_s", "loss_is_minimum", "loss_total")


def run(env: Env, args: Args) -> int:
    """Show the stages."""
    from sockdiag.analysis.path import PathStage
    from sockdiag.analysis.socket_queues import TABLES
    from sockdiag.cli.invocation import Invocation
    from sockdiag.errors import UsageError
    from sockdiag.render.document import Document
    from sockdiag.survey.per_namespace import in_each

    seconds = args[INTERVAL]
    if not 0 <= seconds <= 3600:
        raise UsageError("--interval takes 0 to 3600 seconds")
    this = Invocation(env, args)
    survey = this.survey
    tables = survey.options.netids
    for netid in tables:
        if netid not in TABLES:
            raise UsageError(f"--netid {netid}: 'path' follows packets, and those sockets receive none")
    everywhere = survey.everywhere
    # Importing what reads it takes longer than all the rest.
    linked = this.renderer.document
    if everywhere:
        _prepare(linked=linked)
    parts = list(in_each(survey, lambda there: _steps(there, seconds, tables, linked=linked)))
    stages = [stage for part in parts for stage in part[0]]
    interval = next((seconds for _stages, seconds, _answered, _layer, _trouble in parts), None)
    troubles = {trouble.netns: trouble for *_rest, trouble in parts if trouble is not None}
    columns, chosen = this.columns(PathStage, (*(("netns",) if everywhere else ()), *_COLUMNS))
    table = this.table(columns, list(this.ordered(stages, PathStage)), chosen=chosen)
    lines = None
    if not chosen and not args[options.SORT] and args[options.LIMIT] is None:
        from sockdiag.render.path_text import everywhere_lines, path_lines

        lines = lambda style: (everywhere_lines if everywhere else path_lines)(stages, interval, style, troubles)  # noqa: E731
    keys: dict[str, object] = {"interval_s": interval}
    if linked:
        keys["link_layer"] = [layer for _stages, _seconds, _answered, layer, _trouble in parts]
    answered = any(answered for _stages, _seconds, answered, _layer, _trouble in parts)
    document = Document(COMMAND.name, survey.provenance, table=table, table_key="stages", keys=keys, lines=lines)
    return this.show(document, answered=answered)


def _prepare(*, linked: bool) -> None:
    """Import once what every worker needs."""
    import sockdiag.analysis.socket_queues
    import sockdiag.sources.netlink.nfnetlink_nft
    import sockdiag.sources.netlink.rtnetlink_neighbours
    import sockdiag.sources.netlink.rtnetlink_qdisc
    import sockdiag.sources.proc.mib
    import sockdiag.sources.proc.net_stat_nf_conntrack
    import sockdiag.sources.proc.sys_net  # noqa: F401

    if linked:
        from sockdiag.sources.netlink.routes import prepare

        prepare()


def _steps(
    survey: SystemReader, seconds: float, tables: Collection[str], *, linked: bool
) -> Iterator[Pause | tuple[list[PathStage], float | None, bool, LinkLayer | None, LinkTrouble | None]]:
    """Take one sample or two; yield the stages, the seconds between, whether counters could be read, and the links.

    With *linked* the links are all devices, for documents, otherwise those in trouble.
    """
    from sockdiag.analysis.path import path
    from sockdiag.model.record import HOST
    from sockdiag.survey.workers import Pause

    before = None
    moments = survey.system.before(seconds) if seconds else ()
    if seconds and moments:
        before = _look(survey.at(moments[0]))
    elif seconds and survey.system.files.live:
        before = _look(survey)
        yield Pause(before.at + seconds)
    after = _look(survey)
    stages = path(before, after, survey.netns.label, tables)
    if not survey.own:
        stages = [stage for stage in stages if stage.scope != HOST]
    layer = trouble = None
    if not linked:
        trouble = _link_trouble(survey)
    else:
        from sockdiag.survey.egress import read_link_layer

        layer, gaps = read_link_layer(survey.system, survey.netns.label)
        for gap in gaps:
            survey.note(gap)
    yield stages, None if before is None else round(after.at - before.at, 3), bool(after.counters), layer, trouble


def _link_trouble(survey: SystemReader) -> LinkTrouble | None:
    from sockdiag.model.route import LinkTrouble
    from sockdiag.sources.netlink.rtnetlink_neighbours import read_link_states, read_unanswering
    from sockdiag.sources.system.interfaces import interface_names
    from sockdiag.survey.sample import if_captured

    system = survey.system
    names = interface_names(system.files)
    links = survey.attempt(lambda: if_captured(lambda: read_link_states(system.netlink)))
    neighbours = survey.attempt(lambda: if_captured(lambda: read_unanswering(names, system.netlink)))
    if not system.files.live and links is None and neighbours is None:
        return None
    return LinkTrouble(
        survey.netns.label,
        tuple(link.name for link in links or () if not link.up),
        tuple(link.name for link in links or () if link.up and not link.carrier),
        tuple(neighbours or ()),
    )


def _look(survey: SystemReader) -> PathSample:
    from sockdiag.analysis.path import PathSample
    from sockdiag.sources.proc.mib import read_counters
    from sockdiag.sources.proc.net_softnet_stat import read_softnet_stat

    files = survey.system.files
    # Losses go on while sockets and queueing disciplines are read: counters from before and from after bound them.
    first, _gaps = read_counters(files)
    sockets, unread = _sockets(survey)
    levels: dict[str, int | None] = {"net.core.netdev_max_backlog": _max_backlog(survey)}
    tables = (_qdiscs(survey, levels, unread), _conntrack(survey, levels), _drop_rules(survey))
    at = survey.system.monotonic()
    counters, gaps = read_counters(files)
    for gap in gaps:
        survey.note(gap)
    for cpu in survey.attempt(lambda: read_softnet_stat(files)) or ():
        levels[f"softnet_stat.{cpu.cpu}.backlog"] = cpu.backlog
    known = {name: value for name, value in levels.items() if value is not None}
    counters = counters.joined(*tables).at(survey.netns.inode, None)
    return PathSample(at, counters, sockets, known, frozenset(unread), first)


def _sockets(survey: SystemReader) -> tuple[SocketQueues, set[str]]:
    from sockdiag.analysis.socket_queues import QUEUE_TABLES, SocketQueues
    from sockdiag.model.query import SKMEM

    queues = SocketQueues()
    known = len(survey.gaps)
    # Where connections are many, only their queues are read.
    for tables, needs in ((("tcp",), ()), (QUEUE_TABLES[1:], (SKMEM,))):
        for batch in survey.batches(survey.query(needs)._replace(tables=tables)):
            queues.add(batch)
    absent = {table for table in QUEUE_TABLES if survey.sources.get(table) is None}
    queues.start(table for table in QUEUE_TABLES if table not in absent)
    # A table that this kernel does not have leaves no gap.
    return queues, {f"sockets.{table}" for table in absent} if len(survey.gaps) > known else set()


def _max_backlog(survey: SystemReader) -> int | None:
    from sockdiag.sources.proc.sys_net import read_sysctls

    # Namespaces other than the first do not show it; the losses of the stage are known without it.
    name = "net.core.netdev_max_backlog"
    return read_sysctls(survey.system.files, (name,)).number(name)


def _conntrack(survey: SystemReader, levels: dict[str, int | None]) -> Counters:
    from sockdiag.model.counters import Counters, counters_of
    from sockdiag.sources.proc.net_stat_nf_conntrack import read_nf_conntrack_stat

    # If it is absent, it is not loaded.
    table = survey.attempt(lambda: read_nf_conntrack_stat(survey.system.files), optional=True)
    if table is None:
        return Counters({})
    levels.update({"nf_conntrack.count": table.count, "nf_conntrack.max": table.max})
    return counters_of("nf_conntrack", table.cpus)


def _drop_rules(survey: SystemReader) -> Counters:
    from sockdiag.model.counters import Counters
    from sockdiag.survey.sample import firewall_drops

    found: dict[str, int] = {}
    for rule in firewall_drops(survey) or ():
        which = "policy" if rule.handle is None else f"handle {rule.handle}"
        found[f"nft.{rule.family} {rule.table} {rule.chain} {which}.packets"] = rule.packets
    return Counters(found)


def _qdiscs(survey: SystemReader, levels: dict[str, int | None], unread: set[str]) -> Counters:
    from sockdiag.errors import NotCaptured, SourceUnavailable
    from sockdiag.model.counters import Counters
    from sockdiag.sources.netlink.rtnetlink_qdisc import SOURCE, read_qdiscs
    from sockdiag.sources.system.interfaces import interface_names

    def read() -> list[Qdisc]:
        try:
            return read_qdiscs(interface_names(survey.system.files), survey.system.netlink)
        except NotCaptured:
            raise SourceUnavailable(SOURCE, "a capture does not hold them") from None

    found = survey.attempt(read)
    if found is None:
        unread.update(("qdisc", "qdisc_ingress"))
    values: dict[str, int | None] = {}
    for qdisc in found or ():
        if qdisc.is_root or qdisc.is_ingress:
            row = f"{'qdisc' if qdisc.is_root else 'qdisc_ingress'}.{qdisc.device}:{qdisc.kind}"
            values.update({f"{row}.packets": qdisc.packets, f"{row}.drops": qdisc.drops})
            if qdisc.is_root:
                levels[f"{row}.backlog_bytes"] = qdisc.backlog_bytes
    return Counters({name: value for name, value in values.items() if value is not None})


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.analysis.path import PathStage
    from sockdiag.model.route import LinkLayer

    return {"interval_s": "float | None", "stages": [PathStage], "link_layer": [LinkLayer]}


COMMAND = Command(
    run,
    name="path",
    help=(
        "One line per stage: packets that came in, and packets lost, between two samples. A loss that the kernel counts more "
        "than once is shown once, at the stage where it happened. A loss that no counter shows is marked as unknown.\n\n"
        "With --interval 0 there is a single sample, whose totals are history. --json has each stage's "
        "counters with their scopes, the state of the devices, and the neighbours that do not answer.\n\n"
        "--netid follows only packets for sockets of these tables, with the stages that all packets pass.\n\n"
        "With --netns all, the stages of the host are shown once, and those of other namespaces where they lost something."
    ),
    options=(
        INTERVAL,
        options.NETID,
        *(option for option in options.COMMON if option is not options.NUMERIC),
    ),
    examples=(
        ("path", "which stage loses packets now"),
        ("path --netid udp", "the same for UDP"),
        ("path --interval 10", "a longer interval, for rare losses"),
        ("path --interval 0", "what was lost since boot"),
        ("path --netns all", "in which container packets are lost"),
    ),
    all_namespaces=True,
    many_hosts=True,
    document=document,
)
