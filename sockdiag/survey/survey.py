"""A survey of a system: read its sockets, sample it, diagnose it. The entry point of the engine and the Python API."""

from __future__ import annotations

from sockdiag.errors import UsageError
from sockdiag.survey.reader import SystemReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.model.sample import Sample
    from sockdiag.survey.diagnose import Diagnosis


class Survey(SystemReader):
    """Reads, samples and judges a system."""

    def sample(self) -> Sample:
        """Take one sample: read everything that rules judge.

        Raises:
            UsageError: the survey covers several namespaces; diagnose() samples each of them.
        """
        from sockdiag.survey.per_namespace import in_each
        from sockdiag.survey.sample import take_sample

        if self.everywhere:
            raise UsageError("a sample covers one network namespace; diagnose() covers several")
        (sample,) = in_each(self, lambda there: (take_sample(there),))
        return sample

    def diagnose(
        self,
        interval: float | None = None,
        *,
        codes: Iterable[str] | None = None,
        where: str = "",
        horizon: float | None = None,
    ) -> Diagnosis[None]:
        """Sample the system once, or twice with an interval in between, and have the rules judge it.

        Args:
            interval: seconds between two samples; None for a single sample, which shows levels only.
            codes: the rules; all of them by default.
            where: filter for the sockets to judge; by default that of the options. Counters and limits are judged in any
                case.
            horizon: seconds within which a trend that reaches its limit is a risk.

        Returns:
            Findings, worst first, and the rules that lacked data.

        Raises:
            UsageError: the interval or the horizon is out of range, or a code names no rule.
            FilterError: the filter does not parse.
        """
        from sockdiag.survey.diagnose import diagnose, judging

        return diagnose(
            self,
            judging(self.system, interval, horizon, codes),
            self.compiled(where) if where else self.where,
        )
