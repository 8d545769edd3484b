"""A survey of a system: read its sockets, sample it, diagnose it. The entry point of the engine and the Python API."""

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
    """Reads, samples and judges a system, any number of times.

    Each call of :meth:`sockets`, :meth:`sample` and :meth:`diagnose` reads the system anew; ``gaps``, ``sources`` and
    :meth:`provenance` are those of the last call.
    """

    # Whether the system was read since it was opened: the first question uses the namespaces that were found then.
    _asked = False

    def __repr__(self) -> str:
        place = "" if self.options.netns is None else f" netns={self.options.netns!r}"
        return f"<sockdiag.Survey of {self.system.root or 'this host'}{place}>"

    def sockets(self, where: str = "", *, fields: Iterable[str] = ()) -> Iterator[Socket]:
        """Yield sockets as records.

        Args:
            where: filter in the language of ``--where``; by default that of the options.
            fields: names of fields to fill that are looked up only on demand, such as ``processes``, ``cgroup`` or
                ``tcp_info``. Fields that the filter names are filled too; the others stay None.

        Raises:
            FilterError: the filter does not parse.
            UsageError: a field does not exist.
            SourceError: the network namespace no longer exists, or may not be entered.
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
        """Take one sample: read everything that rules judge.

        Raises:
            UsageError: the survey covers several namespaces; diagnose() samples each of them.
            SourceError: the network namespace no longer exists, or may not be entered.
        """
        from sockdiag.survey.per_namespace import in_each
        from sockdiag.survey.sample import take_sample

        if self.everywhere:
            raise UsageError("a sample covers one network namespace; diagnose() covers several")
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
        """Sample the system twice, with an interval in between, or once, and have the rules judge it.

        Args:
            interval: seconds between two samples; 0 for a single sample, which shows levels only. By default 1 s, and a
                single sample of a capture.
            codes: the rules; all of them by default.
            where: filter for the sockets to judge; by default that of the options. Counters and limits are judged in any
                case.
            horizon: seconds within which a trend that reaches its limit is a risk.

        Returns:
            Findings, worst first, and the rules that lacked data.

        Raises:
            UsageError: the interval or the horizon is out of range, or a code names no rule.
            FilterError: the filter does not parse.
            SourceError: the network namespace no longer exists, or may not be entered.
        """
        from sockdiag.survey.diagnose import diagnose, judging

        how = judging(self.system, interval, horizon, (codes,) if isinstance(codes, str) else codes)
        self._begin()
        return diagnose(self, how, self.compiled(where) if where else self.where)

    def _begin(self) -> None:
        if self._asked:
            self.renew()
        self._asked = True
