"""From a capture of two samples the verdict is the one that the running system gets: a fixed part of the conditions."""

from __future__ import annotations

import pytest

from tests.live.scenarios.judged import check
from tests.live.scenarios.suite import SCENARIOS, Outcome, Scenario, ask_capture, play_all

# One for each kind of evidence: counters, levels and probes, answers of single sockets, links, firewall, cgroups, states of processes.
CHOSEN = (
    "nothing",
    "udp_overflow",
    "netlink_congested",
    "accept_queue_full",
    "few_files",
    "tcp_reader_stalled",
    "tcp_some_unread",
    "peer_vanishes",
    "close_wait_leak",
    "unix_listener_full",
    "unix_dgram_unread",
    "qdisc_drops",
    "neighbour_is_silent",
    "firewall_drops_a_third",
    "cgroup_nearly_full",
)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome | BaseException]:
    """Play the chosen scenarios, and judge captures of them."""
    return play_all([s for s in SCENARIOS if s.name in CHOSEN], ask_capture)


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.name in CHOSEN], ids=lambda s: s.name)
def test_verdict_of_a_capture(scenario: Scenario, outcomes: dict[str, Outcome | BaseException]) -> None:
    check(scenario, outcomes[scenario.name])


def test_chosen_scenarios_exist() -> None:
    assert set(CHOSEN) <= {s.name for s in SCENARIOS}
