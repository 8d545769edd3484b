"""Rules are pure functions of a case; what they decide by comes with it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.judging.case import Case
from sockdiag.judging.judge import judge, verdict_of
from sockdiag.judging.registry import RULES, load
from sockdiag.model.finding import AT_RISK, OK, UNKNOWN
from tests.unit.rules.samples import RCVBUF, owners, sample, sock
from tests.unit.rules.test_rules import BAD, HEALTHY, ONE

if TYPE_CHECKING:
    from sockdiag.judging.judge import Judgement
    from sockdiag.model.sample import Sample

EVIDENCE = [case for *_names, case in (*BAD, *HEALTHY, *ONE)]
MARGIN = 0.9


def told(judgement: Judgement) -> Any:
    return judgement.findings, judgement.unknown


def case_of(samples: tuple[Sample, ...]) -> Case:
    return Case(*samples[:2], owners=owners, between=samples[2:])


def strict(samples: tuple[Sample, ...]) -> Any:
    return told(judge(case_of(samples)))


def relaxed(samples: tuple[Sample, ...]) -> Any:
    return told(judge(case_of(samples).relaxed(MARGIN)))


def attributes() -> dict[tuple[str, str], Any]:
    """Return what each module of a rule holds, as it is now."""
    modules = [load(code) for code in RULES]
    return {(module.RULE.code, name): value for module in modules for name, value in vars(module).items()}


def test_a_case_is_judged_alike_each_time() -> None:
    """The same case twice, and with the rules in another order: each of them says the same, and no module changes."""
    before = attributes()
    for samples in EVIDENCE:
        case = case_of(samples)
        first = {code: told(judge(case, [code])) for code in RULES}
        judge(case.relaxed(MARGIN))
        again = {code: told(judge(case, [code])) for code in reversed(RULES)}
        assert again == first
    after = attributes()
    assert after.keys() == before.keys()
    assert all(after[key] is value for key, value in before.items())


def test_threads_do_not_meet() -> None:
    """Strict and relaxed judgements at the same time, in several threads, are those of one after the other."""
    alone = [(strict(samples), relaxed(samples)) for samples in EVIDENCE]
    with ThreadPoolExecutor(4) as pool:
        together = list(zip(pool.map(strict, EVIDENCE), pool.map(relaxed, EVIDENCE), strict=True))
    assert together == alone


def test_a_relaxed_case_finds_what_is_nearly_as_bad() -> None:
    """A level between nine tenths of the threshold and the threshold is found in a relaxed case, and in no other."""
    near = Case(sample([sock(rmem_alloc=int(0.8 * RCVBUF))]), owners=owners)
    codes = ["UDP_RECEIVE_BUFFER_FULL"]
    assert judge(near, codes).findings == []
    assert [finding.verdict for finding in judge(near.relaxed(MARGIN), codes).findings] == [AT_RISK]
    assert judge(near, codes).findings == []


@pytest.mark.parametrize("code", RULES)
def test_only_ratios_are_relaxed(code: str) -> None:
    """The other thresholds are numbers of sockets, bytes or retransmissions."""
    case = Case(sample()).relaxed(0.5)
    for one in load(code).RULE.thresholds:
        factor = 0.5 if one.name.endswith("_ratio") else 1
        assert case.threshold(load(code).RULE, one.name) == one.value * factor


def test_the_verdict_of_all() -> None:
    """A rule that could not tell makes unknown of what would be fine, and hides nothing that is worse."""
    full = judge(Case(sample([sock(rmem_alloc=RCVBUF)])), ["UDP_RECEIVE_BUFFER_FULL"])
    blind = judge(Case(sample(absent={"udp": "no"})), ["UDP_RECEIVE_BUFFER_FULL"])
    assert verdict_of([], []) == OK
    assert verdict_of(blind.findings, blind.unknown) == UNKNOWN
    assert verdict_of(full.findings, full.unknown) == AT_RISK
    assert verdict_of(full.findings, blind.unknown) == AT_RISK
