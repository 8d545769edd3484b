"""A survey of a system: read its sockets, sample it, diagnose it. The engine's front, and that of the Python API."""

from __future__ import annotations

from sockdiag.errors import UsageError
from sockdiag.survey.reader import SystemReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sockdiag.model.sample import Sample
    from sockdiag.model.socket import Socket
    from sockdiag.survey.diagnose import Diagnosis


class Survey(SystemReader):
    """Reads a system, samples it, and judges it, as often as it is asked.

    Each call of :meth:`sockets`, :meth:`sample` and :meth:`diagnose` reads the system anew; ``gaps``, ``sources`` and
    :meth:`provenance` are those of the last one.
    """

    # Whether a question was asked since the system was opened: the first one uses the namespaces that were found then.
    _asked = False

    def __repr__(self) -> str:
        place = "" if self.options.netns is None else f" netns={self.options.netns!r}"
        return f"<sockdiag.Survey of {self.system.root or 'this host'}{place}>"

    def sockets(self, where: str = "", *, fields: Iterable[str] = ()) -> Iterator[Socket]:
        """Yield sockets as records.

        Args:
            where: filter in the language of ``--where``; by default that of the options.
            fields: names of fields to fill that are looked up on demand only, as ``processes``, ``cgroup`` or
                ``tcp_info``. Fields that the filter names are filled as well; the others stay None.

        Raises:
            FilterError: the filter does not parse.
            UsageError: there is no such field.
            SourceError: the network namespace has gone, or may not be entered.
        """
        from sockdiag.model.batch import all_sockets
        from sockdiag.model.fields import find
        from sockdiag.model.query import SKMEM
        from sockdiag.model.socket import Socket

        self._begin()
        compiled = self.compiled(where) if where else self.where
        names = (fields,) if isinstance(fields, str) else fields
        needs = {SKMEM, *(need for name in names for need in find(Socket, name).needs)}
        return all_sockets(self.batches(self.query(needs, compiled), compiled))

    def sample(self) -> Sample:
        """Read once everything that rules judge.

        Raises:
            UsageError: several namespaces are asked; diagnose() takes a sample of each.
            SourceError: the network namespace has gone, or may not be entered.
        """
        from sockdiag.survey.per_namespace import in_each
        from sockdiag.survey.sample import take_sample

        if self.everywhere:
            raise UsageError("a sample is of one network namespace")
        self._begin()
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
            SourceError: the network namespace has gone, or may not be entered.
        """
        from sockdiag.survey.diagnose import diagnose, judging

        how = judging(self.system, interval, horizon, (codes,) if isinstance(codes, str) else codes)
        self._begin()
        return diagnose(self, how, self.compiled(where) if where else self.where)

    def _begin(self) -> None:
        if self._asked:
            self.renew()
        self._asked = True
