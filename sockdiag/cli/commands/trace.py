"""`sockdiag trace`: drops, resets, retransmissions, changes of state and errors as they happen."""

from __future__ import annotations

import signal
import time

from sockdiag.cli import exit as status
from sockdiag.cli import options
from sockdiag.cli.spec import Command, argument, flag, required, seconds, text, whole
from sockdiag.kernel.tracepoints import ALL_KINDS, KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sockdiag.cli.env import Env
    from sockdiag.cli.invocation import Invocation
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.model.fields import FieldEntry
    from sockdiag.model.provenance import Gap
    from sockdiag.model.trace_event import TraceEvent
    from sockdiag.survey.trace import Tracer
    from sockdiag.survey.trace_ends import EndTracer

_WORDS = (*KINDS, ALL_KINDS)
EVENTS = required(
    "events", f"What to trace, one or several: {', '.join(_WORDS)}.", metavar="EVENT", completion=lambda: _WORDS
)
MORE = tuple(
    argument(f"events{n}", "Another kind of event.", metavar="EVENT", completion=lambda: _WORDS)
    for n in range(2, len(KINDS) + 1)
)
PROCESS = text(
    "process", "Show only events of these processes: a PID, or a pattern for names such as nginx*.", metavar="NAME|PID"
)
FOR = seconds("for_", "Stop after S seconds.")
COUNT = whole("count", "Stop after N events.", metavar="N")
SUMMARY = seconds(
    "summary", "Show no events, but totals: at the end, and every S seconds if S is given (more than 0).", alone="0"
)
NOISE = flag("noise", "Also show drops for which the kernel gives no reason, or that belong to no socket.")

_LONGEST_S = 1e9
# Names of each kind in the totals of a screen.
_SHOWN = 10
# What ends a trace: Ctrl-C, and kill(1), timeout(1) or systemd.
_ENDINGS = (signal.SIGINT, signal.SIGTERM)


def run(env: Env, args: Args) -> int:
    """Trace until the time is over, enough events were seen, or the user interrupts."""
    from sockdiag.cli.invocation import Invocation
    from sockdiag.cli.running import lasts
    from sockdiag.errors import SourceDenied, SourceUnavailable, UsageError
    from sockdiag.model.trace_event import TraceEvent
    from sockdiag.survey.trace import Tracer, kinds_of

    kinds = kinds_of([args[EVENTS], *(args[declared] or "" for declared in MORE)])
    for option, least in ((FOR, 1e-9), (SUMMARY, 0.0)):
        value = args[option]
        if value is not None and not least <= value < _LONGEST_S:
            raise UsageError(f"{option.flags[0]} takes {'0 or more' if option is SUMMARY else 'more than 0'} seconds")
    most = args[COUNT]
    if most is not None and most < 1:
        raise UsageError("--count takes 1 event or more")
    this = Invocation(env, args)
    columns, chosen = this.columns(TraceEvent)
    try:
        tracer: Tracer | EndTracer = Tracer(this.survey, kinds, this.survey.where, noise=args[NOISE])
    except (SourceDenied, SourceUnavailable) as error:
        if "states" not in kinds:
            raise
        from sockdiag.model.provenance import Gap
        from sockdiag.survey.trace_ends import EndTracer

        tracer = EndTracer(this.survey, this.survey.where)
        gap = Gap.from_error(error)
        this.survey.note(
            gap._replace(reason=f"{gap.reason}; of all events, only the ends of TCP connections are shown")
        )
    lasts()
    with tracer:
        return _TraceOutput(this, tracer, columns, chosen=chosen).run()


class _TraceOutput:
    """Shows what a tracer finds."""

    def __init__(
        self, this: Invocation, tracer: Tracer | EndTracer, columns: Sequence[FieldEntry], *, chosen: bool
    ) -> None:
        from sockdiag.analysis.trace_totals import TraceTotals
        from sockdiag.render.cells import endpoint
        from sockdiag.render.document import Style
        from sockdiag.render.escape import printable
        from sockdiag.render.repeated import RepeatedRows
        from sockdiag.render.trace_text import clock, event_line
        from sockdiag.sources.process.fd import SOURCE
        from sockdiag.survey.trace import matcher

        self.this = this
        self.args = this.args
        self.tracer = tracer
        self.screen = this.renderer is options.SCREEN
        self.columns, self.chosen = columns, chosen
        self.style = Style(None, this.env.color(self.args[options.COLOR]))
        self.totals = TraceTotals(endpoint, printable)
        self.rows = RepeatedRows(lambda event: "".join(self._written([event])))
        self.lines = RepeatedRows(lambda event: event_line(event, self.style), clock)
        process = self.args[PROCESS]
        self.matches = matcher(process) if process else None
        self.most = self.args[COUNT]
        self.every = self.args[SUMMARY]
        self.summary = self.every is not None
        self.longest = self.args[FOR]
        self.events = 0
        # A socket of a process was seen whose descriptors could not be read: only then that matters.
        self.ownerless = False
        self.descriptors = SOURCE
        self.header = not self.args[options.NO_HEADER]
        self.began = self.since = time.monotonic()

    def run(self) -> int:
        """Show events until the end, then totals and what is missing."""
        for gap in self.this.survey.gaps:
            if gap.source != self.descriptors:
                self._warn_of(gap)
        if self.header and self.screen and not self.chosen and not self.summary:
            from sockdiag.render.trace_text import heading

            self.this.env.write(heading(self.style))
        for number in _ENDINGS:
            signal.signal(number, self._interrupted)
        for batch in self.tracer.batches(self._left):
            self._take(batch)
            if self._enough():
                break
        self._total()
        gaps = [gap for gap in self.this.survey.gaps if gap.source != self.descriptors or self.ownerless]
        for gap in gaps:
            if gap.source == self.descriptors:
                self._warn_of(gap)
        lost = self.tracer.lost()
        if lost:
            self.this.env.warn(f"{lost} events were lost, because they came faster than they were read")
        if self.tracer.undecided:
            self.this.env.warn(
                f"{self.tracer.undecided} events left out: a value that the filter needs is not known of them"
            )
        incomplete = lost or self.tracer.undecided or gaps
        return status.PARTIAL if self.args[options.STRICT] and incomplete else status.OK

    def _warn_of(self, gap: Gap) -> None:
        hint = f" ({gap.hint})" if gap.hint else ""
        about = "" if gap.source.startswith("tracefs/") else f"could not read {gap.source}: "
        self.this.env.warn(f"{about}{gap.reason}{hint}")

    def _interrupted(self, _number: int, _frame: object) -> None:
        """Show what has happened so far and end: the usual end of a trace without --for. The second time, end at once."""
        self.longest = 0.0
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _left(self) -> float | None:
        now = time.monotonic()
        if self.every and now - self.since >= self.every:
            self._total()
        return None if self.longest is None else self.began + self.longest - now

    def _enough(self) -> bool:
        return self.most is not None and self.events >= self.most

    def _take(self, batch: Sequence[TraceEvent]) -> None:
        events = [event for event in batch if self.matches(event)] if self.matches else batch
        if self.most is not None:
            events = events[: self.most - self.events]
        self.events += len(events)
        for event in events:
            self.totals.add(event)
            if event.inode and event.pid is None:
                self.ownerless = True
        if events and not self.summary:
            self._show(events)

    def _show(self, events: Sequence[TraceEvent]) -> None:
        if self.screen and not self.chosen:
            self.this.env.write(self.lines.text(events))
            return
        if self.screen or self.header:
            # A table for people is aligned; in other formats this is the header.
            for text in self._written([] if not self.screen else events):
                self.this.env.write(text)
            self.header = False
        if not self.screen:
            self.this.env.write(self.rows.text(events))

    def _written(self, events: Sequence[TraceEvent]) -> Iterator[str]:
        from sockdiag.cli.output import written
        from sockdiag.render.document import Document, Table

        table = Table(self.columns, events, chosen=self.chosen, header=self.header)
        document = Document(COMMAND.name, self.this.survey.provenance, table=table, table_key="events")
        return written(document, self.args, self.style)

    def _total(self) -> None:
        """Show the totals since they were last shown: on a screen, or with --summary in any format."""
        from sockdiag.render.document import Document, Table

        now = time.monotonic()
        if self.screen:
            from sockdiag.render.trace_text import total_lines

            lines = total_lines(self.totals.rows(_SHOWN), self.totals.events, now - self.since, self.style)
            self.this.env.write("".join(lines))
        elif self.summary:
            from sockdiag.model.fields import entries
            from sockdiag.model.trace_event import TraceTotal

            table = Table(list(entries(TraceTotal)), list(self.totals.rows()), header=self.header)
            self.header = False
            document = Document(COMMAND.name, self.this.survey.provenance, table=table, table_key="totals")
            self.this.show(document, answered=True, warn=False, pages=False)
        if self.every:
            self.totals.clear()
            self.since = now


def document() -> Keys:
    """Name the records of the rows."""
    from sockdiag.model.trace_event import TraceEvent, TraceTotal

    return {"events*": [TraceEvent], "totals?": [TraceTotal]}


COMMAND = Command(
    run,
    name="trace",
    help=(
        "Reads the kernel's tracepoints through tracefs, in a private instance that ends with the command, however that ends. Needs root. "
        "Several kinds of event may be named.\n\n"
        "drops: received packets that a socket, or the kernel on the way to it, dropped, with the kernel's reason. resets: resets of TCP, sent "
        "and received. retransmits: of data and of SYN-ACKs. states: changes of state of TCP sockets, and how long a connection "
        "lasted. errors: errors that sockets report to their processes.\n\n"
        "A process is found in one of three ways, which 'attribution' states. exact: the event happened in its system call, "
        "or opened or closed the socket. address: it holds the socket with these addresses. unknown: no socket with these addresses was seen. "
        "Events of other network namespaces are not shown; if the namespace of an event cannot be found out, the line says so.\n\n"
        "Where tracefs cannot be used, as on a kernel that is locked down or without root, states and all show the ends of TCP connections, which "
        "sock_diag announces.\n\n"
        "Events end with totals by reason, socket, process and peer. Events that the kernel could not keep are counted."
    ),
    arguments=(EVENTS, *MORE),
    options=(
        options.WHERE,
        PROCESS,
        FOR,
        COUNT,
        SUMMARY,
        NOISE,
        options.NDJSON,
        options.CSV,
        options.COLUMNS,
        options.NO_HEADER,
        options.NETNS,
        options.STRICT,
        options.NUMERIC,
        options.COLOR,
    ),
    examples=(
        ("trace drops --for 10s", "what is dropped in ten seconds, why, and whose it is"),
        ("trace resets retransmits --where 'dport = :5432'", "trouble with a database"),
        ("trace states --process curl --ndjson", "each connection of a program, as JSON"),
        ("trace all --summary 5", "totals every five seconds"),
        ("trace drops --for 1m --summary", "only the totals of a minute"),
    ),
    document=document,
)
