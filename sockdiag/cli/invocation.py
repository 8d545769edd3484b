"""One run of a command: open what it reads, show its document, choose its exit status."""

from __future__ import annotations

from sockdiag.cli import columns, options
from sockdiag.cli import exit as status
from sockdiag.cli.output import chosen_renderer, written
from sockdiag.cli.survey_options import survey_options
from sockdiag.errors import UsageError
from sockdiag.render.document import Document, Style, Table
from sockdiag.survey.survey import Survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeVar

    from sockdiag.cli.env import Env
    from sockdiag.cli.options import Renderer
    from sockdiag.cli.spec import Args
    from sockdiag.model.fields import FieldEntry
    from sockdiag.model.finding import Finding
    from sockdiag.model.provenance import Gap
    from sockdiag.model.record import Record
    from sockdiag.survey.options import Judging

    Row = TypeVar("Row", bound=Record)

_SCREEN_GAPS = 10


class Invocation:
    """One run of a command on one system.

    Args:
        env: the program's surroundings.
        args: the command line.

    Attributes:
        survey: asks the system.
    """

    def __init__(self, env: Env, args: Args) -> None:
        if (args.get(options.LIMIT) or 0) < 0:
            raise UsageError("--limit takes 0 or more rows")
        env.watch()
        self.env = env
        self.args = args
        self.survey = open_survey(env, args)

    @property
    def renderer(self) -> Renderer:
        """How the answer will be written.

        Raises:
            UsageError: two formats were asked for.
        """
        return chosen_renderer(self.args)

    def judging(self, codes: Iterable[str] | None = None) -> Judging:
        """Say how to judge, as ``--interval`` and ``--horizon`` do.

        Raises:
            UsageError: they make no sense.
        """
        from sockdiag.survey.diagnose import judging

        args = self.args
        return judging(self.survey.system, args[options.INTERVAL], args[options.HORIZON], codes)

    def columns(self, record: type[Record], default: Sequence[str] = ()) -> tuple[list[FieldEntry], bool]:
        """Find the columns to show, and whether they are the user's choice; see :func:`~sockdiag.cli.columns.choose_columns`."""
        return columns.choose_columns(self.args, self.survey, record, default)

    def ordered(self, rows: Iterable[Row], record: type[Row]) -> Iterable[Row]:
        """Apply ``--sort`` and ``--limit``."""
        return columns.ordered(self.args, self.survey, rows, record)

    def table(self, columns: Sequence[FieldEntry], rows: Iterable[Record], *, chosen: bool) -> Table:
        """Make a table of rows, with or without a heading line."""
        return Table(columns, rows, chosen=chosen, header=not self.args[options.NO_HEADER])

    def show(self, document: Document, *, answered: bool | None = None, warn: bool = True) -> int:
        """Write a document in the format that was asked for, and report gaps on standard error.

        Args:
            document: the answer.
            answered: something could be read beside sockets; None: nothing else was tried.
            warn: report gaps; a repeated answer has reported them.

        Returns:
            The exit status.
        """
        style = Style(self.env.width, self.env.color(self.args[options.COLOR]))
        for text in written(document, self.args, style):
            self.env.write(text)
        gaps, sources = self.survey.gaps, self.survey.sources
        reported = _worth_reporting(gaps) if warn else []
        for gap in reported[:_SCREEN_GAPS]:
            hint = f" ({gap.hint})" if gap.hint else ""
            self.env.warn(f"not seen: {_line(gap.source)}: {_line(gap.reason)}{hint}")
        if len(reported) > _SCREEN_GAPS:
            self.env.warn(f"not seen: {len(reported) - _SCREEN_GAPS} more; --json lists all")
        if not answered and (answered is False or sources) and not any(sources.values()):
            return status.FAILED
        strict = self.args[options.STRICT]
        return status.PARTIAL if strict and gaps else status.OK

    def finish(self, document: Document, findings: Iterable[Finding]) -> int:
        """Show a document; the exit status is 3 with --exit-code and a finding of --fail-on severity or worse."""
        from sockdiag.model.finding import at_least

        shown = self.show(document)
        args = self.args
        if args[options.EXIT_CODE] and shown in (status.OK, status.PARTIAL):
            least = args[options.FAIL_ON]
            if any(at_least(finding.severity, least) for finding in findings):
                return status.FINDINGS
        return shown


def open_survey(env: Env, args: Args) -> Survey:
    """Open the system that a command line names.

    Raises:
        UsageError: it names none, or --netid names no table.
        SourceError: a captured system cannot be opened.
    """
    if args[options.ROOT] == "":
        raise UsageError("--root needs a folder or an archive")
    system = env.open_system(args[options.ROOT] or "")
    return Survey(system, survey_options(args), started=env.clock() if system.files.live else None)


def _worth_reporting(gaps: list[Gap]) -> list[Gap]:
    # What a gap with a hint reports too is not reported twice.
    hinted = {(gap.source, gap.reason) for gap in gaps if gap.hint}
    return [gap for gap in gaps if gap.hint or (gap.source, gap.reason) not in hinted]


def _line(text: str) -> str:
    from sockdiag.render.escape import printable

    return printable(text)
