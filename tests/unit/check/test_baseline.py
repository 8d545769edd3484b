"""Rules find the same whether the earlier sample is at hand or was written down and read again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.check import baseline
from sockdiag.check.baseline import recalled, remembered
from sockdiag.check.entries import BaselineEntry, BaselinePlace, read_entries, stored, write_entries
from sockdiag.judging.case import Case
from sockdiag.judging.declared import COMPARED, KEPT, TABLES
from sockdiag.judging.judge import judge
from sockdiag.judging.registry import RULES, load
from sockdiag.model.conntrack import Conntrack
from sockdiag.model.fields import resolve
from sockdiag.model.tcp_info import TcpInfo
from tests.unit.rules import samples
from tests.unit.rules.samples import sample, sock
from tests.unit.rules.test_rules import BAD, HEALTHY, ONE

if TYPE_CHECKING:
    from sockdiag.model.sample import Sample

PAIRS = [
    *((code, case) for code, _verdict, case in BAD if len(case) == 2),
    *((code, case) for code, case in (*HEALTHY, *ONE) if len(case) == 2),
]


def through_a_file(now: Sample, before: Sample) -> Sample:
    """Write a look down, and read it again."""
    entry = BaselineEntry("q", BaselinePlace("b", "n", "m"), 1, 1, 1, remembered(before))
    ((read,), damaged) = read_entries(write_entries([stored(entry)]))
    assert not damaged
    return recalled(read.decode().earlier, now, now.at - before.at)


def test_most_rules_compare() -> None:
    """There are enough pairs of looks, of enough rules, for this to mean something."""
    assert len(PAIRS) > 60
    assert len({code for code, _case in PAIRS}) > 0.6 * len(RULES)


@pytest.mark.parametrize(("code", "case"), PAIRS, ids=lambda v: v if isinstance(v, str) else "")
def test_same_findings(code: str, case: tuple[Sample, Sample]) -> None:
    """Findings, their figures and sentences are the same to the letter, and so is what could not be told."""
    now, before = case
    direct = judge(Case(now, before, owners=samples.owners), [code])
    by_file = judge(Case(now, through_a_file(now, before), owners=samples.owners), [code])
    assert by_file.findings == direct.findings
    assert [one.code for one in by_file.unknown] == [one.code for one in direct.unknown]


@pytest.mark.parametrize("code", RULES)
def test_all_rules_on_every_pair(code: str) -> None:
    """The same of each rule on the evidence of all others."""
    for _code, (now, before) in PAIRS:
        direct = judge(Case(now, before, owners=samples.owners), [code])
        by_file = judge(Case(now, through_a_file(now, before), owners=samples.owners), [code])
        assert by_file.findings == direct.findings


def test_too_many_to_remember(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not all drops can be remembered, the rules of that table cannot tell; they do not take old drops for new ones."""
    monkeypatch.setattr("sockdiag.check.baseline.MOST_SOCKETS", 10)
    before = sample([sock(cookie=i, drops=9) for i in range(1, 30)])
    now = sample([sock(cookie=i, drops=9) for i in range(1, 30)], at=60.0)
    judgement = judge(Case(now, through_a_file(now, before), owners=samples.owners), ["UDP_RECEIVE_BUFFER_FULL"])
    assert judgement.findings == []
    assert [one.reason for one in judgement.unknown] == ["too many sockets with drops to keep: 29"]


def test_a_table_that_was_read_elsewhere() -> None:
    """Sockets that /proc and netlink name differently are not taken for new ones."""
    before, now = sample([sock(drops=9)]), sample([sock(drops=9)], at=60.0)
    before.tables = {"udp": "proc"}
    judgement = judge(Case(now, through_a_file(now, before), owners=samples.owners), ["UDP_DROPS"])
    assert judgement.findings == []
    assert [one.code for one in judgement.unknown] == ["UDP_DROPS"]


def test_what_is_compared_can_be_kept() -> None:
    """Fields that rules compare have a column of their own, or are numbers and texts that any column takes."""
    for name in baseline.FURTHER:
        entry = resolve(name)
        assert entry is not None, name
        assert entry.annotation.removesuffix(" | None") in ("int", "str"), name
        assert entry.name == name


def test_parts_that_are_compared_are_kept() -> None:
    """What rules compare beside sockets and counters is in a baseline."""
    lists = {"qdiscs", "unanswering", "neighbour_tables", "drop_rules"}
    kept = {"sockstat", "protocols", "softnet", "conntrack", "cgroups"} | lists
    before = sample(conntrack=Conntrack(1, 2), **dict.fromkeys(lists, ()), counters={"softnet_stat.0.dropped": 0})
    recalled_sample = through_a_file(sample(at=60.0), before)
    assert all(getattr(recalled_sample, part) is not None for part in kept)
    assert {part for code in RULES for part in load(code).RULE.earlier_parts} <= kept


def test_drops_of_every_table_are_kept() -> None:
    """Measures count drops of sockets, in whatever table these are."""
    assert all("skmem.drops" in COMPARED[table] for table in TABLES)


def compare(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let a rule compare further fields of UDP sockets."""
    monkeypatch.setattr(baseline, "FURTHER", (*baseline.FURTHER, *names))
    monkeypatch.setattr(baseline, "COMPARED", {**COMPARED, "udp": (*COMPARED["udp"], *names)})
    monkeypatch.setattr(baseline, "KEPT", {**KEPT, "udp": (*KEPT["udp"], *((name, "", "") for name in names))})


FURTHER = [("skmem.optmem", 7), ("tcp_info.unacked", 3), ("cgroup", "/a\t-"), ("uid", 0)]


@pytest.mark.parametrize(("name", "value"), FURTHER)
def test_a_field_that_no_rule_compared_before(name: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept without a line of code, of the sockets in which it is not zero and of others that are kept."""
    compare(monkeypatch, name)
    outer, _, inner = name.rpartition(".")
    made = (
        {"tcp_info": TcpInfo._make([None] * len(TcpInfo.FIELDS))._replace(unacked=value)} if outer == "tcp_info" else {}
    )
    more = {inner: value} if outer in ("", "skmem") else made
    before = sample([sock(**more), sock(cookie=2, drops=4, **more), sock(cookie=3, drops=4)])
    (batch,) = through_a_file(sample(at=60.0), before).batches
    found = dict(zip(batch.values("cookie"), batch.values(name), strict=True))
    plain = before.batches[0].values(name)[2]
    assert found == ({1: value} if value else {}) | {2: value, 3: plain}
    direct, kept = (
        Case(sample(at=60.0), one).earlier(("udp",), [2], name)
        for one in (before, through_a_file(sample(at=60.0), before))
    )
    assert direct == kept == {2: (value,)}


def test_a_baseline_from_before_a_field_was_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules of that table cannot tell once, as sockets that had something in it may not be there; those of others can."""
    old = BaselineEntry(
        "q", BaselinePlace("b", "n", "m"), 1, 1, 1, remembered(sample([sock(drops=4), sock("raw", 2, drops=1)]))
    )
    ((read,), _damaged) = read_entries(write_entries([stored(old)]))
    compare(monkeypatch, "skmem.optmem")
    now = sample([sock(drops=5), sock("raw", 2, drops=2)], at=60.0)
    case = Case(now, recalled(read.decode().earlier, now, 59.0), owners=samples.owners)
    (unknown,) = judge(case, ["UDP_RECEIVE_BUFFER_FULL"]).unknown
    assert unknown.reason == "the baseline is from a release that did not keep skmem.optmem"
    assert [finding.code for finding in judge(case, ["RAW_RECEIVE_BUFFER_FULL"]).findings] == [
        "RAW_RECEIVE_BUFFER_FULL"
    ]


def test_a_baseline_with_a_field_that_is_no_longer_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is passed over."""
    before, now = sample([sock(drops=9, optmem=7)]), sample([sock(drops=9)], at=60.0)
    with monkeypatch.context() as then:
        compare(then, "skmem.optmem")
        entry = BaselineEntry("q", BaselinePlace("b", "n", "m"), 1, 1, 1, remembered(before))
        ((read,), _damaged) = read_entries(write_entries([stored(entry)]))
    (batch,) = recalled(read.decode().earlier, now, 60.0).batches
    assert (batch.values("skmem.drops"), batch.values("skmem.optmem")) == ([9], [None])
