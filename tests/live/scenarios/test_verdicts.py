"""Verdicts on real conditions, with the kernel's own counters as ground truth."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sockdiag.judging.registry import RULES
from tests.live.scenarios import advice, cgroups, host, load
from tests.live.scenarios import conditions as c
from tests.live.scenarios import datagrams as d
from tests.live.scenarios.suite import (
    HOST_SCENARIOS,
    SCENARIOS,
    Impossible,
    Outcome,
    Scenario,
    ask,
    matrix,
    play_all,
    play_all_on_host,
)
from tests.live.world.namespace import Namespace, netns
from tests.needs import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.live.scenarios.host import HostScenario

DOCS = Path(__file__).parents[3] / "docs" / "verdicts.md"


@pytest.fixture(scope="session")
def outcomes() -> dict[str, Outcome | BaseException]:
    """Play all scenarios."""
    return play_all()


@pytest.fixture(scope="session")
def host_outcomes() -> dict[str, Outcome | BaseException]:
    """Play the scenarios that change limits of the host."""
    return play_all_on_host()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_verdict(scenario: Scenario, outcomes: dict[str, Outcome | BaseException]) -> None:
    """The verdict is right, a finding names the condition, and loss is told exactly when the kernel counted some."""
    _check(scenario, outcomes[scenario.name])


@pytest.mark.host_limits
@pytest.mark.parametrize("scenario", HOST_SCENARIOS, ids=lambda s: s.name)
def test_verdict_at_limits_of_the_host(
    scenario: HostScenario, host_outcomes: dict[str, Outcome | BaseException]
) -> None:
    """The same where a limit of the whole host is what is reached."""
    _check(scenario, host_outcomes[scenario.name])


def _check(scenario: Scenario | HostScenario, outcome: Outcome | BaseException) -> None:
    _possible(outcome)
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


def _possible(*outcomes: Outcome | BaseException) -> None:
    for outcome in outcomes:
        if isinstance(outcome, Impossible):
            refuse(str(outcome))


def test_matrix(outcomes: dict[str, Outcome | BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    """The confusion matrix is diagonal, and docs/verdicts.md shows it."""
    _compare(SCENARIOS, outcomes, capsys)


@pytest.mark.host_limits
def test_matrix_at_limits_of_the_host(
    host_outcomes: dict[str, Outcome | BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    """So is that of the limits of the host."""
    _compare(HOST_SCENARIOS, host_outcomes, capsys)


def _compare(
    scenarios: Sequence[Scenario | HostScenario],
    outcomes: dict[str, Outcome | BaseException],
    capsys: pytest.CaptureFixture[str],
) -> None:
    _possible(*outcomes.values())
    table = matrix(scenarios, outcomes)
    with capsys.disabled():
        print(f"\n{len(scenarios)} scenarios\n{table}")
    text = DOCS.read_text(encoding="utf-8")
    assert table in text
    assert f"{len(scenarios)} conditions" in text


def test_every_rule_has_a_condition() -> None:
    """Each finding is made by a scenario, and each mechanism has a healthy one."""
    scenarios = (*SCENARIOS, *HOST_SCENARIOS)
    assert {s.code for s in scenarios if s.code} == set(RULES)
    healthy = {s.mechanism for s in scenarios if s.verdict == "ok" and not s.code}
    assert healthy == {s.mechanism for s in scenarios}


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


@pytest.mark.parametrize(("make", "code"), advice.CGROUP_CASES, ids=lambda v: getattr(v, "__name__", v))
def test_advised_command_ends_the_loss_in_a_cgroup(make: Callable[[], None], code: str) -> None:
    """The command that the finding advises is run, and the finding and the loss are gone."""
    if cgroups.missing():
        refuse(cgroups.missing())
    namespace = Namespace()
    try:
        namespace.call(make)
        _follow(namespace, code, {})
    finally:
        namespace.close()
        cgroups.remove(namespace.pid)


@pytest.mark.host_limits
@pytest.mark.parametrize(("name", "code", "factors"), advice.HOST_CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_advised_command_ends_the_loss_on_the_host(name: str, code: str, factors: dict[str, int]) -> None:
    """The same of limits of the host; of memory, which depends on the machine, the advice tells the sysctl alone."""
    if host.missing():
        refuse(host.missing())
    scenario = next(s for s in HOST_SCENARIOS if s.name == name)
    with host.nobody_else(changes=True), netns() as namespace:
        namespace.call(scenario.make)
        time.sleep(0.1)
        with host.limits(scenario.limits(namespace.pid)):
            if scenario.go is not None:
                namespace.call(scenario.go)
            time.sleep(0.2)
            _follow(namespace, code, factors)


def _follow(namespace: Namespace, code: str, factors: dict[str, int]) -> None:
    document, _status = ask(namespace, "doctor", "--interval", "1")
    found = [f for f in document["findings"] if f["code"] == code and f["verdict"] in ("dropping", "at_risk")]
    assert found, document["findings"]
    told = [a for f in found for a in f["advice"]]
    commands = [a["command"] for a in told if a["command"] and a["command"].startswith(("sysctl -w ", "echo "))]
    assert bool(commands) != bool(factors)
    for command in commands:
        subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    for sysctl, factor in factors.items():
        assert any(sysctl in a["action"] for a in told)
        path = Path("/proc/sys", *sysctl.split("."))
        path.write_text(" ".join(str(int(number) * factor) for number in path.read_text().split()))
    time.sleep(0.5)
    before = namespace.call(load.losses)
    document, _status = ask(namespace, "doctor", "--interval", "1")
    after = namespace.call(load.losses)
    assert not [f for f in document["findings"] if f["code"] == code and f["verdict"] not in ("recovered", "ok")]
    assert {n: v - before.get(n, 0) for n, v in after.items() if v != before.get(n, 0)} == {}


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
    """Without an interval there is no loss in it: levels alone are judged."""
    with netns() as namespace:
        namespace.call(d.udp_overflow)
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
