"""One run of a command: open the system, show the document, choose the exit status."""

from __future__ import annotations

from sockdiag.cli import columns, options
from sockdiag.cli import exit as status
from sockdiag.cli.output import chosen_renderer, written
from sockdiag.cli.survey_options import load_modules, one_root, survey_options
from sockdiag.errors import UsageError
from sockdiag.render.document import Document, Style, Table
from sockdiag.survey.opening import in_namespace
from sockdiag.survey.survey import Survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, TypeVar

    from sockdiag.cli.env import Env
    from sockdiag.cli.options import Renderer
    from sockdiag.cli.pager import Paged
    from sockdiag.cli.spec import Args
    from sockdiag.model.fields import FieldEntry
    from sockdiag.model.finding import Finding
    from sockdiag.model.provenance import Gap
    from sockdiag.model.record import Record
    from sockdiag.render.findings_text import Verdict
    from sockdiag.render.suspects import Whereabouts
    from sockdiag.survey.diagnose import Diagnosis, Judging

    Row = TypeVar("Row", bound=Record)

_SCREEN_GAPS = 10
# Findings that are listed below a screen.
_BELOW = 20


class Invocation:
    """One run of a command on one system.

    Args:
        env: the program's surroundings.
        args: the command line.
        root: the captured system, or "" for this one, instead of that of the command line.

    Attributes:
        survey: reads the system.
    """

    def __init__(self, env: Env, args: Args, root: str | None = None) -> None:
        if (args.get(options.LIMIT) or 0) < 0:
            raise UsageError("--limit takes 0 or more rows")
        env.watch()
        self.env = env
        self.args = args
        self.survey = open_survey(env, args, root)

    @property
    def renderer(self) -> Renderer:
        """The renderer of the format that was asked for.

        Raises:
            UsageError: two formats were asked for.
        """
        return chosen_renderer(self.args)

    def rules(self, among: Iterable[str] | None = None) -> tuple[str, ...] | None:
        """Return the rules to judge by, from ``--rule`` and ``--skip``; None for all.

        Args:
            among: the rules that the command judges by, if not all.

        Raises:
            UsageError: a code names no rule of the command, or no rule is left.
        """
        rule, skip = self.args.get(options.RULE), self.args.get(options.SKIP)
        if not rule and not skip:
            return None if among is None else tuple(among)
        from sockdiag.judging.registry import RULES, selected

        return selected(rule, skip, RULES if among is None else among)

    def judging(self, among: Iterable[str] | None = None) -> Judging:
        """Return how to judge: by ``--rule``, ``--skip``, ``--interval`` and ``--horizon``.

        Args:
            among: the rules that the command judges by, if not all.

        Raises:
            UsageError: a value is out of range, or excluded by another option.
        """
        from sockdiag.survey.diagnose import judging

        args = self.args
        return judging(self.survey.system, args[options.INTERVAL], args[options.HORIZON], self.rules(among))

    def whereabouts(self) -> Whereabouts:
        """Return how to name the network namespaces that were read, and the options with which another command reads them."""
        from shlex import quote

        from sockdiag.render.suspects import Whereabouts

        survey = self.survey
        chosen = (("--root", one_root(self.args)), ("--netns", survey.options.netns))
        said = " ".join(f"{option} {quote(value)}" for option, value in chosen if value)
        if survey.everywhere and survey.namespaces is not None:
            return Whereabouts(survey.namespaces.titles(), said)
        return Whereabouts(options=said)

    def verdict(self, found: Diagnosis[Any], findings: Sequence[Finding]) -> Verdict:
        """Return the first line of a screen that shows these findings of a diagnosis."""
        from sockdiag.render.findings_text import Verdict

        unchecked = [(one.code, one.part, one.reason) for one in found.unknown]
        live = self.survey.system.files.live
        return Verdict(
            found.verdict, findings, found.interval_s, found.rules, unchecked, live=live, longest_s=found.longest_s
        )

    def rules_of_findings(self, among: Iterable[str], *, terminal: bool = False) -> tuple[str, ...]:
        """Return the rules for the findings of a document or below a screen; for a format without findings, none.

        Args:
            among: the rules that the command judges by.
            terminal: unless an option is about findings, a screen shows them only on a terminal.

        Raises:
            UsageError: as with :meth:`rules`, or an option is about findings, and the format shows none.
        """
        args, renderer = self.args, self.renderer
        chosen = [option for option in options.JUDGING_LEVELS if args.given(option)]
        if renderer.document or (renderer is options.SCREEN and not args[options.COLUMNS]):
            wanted = renderer.document or chosen or self.env.terminal or not terminal
            return self.rules(among) or () if wanted else ()
        if chosen:
            raise UsageError(
                f"{chosen[0].flags[0]} is about findings, which only --json and screens without -o show here"
            )
        return ()

    def below(self, findings: Sequence[Finding], *, past: bool = False) -> Callable[[Style], Iterator[str]] | None:
        """Return the lines for findings below a screen; None if there are none.

        Args:
            findings: the findings.
            past: show notes about the past, too: the command has ``--interval``, which shows whether losses go on.
        """
        if not findings:
            return None
        from sockdiag.render.findings_text import finding_lines, is_about_now

        shown = [one for one in findings if past or is_about_now(one)]
        if not shown:
            return None

        def lines(style: Style) -> Iterator[str]:
            yield "\n"
            yield from finding_lines(shown, style, self.whereabouts(), _BELOW)

        return lines

    def columns(
        self, record: type[Record], default: Sequence[str] = (), extra: Mapping[str, FieldEntry] | None = None
    ) -> tuple[list[FieldEntry], bool]:
        """Return the columns to show, and whether the user chose them (:func:`~sockdiag.cli.columns.choose_columns`)."""
        return columns.choose_columns(self.args, self.survey, record, default, extra)

    def ordered(
        self, rows: Iterable[Row], record: type[Row], extra: Mapping[str, FieldEntry] | None = None
    ) -> Iterable[Row]:
        """Apply ``--sort`` and ``--limit``."""
        return columns.ordered(self.args, self.survey, rows, record, extra)

    def table(
        self,
        columns: Sequence[FieldEntry],
        rows: Iterable[Record],
        *,
        chosen: bool,
        remarks: Sequence[str] = (),
        spare: Sequence[str] = (),
    ) -> Table:
        """Make a table of rows, with or without a heading line; a narrow terminal leaves out *spare* columns."""
        header = not self.args.get(options.NO_HEADER)
        return Table(columns, rows, chosen=chosen, header=header, remarks=remarks, spare=spare)

    def show(self, document: Document, *, answered: bool | None = None, warn: bool = True, pages: bool = True) -> int:
        """Write a document in the format that was asked for, and report gaps on standard error.

        Args:
            document: the answer.
            answered: something other than sockets could be read; None if nothing else was tried.
            warn: report gaps; False for a repeated answer, which has reported them already.
            pages: a screen that is too long for the terminal may go to a pager.

        Returns:
            The exit status.
        """
        if self.env.taker is not None:
            self.env.taker(self, document)
        else:
            self._write(document, pages=pages)
        gaps, sources = self.survey.gaps, self.survey.sources
        reported = _worth_reporting(gaps) if warn else []
        for gap in reported[:_SCREEN_GAPS]:
            hint = f" ({gap.hint})" if gap.hint else ""
            # A gap of an option, such as --where, is not about reading.
            about = "" if gap.source.startswith("-") else "could not read "
            self.env.warn(f"{about}{_line(gap.source)}: {_line(gap.reason)}{hint}")
        if len(reported) > _SCREEN_GAPS:
            self.env.warn(f"could not read {len(reported) - _SCREEN_GAPS} more sources; --json lists all")
        if not answered and (answered is False or sources) and not any(sources.values()):
            return status.FAILED
        strict = self.args.get(options.STRICT)
        return status.PARTIAL if strict and gaps else status.OK

    def _write(self, document: Document, *, pages: bool) -> None:
        style = Style(self.env.width, self.env.color(self.args.get(options.COLOR)))
        texts = written(document, self.args, style)
        pager = self._pager() if pages else None
        if pager is None:
            for text in texts:
                self.env.write(text)
        else:
            _page(pager, texts)

    def _pager(self) -> Paged | None:
        """Return the way to a pager, for a screen on a terminal."""
        if not self.env.terminal or self.renderer is not options.SCREEN or self.args.get(options.NO_PAGER):
            return None
        from sockdiag.cli.pager import Paged, pager_of

        command = pager_of(self.env.environ)
        return Paged(self.env, command) if command else None

    def finish(
        self,
        document: Document,
        findings: Iterable[Finding],
        *,
        answered: bool | None = None,
        warn: bool = True,
        pages: bool = True,
    ) -> int:
        """Show a document; the exit status is 3 with --exit-code and a finding of --fail-on severity or worse.

        Args:
            document: the answer.
            findings: the findings in it.
            answered: as for :meth:`show`.
            warn: as for :meth:`show`.
            pages: as for :meth:`show`.
        """
        from sockdiag.model.finding import at_least

        shown = self.show(document, answered=answered, warn=warn, pages=pages)
        args = self.args
        if args[options.EXIT_CODE] and shown in (status.OK, status.PARTIAL):
            least = args[options.FAIL_ON]
            if any(at_least(finding.severity, least) for finding in findings):
                return status.FINDINGS
        return shown


def _page(pager: Paged, texts: Iterable[str]) -> None:
    try:
        for text in texts:
            if not pager.write(text):
                break
    finally:
        pager.close()


def open_survey(env: Env, args: Args, root: str | None = None) -> Survey:
    """Open the system that a command line names, or the one of *root*.

    Raises:
        UsageError: --root or --netid is empty, or --netid names a table that does not exist.
        SourceError: a captured system cannot be opened.
    """
    if root is None:
        root = one_root(args)
    system = in_namespace(env.open_system(root or "", load_modules(args, env.environ)), args.get(options.NETNS))
    return Survey(system, survey_options(args), started=env.clock() if system.files.live else None)


def _worth_reporting(gaps: list[Gap]) -> list[Gap]:
    # A gap is not reported twice: one with a hint stands for the same one without.
    hinted = {(gap.source, gap.reason) for gap in gaps if gap.hint}
    reported = [gap for gap in gaps if gap.hint or (gap.source, gap.reason) not in hinted]
    # Each sample scans all processes, of which some end in between: the last scan stands for the earlier ones.
    last = {_scan(gap): gap for gap in reported}
    return [gap for gap in reported if last[_scan(gap)] is gap]


_DIGITS = dict.fromkeys(map(ord, "0123456789"))


def _scan(gap: Gap) -> tuple[str, str, str]:
    """Return what the gaps of repeated scans of all processes have in common: everything but the numbers."""
    if "/proc/PID/" not in gap.source:
        return gap.source, gap.reason, gap.hint
    return gap.source, gap.reason.translate(_DIGITS), ""


def _line(text: str) -> str:
    from sockdiag.render.escape import printable

    return printable(text)
