"""`sockdiag diff`: what has changed between two captures, or since one was taken."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import Command, choice, flag, required, texts
from sockdiag.typed import Typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    from sockdiag.cli.env import Env
    from sockdiag.cli.ignored import Ignored
    from sockdiag.cli.invocation import Invocation
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.model.difference import (
        CounterDifference,
        Difference,
        FindingDifference,
        LimitDifference,
        SocketDifference,
    )
    from sockdiag.model.record import Record
    from sockdiag.render.document import Style
    from sockdiag.survey.compare import SystemComparison

    T = TypeVar("T")

BEFORE = required("a", "A capture, or live for this system.", metavar="A", completion="path")
AFTER = required("b", "Another one, which is compared with it.", metavar="B", completion="path")
IGNORE = texts(
    "ignore",
    "Leave differences out: of a kind (sockets, counters, limits, findings, opened, closed, changed, restarted, appeared, vanished), "
    "of a field (state, owner, user, backlog), or of what a pattern names: a counter, sysctl, rule, table, program or ADDRESS:PORT. "
    "@FILE has one entry per line. May be repeated.",
    metavar="WHAT,…|@FILE",
)
EXIT_CODE = flag("exit_code", "Exit with status 3 if anything differs that is not ignored.")
FAIL_ON = choice(
    "fail_on",
    "With --exit-code: only if a finding of at least this severity appeared.",
    choices=("critical", "warning", "info"),
)

DEFAULT = ("kind", "change", "name", "local", "peer", "before", "after", "delta", "process", "summary")
# Differences of each kind that a terminal shows.
_SHOWN = 20


def run(env: Env, args: Args) -> int:
    """Compare two systems."""
    from itertools import chain

    from sockdiag.cli import exit as status
    from sockdiag.cli.ignored import Ignored
    from sockdiag.model.difference import Difference, SocketDifference
    from sockdiag.model.fields import find
    from sockdiag.render import diff_text
    from sockdiag.render.document import Document, ReadTable

    if not args[EXIT_CODE] and args[FAIL_ON] is not None:
        from sockdiag.errors import UsageError

        raise UsageError("--fail-on needs --exit-code")
    left_out = args[IGNORE]
    ignored = Ignored(left_out)
    this, found = _compared(env, args, ignored)
    differences = _Differences(found, ignored)
    columns, chosen = this.columns(Difference, DEFAULT)

    def flat() -> Iterator[Difference]:
        return chain(
            map(diff_text.finding_row, differences.findings),
            map(diff_text.socket_row, differences.changed()),
            map(diff_text.socket_row, differences.closed()),
            map(diff_text.socket_row, differences.opened()),
            map(diff_text.limit_row, differences.limits),
            map(diff_text.counter_row, differences.counters),
        )

    keys = {
        "a": found.before,
        "b": found.after,
        "comparable": not found.apart,
        "apart": found.apart,
        "seconds": None if found.seconds is None else round(found.seconds, 3),
    }
    shaped = chosen or args.given(options.SORT) or (args.given(options.LIMIT) and this.renderer is not options.SCREEN)
    lines: Callable[[Style], Iterable[str]] | None = None
    if this.renderer.document and not shaped:
        entries = [find(SocketDifference, field.name) for field in SocketDifference.FIELDS]
        table = ReadTable(entries, _Again(differences.opened))
        keys |= {
            "closed": ReadTable(entries, _Again(differences.closed)),
            "changed": ReadTable(entries, _Again(differences.changed)),
            "counters": differences.counters,
            "limits": differences.limits,
            "findings": differences.findings,
        }
        key = "opened"
    else:
        rows: Iterable[Difference] = _Again(flat)
        table = ReadTable(columns, this.ordered(rows, Difference), chosen=chosen, header=not args[options.NO_HEADER])
        key = "differences"
        if not chosen and not args.given(options.SORT):
            limit = args[options.LIMIT]
            shown = limit if limit is not None else _SHOWN if this.env.terminal else None
            lines = lambda style: _screen(found, differences, shown, style)  # noqa: E731
    answer = Document(COMMAND.name, this.survey.provenance, table=table, table_key=key, keys=keys, lines=lines)
    shown_status = this.show(answer)
    if args[EXIT_CODE] and shown_status in (status.OK, status.PARTIAL) and differences.matter(args[FAIL_ON]):
        return status.FINDINGS
    return shown_status


def _prepare(env: Env, args: Args) -> Callable[[], int]:
    """Refuse a namespace of no system before it is entered."""
    from sockdiag.survey.compare import LIVE

    if args[options.NETNS] is not None and LIVE not in (args[BEFORE], args[AFTER]):
        from sockdiag.errors import UsageError

        raise UsageError("--netns needs live as one of the two")
    return lambda: run(env, args)


def _compared(env: Env, args: Args, ignored: Ignored) -> tuple[Invocation, SystemComparison]:
    """Read both sides, and return the run on B, which has the gaps of both."""
    from sockdiag.cli.invocation import Invocation
    from sockdiag.errors import UsageError
    from sockdiag.survey.compare import LIVE, SystemComparison, read_side
    from sockdiag.survey.diagnose import judging

    names = (args[BEFORE], args[AFTER])
    if not all(names):
        raise UsageError("diff needs two captures, or a capture and live")
    this, read = None, []
    for name in names:
        this = Invocation(env, args, root="" if name == LIVE else name)
        live = this.survey.system.files.live
        how = judging(this.survey.system, args[options.INTERVAL] if live else None, args[options.HORIZON], this.rules())
        read.append(read_side(this.survey, name, how, ignored.kinds))
    assert this is not None
    found = SystemComparison(*read)
    this.survey.gaps = found.gaps
    return this, found


class _Again(Typed["T"]):
    """An iterable that begins anew each time."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[], Iterator[T]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[T]:
        return self._make()


class _Differences:
    """The differences that are not left out."""

    def __init__(self, found: SystemComparison, ignored: Ignored) -> None:
        self._sockets = found.sockets
        self._ignored = ignored
        self.counters: list[CounterDifference] = ignored.rest(found.counters, lambda one: one.name)
        self.limits: list[LimitDifference] = ignored.rest(found.limits, lambda one: one.name)
        self.findings: list[FindingDifference] = ignored.rest(found.findings, lambda one: one.finding.code)

    def opened(self) -> Iterator[SocketDifference]:
        return self._ignored.sockets(self._sockets.opened())

    def closed(self) -> Iterator[SocketDifference]:
        return self._ignored.sockets(self._sockets.closed())

    def changed(self) -> Iterator[SocketDifference]:
        return self._ignored.sockets(self._sockets.changed())

    def counts(self) -> dict[str, int]:
        """Return the number of sockets by what happened to them."""
        counts = self._sockets.counts
        if self._ignored:
            counts = dict.fromkeys(counts, 0)
            for some in (self.opened(), self.closed(), self.changed()):
                for one in some:
                    counts[one.change] += 1
        return counts

    def matter(self, fail_on: str | None) -> bool:
        """Return whether anything differs; with a severity, whether a finding that bad appeared."""
        if fail_on is not None:
            from sockdiag.model.finding import at_least

            return any(one.after is not None and at_least(one.after, fail_on) for one in self.findings)
        return bool(self.counters or self.limits or self.findings or any(self.counts().values()))


def _screen(found: SystemComparison, differences: _Differences, shown: int | None, style: Style) -> Iterator[str]:
    from sockdiag.render import diff_text as text

    relation = text.relation_text(found.seconds, found.apart, netns_differ=found.netns_differ)
    yield from text.side_lines(found.before, found.after, relation, style)
    counts = differences.counts()
    if found.before.sockets is not None:
        yield text.totals(counts) + "\n"
    findings, counters, limits = differences.findings, text.important_first(differences.counters), differences.limits
    yield from text.section_lines("Findings", map(text.finding_line, findings), len(findings), shown, style)
    changed = counts["changed"] + counts["restarted"]
    for title, some, count in (
        ("Changed", differences.changed(), changed),
        ("Closed", differences.closed(), counts["closed"]),
        ("Opened", differences.opened(), counts["opened"]),
    ):
        yield from text.section_lines(title, map(text.socket_line, some), count, shown, style)
    yield from text.section_lines("Limits", map(text.limit_line, limits), len(limits), shown, style)
    yield from text.section_lines("Counters", map(text.counter_line, counters), len(counters), shown, style)


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.model.difference import (
        ComparedSide,
        CounterDifference,
        Difference,
        FindingDifference,
        LimitDifference,
        SocketDifference,
    )

    return {
        "a": ComparedSide,
        "b": ComparedSide,
        "comparable": "bool",
        "apart": "str",
        "seconds": "float | None",
        "closed?": [SocketDifference],
        "changed?": [SocketDifference],
        "counters?": [CounterDifference],
        "limits?": [LimitDifference],
        "findings?": [FindingDifference],
        "opened?": [SocketDifference],
        "differences?*": [Difference],
    }


def rows() -> tuple[type[Record], ...]:
    """Name the record of the rows."""
    from sockdiag.model.difference import Difference

    return (Difference,)


COMMAND = Command(
    run,
    name="diff",
    help=(
        "Within one boot a socket is known by its cookie, through all its states; elsewhere by its two ends. A listener whose program has opened it "
        "anew was restarted. Counters are subtracted only within one boot of one host and, unless they are the host's, one network namespace; "
        "otherwise the screen and the key apart say why they are not.\n\n"
        "Queues, timers and memory of sockets are not compared. A finding that one side could not have shown is a gap, and so is a sysctl that one "
        "side does not have.\n\n"
        "With --json the differences are in keys of their own: opened, closed, changed, counters, limits, findings. Rows of all kinds are in "
        "differences if -o, --sort or --limit is given, and in --csv and --ndjson. Terminals show 20 of each kind unless --limit is given."
    ),
    options=(
        IGNORE,
        *options.SELECTION,
        *options.RULES,
        options.INTERVAL,
        options.HORIZON,
        EXIT_CODE,
        FAIL_ON,
        *(option for option in options.COMMON if option is not options.ROOT),
    ),
    arguments=(BEFORE, AFTER),
    prepare=_prepare,
    examples=(
        ("diff monday.tar.gz tuesday.tar.gz", "what has changed between two captures"),
        ("diff monday.tar.gz live --ignore counters", "what has changed since then, on this host"),
        (
            "diff a.tar.gz b.tar.gz --ignore opened,closed,counters --exit-code",
            "for scripts: exit status 3 if a listener, a limit or a finding differs",
        ),
    ),
    document=document,
    rows=rows,
)
