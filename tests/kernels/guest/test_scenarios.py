"""Verdicts under other kernels: a choice of tests/live/scenarios, more of them with --verdicts, all with --all."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.live.scenarios.judged import check
from tests.live.scenarios.suite import SCENARIOS, Impossible, Outcome, Scenario, play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

# Of each verdict, and of each counter that kernels keep in another way; none needs a pace that an emulated CPU lacks. Each
# takes eight seconds of CPU there.
CHOSEN = {
    *("nothing", "udp_half_full", "udp_overflow", "udp_overflow_that_is_over", "raw_overflow", "netlink_overrun"),
    *("accept_queue_overflow", "tcp_reader_stalled", "out_of_order_pruned", "close_wait_leak", "unix_dgram_unread"),
    "qdisc_drops",
}
# For the matrices of docs/verdicts.md: healthy conditions, which no kernel may take for bad ones, and what counts losses or
# holds memory in other ways.
MORE = CHOSEN | {
    *("udp_idle", "udp6_overflow", "udp_filter_passes", "udp_filter_rejects", "raw_read", "packet_overflow"),
    *("netlink_idle", "accept_queue_full", "syn_flood_with_cookies", "tcp_transfer", "peer_vanishes"),
    *("out_of_order_joined", "close_wait_pool", "qdisc_healthy", "sender_is_refused"),
}
# More take more than the minute that a command may.
_AT_ONCE = 2


def chosen() -> list[Scenario]:
    """Return those that this run plays."""
    everything = os.environ.get("SOCKDIAG_TEST_ALL")
    names = MORE if os.environ.get("SOCKDIAG_TEST_VERDICTS") else CHOSEN
    return [scenario for scenario in SCENARIOS if everything or scenario.name in names]


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, Future[Outcome | BaseException]]]:
    """Play them, some at once: they wait more than they work. Each is told as soon as it is known."""
    pool = ThreadPoolExecutor(_AT_ONCE)
    yield {scenario.name: pool.submit(play, scenario) for scenario in chosen()}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("scenario", chosen(), ids=lambda s: s.name)
def test_verdict(
    scenario: Scenario,
    outcomes: dict[str, Future[Outcome | BaseException]],
    record_property: Callable[[str, object], None],
) -> None:
    """As tests/live/scenarios/test_verdicts.py.

    Where an emulated CPU makes a healthy condition lose, or is too slow to lose, the condition is another one: then the
    verdict has to agree with the kernel's counters, and the run does not count.
    """
    outcome = outcomes[scenario.name].result()
    if isinstance(outcome, Impossible):
        pytest.skip(str(outcome))
    if isinstance(outcome, Outcome) and (why := not_reached(scenario, outcome)):
        told = [(f["code"], f["verdict"], f["summary"]) for f in outcome.findings]
        assert (outcome.verdict == "dropping") == bool(outcome.lost), (outcome.lost, told)
        pytest.skip(f"this CPU: {why}")
    said = outcome.verdict if isinstance(outcome, Outcome) else "failed"
    record_property("scenario", [scenario.name, scenario.verdict, said])
    check(scenario, outcome)


def not_reached(scenario: Scenario, outcome: Outcome) -> str:
    """Say what the kernel counted that does not belong to a condition; "" if it was what it is meant to be."""
    losing = scenario.verdict == "dropping"
    if bool(outcome.lost) != losing:
        return "too slow to lose" if losing else f"lost {', '.join(outcome.lost)}"
    if outcome.lost_before and outcome.verdict == "recovered" != scenario.verdict:
        return f"had lost {', '.join(outcome.lost_before)}"
    return ""


def test_the_choice_exists() -> None:
    """Every name is one of a scenario."""
    assert {scenario.name for scenario in SCENARIOS} >= MORE
