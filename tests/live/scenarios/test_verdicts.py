"""Verdicts on real conditions, with the kernel's own counters as ground truth."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.live.scenarios import advice, load
from tests.live.scenarios import conditions as c
from tests.live.scenarios.suite import SCENARIOS, Outcome, Scenario, ask, matrix, play_all
from tests.live.world.namespace import netns

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).parents[3] / "docs" / "verdicts.md"


@pytest.fixture(scope="session")
def outcomes() -> dict[str, Outcome | BaseException]:
    """Play all scenarios."""
    return play_all()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_verdict(scenario: Scenario, outcomes: dict[str, Outcome | BaseException]) -> None:
    """The verdict is right, a finding names the condition, and loss is told exactly when the kernel counted some."""
    outcome = outcomes[scenario.name]
    if isinstance(outcome, BaseException):
        raise outcome
    told = [(f["code"], f["verdict"], f["summary"]) for f in outcome.findings]
    assert outcome.verdict == scenario.verdict, told
    assert bool(outcome.lost) == (scenario.verdict == "dropping"), outcome.lost
    assert (outcome.sent_again >= 0.05) == (scenario.code == "RETRANSMISSION"), outcome.sent_again
    if scenario.code:
        found = [f for f in outcome.findings if f["code"] == scenario.code and f["verdict"] == scenario.verdict]
        assert found, told
    worst = {f["severity"] for f in outcome.findings}
    assert outcome.status == (3 if "critical" in worst else 0)


def test_matrix(outcomes: dict[str, Outcome | BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    """The confusion matrix is diagonal, and docs/verdicts.md shows it."""
    table = matrix(outcomes)
    with capsys.disabled():
        print(f"\n{len(SCENARIOS)} scenarios\n{table}")
    assert table in DOCS.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", advice.CASES, ids=lambda case: case[0].__name__)
def test_advice_ends_the_loss(case: tuple[Callable[[], None], Callable[[], None], str, str]) -> None:
    """What the finding advises is done, and the finding and the loss are gone."""
    make, apply, code, words = case
    with netns() as namespace:
        namespace.call(make)
        document, _status = ask(namespace, "doctor", "--interval", "1")
        found = [f for f in document["findings"] if f["code"] == code and f["verdict"] != "recovered"]
        assert found, document["findings"]
        assert any(words in f"{a['action']} {a['command']} {a['why']}" for f in found for a in f["advice"]), found
        namespace.call(apply)
        time.sleep(0.5)
        before = namespace.call(load.losses)
        document, _status = ask(namespace, "doctor", "--interval", "1")
        after = namespace.call(load.losses)
    assert not [f for f in document["findings"] if f["code"] == code and f["verdict"] not in ("recovered", "ok")]
    assert {n: v - before.get(n, 0) for n, v in after.items() if v != before.get(n, 0)} == {}


def test_one_stalled_process_is_one_finding() -> None:
    """Forty full buffers of one process are one cause."""
    with netns() as namespace:
        namespace.call(c.udp_forty_full)
        document, _status = ask(namespace, "doctor")
        assert [f["subject"]["sockets"] for f in document["findings"]] == [40]
        assert document["findings"][0]["subject"]["pid"] == namespace.call(load.pid)


def test_no_useless_sysctl() -> None:
    """Neither somaxconn for a listener that asked for less, nor rmem_max for a socket below its cap is advised."""
    with netns() as namespace:
        namespace.call(c.accept_queue_full)
        namespace.call(c.udp_nearly_full)
        document, _status = ask(namespace, "doctor")
        commands = [a["command"] for f in document["findings"] for a in f["advice"]]
        assert document["findings"]
        assert not [text for text in commands if text and ("somaxconn" in text or "rmem_max" in text)]


def test_one_look_says_that_rates_are_unknown() -> None:
    """Without an interval there is no loss in it: levels alone are judged."""
    with netns() as namespace:
        namespace.call(c.udp_overflow)
        document, _status = ask(namespace, "risk")
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
