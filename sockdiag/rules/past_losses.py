"""PAST_LOSSES."""

from __future__ import annotations

from sockdiag.analysis.losses import losses
from sockdiag.judging.case import DeclaredRule, Hit
from sockdiag.model.counter_table import LOSS, REFUSAL, names_of
from sockdiag.model.counters import Counters, mib_of
from sockdiag.model.finding import INFO, NAMESPACE, RECOVERED, Evidence, Finding, Subject
from sockdiag.model.quantity import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

_SHOWN = 3
_FILES = ("/proc/net/snmp", "/proc/net/snmp6", "/proc/net/netstat")
_NAMES = tuple(name for name in names_of(LOSS, REFUSAL) if mib_of(name).source in _FILES)

RULE = DeclaredRule(
    "PAST_LOSSES",
    INFO,
    (RECOVERED,),
    "Loss counters are not zero. They count since the network namespace was created (for the host's, since boot). "
    "This is history: the time of the losses is unknown.",
    "The kernel never resets these counters.",
    "/proc/net/snmp, /proc/net/snmp6, /proc/net/netstat",
    _NAMES,
    (),
    partly=_FILES,
    counters=_NAMES,
)


def judge(case: Case) -> Iterator[Hit]:
    """List the counters that are not zero and did not move, each loss once."""
    values = {name: case.now.counters.get(name) for name in _NAMES}
    still = {name: value for name, value in values.items() if value and not case.moved(name)}
    past = [(loss.name, loss.own_total) for loss in losses(None, Counters(still), 0.0) if loss.own_total]
    if not past:
        return
    evidence = {
        name: Evidence(n, "count since the namespace was created", None, mib_of(name).source, mib_of(name).scope)
        for name, n in past
    }
    listed = ", ".join(f"{name} {count(n)}" for name, n in past[:_SHOWN])
    more = f" and {len(past) - _SHOWN} more" if len(past) > _SHOWN else ""
    now = "use --interval to see whether they are growing" if case.before is None else "none grew in the interval"
    yield Hit(
        Finding(
            RULE.code, INFO, Subject(NAMESPACE), f"lost in the past: {listed}{more}; {now}", evidence, verdict=RECOVERED
        )
    )
