"""PAST_LOSSES."""

from __future__ import annotations

from sockdiag.analysis.losses import LOSSES
from sockdiag.judging.case import DeclaredRule, Hit
from sockdiag.model.counters import mib_of
from sockdiag.model.finding import INFO, NAMESPACE, RECOVERED, Evidence, Finding, Subject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

_SHOWN = 3

RULE = DeclaredRule(
    "PAST_LOSSES",
    INFO,
    (RECOVERED,),
    "Counters of loss are not zero since boot, or since the namespace was made. That is history: when it was is not known.",
    "The kernel never sets these counters to zero.",
    "/proc/net/snmp, /proc/net/snmp6, /proc/net/netstat",
    tuple(LOSSES),
    (),
    partly=("/proc/net/snmp", "/proc/net/snmp6", "/proc/net/netstat"),
    counters=tuple(LOSSES),
)


def judge(case: Case) -> Iterator[Hit]:
    """List the counters that are not zero and did not move."""
    past = {
        name: case.now.counters.get(name) for name in LOSSES if case.now.counters.get(name) and not case.moved(name)
    }
    if not past:
        return
    evidence = {
        n: Evidence(value, "count since boot", None, mib_of(n).source, mib_of(n).scope) for n, value in past.items()
    }
    names = sorted(past, key=lambda n: -(past[n] or 0))
    listed = ", ".join(f"{name} {past[name]}" for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    now = "use --interval to see whether they grow" if case.before is None else "none of them grew in the interval"
    yield Hit(
        Finding(
            RULE.code, INFO, Subject(NAMESPACE), f"lost in the past: {listed}{more}; {now}", evidence, verdict=RECOVERED
        )
    )
