"""The same where a limit of the whole host is what is reached, or what is advised to be raised."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.live.scenarios import advice, host
from tests.live.scenarios.judged import check, compare, follow
from tests.live.scenarios.suite import (
    HOST_SCENARIOS,
    Outcome,
    play_all_on_host,
)
from tests.live.world.namespace import netns
from tests.needs import refuse

if TYPE_CHECKING:
    from tests.live.scenarios.host import HostScenario

pytestmark = pytest.mark.host_limits


@pytest.fixture(scope="session")
def host_outcomes() -> dict[str, Outcome | BaseException]:
    """Play the scenarios that change limits of the host."""
    return play_all_on_host()


@pytest.mark.parametrize("scenario", HOST_SCENARIOS, ids=lambda s: s.name)
def test_verdict_at_limits_of_the_host(
    scenario: HostScenario, host_outcomes: dict[str, Outcome | BaseException]
) -> None:
    """The same where a limit of the whole host is what is reached."""
    check(scenario, host_outcomes[scenario.name])


def test_matrix_at_limits_of_the_host(
    host_outcomes: dict[str, Outcome | BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    """So is that of the limits of the host."""
    compare(HOST_SCENARIOS, host_outcomes, capsys)


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
            follow(namespace, code, factors)
