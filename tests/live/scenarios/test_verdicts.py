"""Verdicts on real conditions, with the kernel's own counters as ground truth."""

from __future__ import annotations

import pytest

from sockdiag.judging.registry import RULES
from tests.live.scenarios import conditions as c
from tests.live.scenarios import datagrams as d
from tests.live.scenarios import load
from tests.live.scenarios.judged import check, compare
from tests.live.scenarios.suite import (
    HOST_SCENARIOS,
    SCENARIOS,
    Outcome,
    Scenario,
    ask,
    play_all,
)
from tests.live.world.namespace import netns


@pytest.fixture(scope="session")
def outcomes() -> dict[str, Outcome | BaseException]:
    """Play all scenarios."""
    return play_all()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_verdict(scenario: Scenario, outcomes: dict[str, Outcome | BaseException]) -> None:
    """The verdict is right, a finding names the condition, and loss is told exactly when the kernel counted some."""
    check(scenario, outcomes[scenario.name])


def test_matrix(outcomes: dict[str, Outcome | BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    """The confusion matrix is diagonal, and docs/verdicts.md shows it."""
    compare(SCENARIOS, outcomes, capsys)


def test_every_rule_has_a_condition() -> None:
    """Each finding is made by a scenario, and each mechanism has a healthy one."""
    scenarios = (*SCENARIOS, *HOST_SCENARIOS)
    assert {s.code for s in scenarios if s.code} == set(RULES)
    healthy = {s.mechanism for s in scenarios if s.verdict == "ok" and not s.code}
    assert healthy == {s.mechanism for s in scenarios}


def test_one_stalled_process_is_one_finding() -> None:
    """Forty full buffers of one process are one cause."""
    with netns() as namespace:
        namespace.call(d.udp_forty_full)
        document, _status = ask(namespace, "doctor")
        assert [f["subject"]["sockets"] for f in document["findings"]] == [40]
        assert document["findings"][0]["subject"]["pid"] == namespace.call(load.pid)


def test_no_useless_sysctl() -> None:
    """Neither somaxconn for a listener that asked for less, nor rmem_max for a socket below its cap is advised."""
    with netns() as namespace:
        namespace.call(c.accept_queue_full)
        namespace.call(d.udp_nearly_full)
        document, _status = ask(namespace, "doctor")
        commands = [a["command"] for f in document["findings"] for a in f["advice"]]
        assert document["findings"]
        assert not [text for text in commands if text and ("somaxconn" in text or "rmem_max" in text)]


def test_one_look_says_that_rates_are_unknown() -> None:
    """A single sample has no interval and no loss in it: levels alone are judged."""
    with netns() as namespace:
        namespace.call(d.udp_overflow)
        document, _status = ask(namespace, "risk", "--interval", "0")
        assert (document["interval_s"], document["verdict"]) == (None, "at_risk")


def test_listeners_command() -> None:
    """Depth, limit, drops and owner of a listener that refuses, and the finding about it."""
    with netns() as namespace:
        namespace.call(c.accept_queue_overflow)
        document, _status = ask(namespace, "listeners", "--interval", "1")
        row = document["listeners"][0]
        assert (row["accept_queue"], row["accept_queue_limit"]) == (3, 2)
        assert row["drops_in_interval"] > 0
        assert row["socket"]["processes"][0]["pid"] == namespace.call(load.pid)
        assert [f["code"] for f in document["findings"]] == ["ACCEPT_QUEUE_OVERFLOW"]
