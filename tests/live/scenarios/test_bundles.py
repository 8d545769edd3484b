"""Induced outages, judged from what sos collects of them: with the text of ss, and without."""

from __future__ import annotations

import pytest

from tests.live.scenarios.collectors import ask_sosreport
from tests.live.scenarios.judged import possible
from tests.live.scenarios.suite import SCENARIOS, Outcome, play_all

# By scenario, the finding that must name it, with ss and without; "" where /proc and netstat cannot tell.
OUTAGES: dict[str, tuple[str, str]] = {
    "accept_queue_full": ("ACCEPT_QUEUE_FULL", ""),
    "accept_queue_overflow": ("ACCEPT_QUEUE_FULL", "PAST_LOSSES"),
    "udp_nearly_full": ("UDP_RECEIVE_BUFFER_FULL", ""),
    "udp_overflow": ("UDP_RECEIVE_BUFFER_FULL", "UDP_RECEIVE_BUFFER_FULL"),
    "raw_overflow": ("RAW_RECEIVE_BUFFER_FULL", "RAW_RECEIVE_BUFFER_FULL"),
    "netlink_congested": ("NETLINK_RECEIVE_BUFFER_FULL", "NETLINK_RECEIVE_BUFFER_FULL"),
    "tcp_reader_stalled": ("TCP_RECEIVER_STALLED", ""),
    "tcp6_reader_stalled": ("TCP_RECEIVER_STALLED", ""),
    "peer_vanishes": ("PEER_SILENT", "PEER_SILENT"),
    "peer6_vanishes": ("PEER_SILENT", "PEER_SILENT"),
    "last_ack_unanswered": ("LAST_ACK_STUCK", "LAST_ACK_STUCK"),
    "no_answer_to_syn": ("SYN_SENT_UNANSWERED", "SYN_SENT_UNANSWERED"),
    "close_wait_leak": ("CLOSE_WAIT_LEAK", "CLOSE_WAIT_LEAK"),
    "fin_wait2_leak": ("FIN_WAIT2_LEAK", "FIN_WAIT2_LEAK"),
    "time_wait_overflow": ("TIME_WAIT_OVERFLOW", "TIME_WAIT_OVERFLOW"),
    "ports_used_up": ("EPHEMERAL_PORTS", "EPHEMERAL_PORTS"),
    "unix_listener_full": ("UNIX_LISTENER_FULL", ""),
}
# Nothing is wrong: nothing may be found.
HEALTHY = ("listener_idle", "tcp_idle", "udp_idle")


@pytest.fixture(scope="module", params=[True, False], ids=["with-ss", "without-ss"])
def played(request: pytest.FixtureRequest) -> tuple[bool, dict[str, Outcome | BaseException]]:
    """Play the outages, and judge a sosreport of each."""
    chosen = [s for s in SCENARIOS if s.name in OUTAGES or s.name in HEALTHY]
    return request.param, play_all(chosen, ask_sosreport(ss=request.param))


def _codes(outcome: Outcome | BaseException) -> list[tuple[str, str]]:
    possible(outcome)
    if isinstance(outcome, BaseException):
        raise outcome
    return [(f["code"], f["verdict"]) for f in outcome.findings]


@pytest.mark.parametrize("name", OUTAGES)
def test_outage(name: str, played: tuple[bool, dict[str, Outcome | BaseException]]) -> None:
    with_ss, outcomes = played
    code = OUTAGES[name][0 if with_ss else 1]
    found = _codes(outcomes[name])
    if code:
        assert code in [one for one, _verdict in found], found
    else:
        assert not [one for one in found if one[1] not in ("ok", "recovered", "unknown")], found


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_wrong(name: str, played: tuple[bool, dict[str, Outcome | BaseException]]) -> None:
    assert not [one for one in _codes(played[1][name]) if one[1] not in ("ok", "unknown")]


def test_there_are_twelve() -> None:
    assert all(len([codes for codes in OUTAGES.values() if codes[way]]) >= 12 for way in (0, 1))
    assert {s.name for s in SCENARIOS} >= {*OUTAGES, *HEALTHY}
