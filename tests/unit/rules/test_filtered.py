"""A counter counts what every socket lost: where a filter chose the sockets, those it left out may have lost it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sockdiag.judging.case import Case
from sockdiag.model.counters import Counters
from sockdiag.model.sample import Sample
from sockdiag.model.sysctl import Sysctls
from sockdiag.rules import accept_queue_overflow, udp_drops

if TYPE_CHECKING:
    from sockdiag.model.finding import Finding


def sample(at: float, name: str, value: int, *, filtered: bool) -> Sample:
    tables = {"tcp": "netlink", "udp": "netlink"}
    counters = Counters({name: value, "Udp.InDatagrams": 1000, "Tcp.PassiveOpens": 1000})
    return Sample(at, [], tables=tables, counters=counters, limits=Sysctls({}), filtered=filtered)


def finding(rule: object, name: str, *, filtered: bool) -> Finding:
    case = Case(sample(11.0, name, 100, filtered=filtered), sample(10.0, name, 0, filtered=filtered))
    (hit,) = rule.judge(case)  # type: ignore[attr-defined]
    found: Finding = hit.finding
    return found


@pytest.mark.parametrize(
    ("rule", "name"), [(udp_drops, "Udp.RcvbufErrors"), (accept_queue_overflow, "TcpExt.ListenOverflows")]
)
def test_sockets_that_were_left_out_may_have_lost_it(rule: object, name: str) -> None:
    whole, part = (finding(rule, name, filtered=filtered) for filtered in (False, True))
    assert whole.summary.endswith("that are closed by now")
    assert part.summary.endswith("that --where or --netid leaves out, or that are closed by now")
    assert [advice.command for advice in part.advice] == ["sockdiag doctor"]
    assert part.advice != whole.advice
