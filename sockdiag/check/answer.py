"""The answer of ``check``: a plugin status, and what to write."""

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
        options: what is asked.
        system: the system.
        started: when the run began, in seconds since the epoch, if not now.

    Returns:
        The plugin status and what to write.

    Raises:
        SockdiagError: there is no verdict.
    """
    check_times(options)
    run = Run(Survey(system, options.survey, started=started), options)
    run.judge()
    return run.status, output(run)
