"""SOFTNET_SQUEEZE."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold, per_second
from sockdiag.model.finding import HOST_KIND, INFO, OK, Advice, Evidence, Finding, Subject
from sockdiag.model.quantity import counted
from sockdiag.model.record import HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "SOFTNET_SQUEEZE",
    INFO,
    (OK,),
    "A CPU ran out of its receive budget with packets left, and continued later. Nothing was lost.",
    "net_rx_action() ends after netdev_budget packets or netdev_budget_usecs.",
    "net_rx_action(), net/core/dev.c",
    ("softnet_stat time_squeeze",),
    ("/proc/net/softnet_stat",),
    (Threshold("per_s", 10, "monitoring systems alert above 10/s"),),
    ("net.core.netdev_budget, if drops follow",),
    counters=("softnet_stat.*.time_squeeze",),
    parts=("softnet",),
)

_ADVICE = Advice(
    "Raise net.core.netdev_budget and netdev_budget_usecs, if packets are dropped too.",
    None,
    "A squeeze only delays packets.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Tell of CPUs that run out of budget often."""
    for cpu in case.now.softnet or ():
        squeezed = case.moved(f"softnet_stat.{cpu.cpu}.time_squeeze")
        rate = case.rate(squeezed) if squeezed else None
        if squeezed and rate is not None and rate >= case.threshold(RULE, "per_s"):
            said = f"CPU {cpu.cpu} ran out of its receive budget {counted(squeezed, 'time')}{per_second(rate)}; nothing was lost"
            evidence = {"time_squeeze": Evidence(squeezed, "count", None, "/proc/net/softnet_stat: 3rd column", HOST)}
            yield Hit(
                Finding(
                    RULE.code, INFO, Subject(HOST_KIND, f"CPU {cpu.cpu}"), said, evidence, None, None, (_ADVICE,), OK
                )
            )
