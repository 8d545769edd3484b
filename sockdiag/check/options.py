"""Options of a run of ``check``."""

from __future__ import annotations

from sockdiag.defaults import HORIZON_S
from sockdiag.model.record import Record, field
from sockdiag.survey.options import SurveyOptions

# A little less than the ten seconds for which remote executors wait.
TIMEOUT_S = 9.0


class CheckOptions(Record):
    """Rules, measures and ranges, and how to judge by them."""

    survey: SurveyOptions = field("Which sockets of the system are read.", default=SurveyOptions())
    captured: bool = field("The system is a capture.", default=False)
    rules: tuple[str, ...] = field("Rules to judge by, as comma-separated lists; empty for all.", default=())
    skip: tuple[str, ...] = field("Rules to leave out.", default=())
    measures: tuple[str, ...] = field("Measures to compare.", default=())
    warning: tuple[str, ...] = field("Range of -w for each measure; empty for none.", default=())
    critical: tuple[str, ...] = field("Range of -c for each measure; empty for none.", default=())
    timeout_s: float = field("Seconds until the answer is UNKNOWN.", default=TIMEOUT_S)
    interval_s: float | None = field("Seconds between two samples; None to compare with the last run.", default=None)
    horizon_s: float = field("Seconds within which a trend that reaches its limit is a risk.", default=HORIZON_S)
    state: str = field("The state file; empty for the user's own.", default="")
    own_state: str = field("The user's own state file.", default="")
    strict: bool = field("UNKNOWN if any rule lacks data.", default=False)
    verbose: int = field("Number of times that -v was given.", default=0)
    debug: bool = field("Show the traceback of an internal error.", default=False)
