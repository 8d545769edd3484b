"""A survey of a system: read its sockets, sample it, diagnose it. The engine's front, and that of the Python API."""

from __future__ import annotations

from sockdiag.errors import UsageError
from sockdiag.survey.reader import SystemReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.model.sample import Sample
    from sockdiag.survey.diagnose import Diagnosis


class Survey(SystemReader):
    """Reads a system, samples it, and judges it."""

    def sample(self) -> Sample:
        """Read once everything that rules judge.

        Raises:
            UsageError: several namespaces are asked; diagnose() takes a sample of each.
        """
        from sockdiag.survey.per_namespace import in_each
        from sockdiag.survey.sample import take_sample

        if self.everywhere:
            raise UsageError("a sample is of one network namespace")
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
        """Sample the system once, or twice with an interval between, and judge it by the rules.

        Args:
            interval: seconds between two samples; None for a single sample, which shows levels only.
            codes: the rules; all of them by default.
            where: sockets to judge; by default those of the options' filter. Counters and limits are judged in any case.
            horizon: seconds within which a trend that reaches its limit is a risk.

        Returns:
            Findings, worst first, and the rules that could not tell.

        Raises:
            UsageError: the interval or the horizon makes no sense, or a code names no rule.
            FilterError: the filter does not parse.
        """
        from sockdiag.survey.diagnose import diagnose, judging

        return diagnose(
            self,
            judging(self.system, interval, horizon, codes),
            self.compiled(where) if where else self.where,
        )
