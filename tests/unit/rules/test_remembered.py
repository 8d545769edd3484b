"""Rules find the same whether the look before is at hand or was written down and read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sockdiag.analysis.baseline import recalled, remembered
from sockdiag.judging.case import Case
from sockdiag.judging.judge import judge
from sockdiag.judging.registry import RULES
from sockdiag.model.baseline import BaselineEntry, BaselinePlace, read_entries, stored, write_entries
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
    monkeypatch.setattr("sockdiag.analysis.baseline.MOST_SOCKETS", 10)
    before = sample([sock(cookie=i, drops=9) for i in range(1, 30)])
    now = sample([sock(cookie=i, drops=9) for i in range(1, 30)], at=60.0)
    judgement = judge(Case(now, through_a_file(now, before), owners=samples.owners), ["UDP_RECEIVE_BUFFER_FULL"])
    assert judgement.findings == []
    assert [one.reason for one in judgement.unknown] == ["29 sockets with drops, too many to keep"]


def test_a_table_that_was_read_elsewhere() -> None:
    """Sockets that /proc and netlink name differently are not taken for new ones."""
    before, now = sample([sock(drops=9)]), sample([sock(drops=9)], at=60.0)
    before.tables = {"udp": "proc"}
    judgement = judge(Case(now, through_a_file(now, before), owners=samples.owners), ["UDP_DROPS"])
    assert judgement.findings == []
    assert [one.code for one in judgement.unknown] == ["UDP_DROPS"]
