"""What must hold of the outcome of a scenario, and of following a finding's advice."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.live.scenarios import load
from tests.live.scenarios.suite import (
    Impossible,
    Outcome,
    Scenario,
    ask,
    matrix,
)
from tests.needs import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from tests.live.scenarios.host import HostScenario
    from tests.live.world.namespace import Namespace

DOCS = Path(__file__).parents[3] / "docs" / "verdicts.md"


def check(scenario: Scenario | HostScenario, outcome: Outcome | BaseException) -> None:
    """The verdict is right, a finding names the condition, and loss is told exactly when the kernel counted some."""
    possible(outcome)
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


def possible(*outcomes: Outcome | BaseException) -> None:
    """Go on if all conditions could be made."""
    for outcome in outcomes:
        if isinstance(outcome, Impossible):
            refuse(str(outcome))


def compare(
    scenarios: Sequence[Scenario | HostScenario],
    outcomes: dict[str, Outcome | BaseException],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The confusion matrix is diagonal, and docs/verdicts.md shows it."""
    possible(*outcomes.values())
    table = matrix(scenarios, outcomes)
    with capsys.disabled():
        print(f"\n{len(scenarios)} scenarios\n{table}")
    text = DOCS.read_text(encoding="utf-8")
    assert table in text
    assert f"{len(scenarios)} conditions" in text


def follow(namespace: Namespace, code: str, factors: dict[str, int]) -> None:
    """The command that a finding advises is run, and the finding and the loss are gone."""
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
    assert load.lost(before, after) == {}
