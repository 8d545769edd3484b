"""The options of a survey, from a command line. ``check`` reads them before it imports the engine."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.defaults import LOAD_MODULES, LOAD_MODULES_VARIABLE
from sockdiag.errors import UsageError, unknown
from sockdiag.model.query import TABLES
from sockdiag.survey.options import SurveyOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sockdiag.cli.spec import Args


def survey_options(args: Args) -> SurveyOptions:
    """Turn a command line into the options of a survey.

    Raises:
        UsageError: --netid names no table.
    """
    return SurveyOptions(
        netns=args.get(options.NETNS),
        source=args.get(options.SOURCE),
        netids=_tables(args.get(options.NETID)),
        where=tuple(text for text in args.get(options.WHERE) if text),
        numeric=args.get(options.NUMERIC),
    )


def load_modules(args: Args, environ: Mapping[str, str]) -> str:
    """Return whether modules may be loaded: as the command line says, else the environment.

    Raises:
        UsageError: the environment has another word. What it forbids must not happen because of a misspelling.
    """
    chosen = args.get(options.MODULES)
    if chosen is not None:
        return chosen
    text = environ.get(LOAD_MODULES_VARIABLE) or LOAD_MODULES[0]
    if text not in LOAD_MODULES:
        raise UsageError(f"{LOAD_MODULES_VARIABLE}: {unknown('value', text, LOAD_MODULES)}")
    return text


def one_root(args: Args) -> str | None:
    """Return the captured system that the command line names, None for this one.

    Raises:
        UsageError: it names none, or several.
    """
    roots = args.get(options.ROOT)
    if not roots:
        return None
    if len(roots) > 1:
        raise UsageError("--root is given twice, and this command reads one system")
    if not roots[0]:
        raise UsageError("--root needs a folder or an archive")
    return roots[0]


def _tables(texts: tuple[str, ...]) -> tuple[str, ...]:
    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    if any(texts) and not names:
        raise UsageError(f"--netid names no table: {', '.join(TABLES)}")
    for name in names:
        if name not in TABLES:
            raise UsageError(unknown("table", name, TABLES))
    return tuple(names)
