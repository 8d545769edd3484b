"""Connections that pile up in a state: what grows or is large is a leak, what passes or is in use is not."""

from __future__ import annotations

from typing import Any

import pytest

from sockdiag.model.address import Endpoint
from sockdiag.model.tcp_info import TcpInfo
from tests.unit.rules.samples import found, sample, sock

CODES = [("CLOSE_WAIT_LEAK", "CLOSE_WAIT"), ("FIN_WAIT2_LEAK", "FIN_WAIT2")]


def connections(state: str, n: int, first: int = 0) -> list[Any]:
    return [sock("tcp", 1 + i, state, peer=Endpoint("10.0.0.9", 5432)) for i in range(first, first + n)]


def aged(oldest_s: float, youngest_s: float, n: int, moved_s: float = 3600) -> Any:
    """Answer for n connections that ended one after another, and last moved data at one time."""

    def info(socket: Any) -> TcpInfo:
        age = oldest_s - (oldest_s - youngest_s) * (socket.cookie - 1) / max(1, n - 1)
        moved = int(1000 * moved_s)
        return TcpInfo(last_data_sent_ms=moved, last_data_recv_ms=moved, last_ack_recv_ms=int(1000 * age))

    return info


@pytest.mark.parametrize(("code", "state"), CODES)
def test_growth(code: str, state: str) -> None:
    """More in the second sample and none gone, or ends spread over time that go on, are a leak."""
    before = sample(connections(state, 8))
    (finding,) = found(code, sample(connections(state, 9), at=1.0), before)
    assert (finding.verdict, finding.severity) == ("leaking", "warning")
    assert "10.0.0.9:5432" in finding.summary
    same = sample(connections(state, 8), at=1.0)
    (finding,) = found(code, same, before, info=aged(20, 1, 8))
    assert finding.verdict == "leaking"
    (finding,) = found(code, sample(connections(state, 12)), info=aged(20, 1, 12))
    assert finding.verdict == "leaking"


@pytest.mark.parametrize(("code", "state"), CODES)
def test_an_idle_pool_is_noted(code: str, state: str) -> None:
    """Eight connections that the server closed at one time stay as they are."""
    before, now = sample(connections(state, 8)), sample(connections(state, 8), at=1.0)
    (finding,) = found(code, now, before, info=aged(100, 99.5, 8))
    assert (finding.verdict, finding.severity) == ("ok", "info")
    (finding,) = found(code, sample(connections(state, 12)), info=aged(100, 99.5, 12))
    assert (finding.verdict, finding.severity) == ("ok", "info")


@pytest.mark.parametrize(("code", "state"), CODES)
def test_a_share_of_the_descriptors(code: str, state: str) -> None:
    """Many are a leak even if they do not become more, and critical from half of the limit on."""
    before, now = sample(connections(state, 60)), sample(connections(state, 60), at=1.0)
    for limit, verdict, severity in ((1024, "ok", "info"), (512, "leaking", "warning"), (100, "leaking", "critical")):
        (finding,) = found(code, now, before, info=aged(100, 99, 60), open_files=lambda _pids, n=limit: {7: n})
        assert (finding.verdict, finding.severity) == (verdict, severity)
    (finding,) = found(
        code, sample(connections(state, 120), at=1.0), sample(connections(state, 120)), info=aged(9, 8, 120)
    )
    assert (finding.verdict, finding.severity) == ("leaking", "warning")


@pytest.mark.parametrize(("code", "state"), CODES)
def test_churn_is_healthy(code: str, state: str) -> None:
    """Connections that pass through the state are nobody's leak: others take their place, or nobody holds them any more."""
    before = sample(connections(state, 250))
    now = sample(connections(state, 250, first=50), at=1.0)
    assert found(code, now, before, info=aged(2, 0, 300)) == []
    assert found(code, sample(connections(state, 250)), info=aged(0.1, 0, 250)) == []
    nobody = {"owners": lambda _inodes: {}, "info": lambda _socket: None}
    assert found(code, sample(connections(state, 250)), **nobody) == []
    assert found(code, now, before, **nobody) == []


@pytest.mark.parametrize(("code", "state"), CODES)
def test_half_closed_and_in_use(code: str, state: str) -> None:
    """Six streams on which data flows in one direction are what half-closing is for."""
    before, now = sample(connections(state, 6)), sample(connections(state, 7), at=1.0)
    assert found(code, now, before, info=aged(100, 1, 7, moved_s=0.2)) == []


@pytest.mark.parametrize(("code", "state"), CODES)
def test_batches_are_healthy(code: str, state: str) -> None:
    """A process that closes them all every few seconds had as many before; so has one whose server has just restarted."""
    before = sample(connections(state, 23))
    now = sample(connections(state, 60), at=0.5)
    for oldest in (0.7, 5.5):
        assert [one.verdict for one in found(code, now, before, info=aged(oldest, 0.5, 23))] == ["ok"]
    assert [one.verdict for one in found(code, now, before, info=aged(6.5, 0.5, 23))] == ["leaking"]
    many = {"info": aged(3, 2.9, 200), "open_files": lambda _pids: {7: 1024}}
    (finding,) = found(code, sample(connections(state, 200), at=1.0), sample(connections(state, 200)), **many)
    assert (finding.verdict, finding.severity) == ("ok", "info")


@pytest.mark.parametrize(("code", "state"), CODES)
def test_a_young_leak(code: str, state: str) -> None:
    """What grows too slowly to have gathered within seconds is a leak however young, and so is half of the descriptors."""
    (finding,) = found(
        code, sample(connections(state, 22), at=1.0), sample(connections(state, 20)), info=aged(2, 1, 20)
    )
    assert (finding.verdict, finding.severity) == ("leaking", "warning")
    half = {"info": aged(3, 1, 60), "open_files": lambda _pids: {7: 120}}
    (finding,) = found(code, sample(connections(state, 60), at=1.0), sample(connections(state, 60)), **half)
    assert (finding.verdict, finding.severity) == ("leaking", "critical")


@pytest.mark.parametrize(("code", "state"), CODES)
def test_closed_while_they_are_judged(code: str, state: str) -> None:
    """What has left the state when it is asked for its tcp_info was about to be closed; that nothing answers proves nothing."""

    def ended(socket: Any) -> TcpInfo:
        raise LookupError(socket.cookie)

    before, now = sample(connections(state, 200)), sample(connections(state, 230), at=0.5)
    assert found(code, now, before, info=ended) == []
    assert found(code, now, info=ended) == []
    assert [one.verdict for one in found(code, now, before, info=lambda _socket: None)] == ["leaking"]
