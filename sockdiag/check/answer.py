"""The answer of ``check``: a plugin status and its text."""

from __future__ import annotations

from sockdiag.check.request import check_times
from sockdiag.check.run import Run
from sockdiag.check.status_line import output
from sockdiag.survey.survey import Survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.check.options import CheckOptions
    from sockdiag.sources.system.machine import System


def answer(options: CheckOptions, system: System, started: float | None = None) -> tuple[int, str]:
    """Run the check.

    Args:
        options: what to check, and how.
        system: the system.
        started: start time of the run in seconds since the epoch, if not now.

    Returns:
        The plugin status and the text to write.

    Raises:
        SockdiagError: no verdict could be reached.
    """
    check_times(options)
    run = Run(Survey(system, options.survey, started=started), options)
    run.judge()
    return run.status, output(run)
