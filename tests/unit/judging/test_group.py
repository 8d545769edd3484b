"""One cause is one finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockdiag.judging.case import Case
from sockdiag.judging.group import by_cause, name_owners
from sockdiag.judging.judge import judge
from sockdiag.model.address import Endpoint
from tests.unit.rules.samples import RCVBUF, listener, owners, sample, sock

if TYPE_CHECKING:
    from collections.abc import Collection


def test_one_process_is_one_cause() -> None:
    """What a process that does not get to its sockets brings about is one finding, the worst of them first."""
    sockets = [sock(cookie=i, rmem_alloc=RCVBUF - 9) for i in range(1, 6)]
    now = sample([*sockets, listener(6, 5, cookie=9), listener(8, 7, cookie=10, local=Endpoint("127.0.0.1", 80))])
    case = Case(now, owners=owners)
    hits = name_owners(case, judge(case).hits)
    assert len(hits) == 7
    (finding,) = by_cause(hit.finding for hit in hits)
    assert (finding.subject.kind, finding.subject.pid, finding.subject.sockets) == ("process", 7, 7)
    assert finding.evidence["sockets UDP_RECEIVE_BUFFER_FULL"].value == 5
    assert finding.evidence["sockets ACCEPT_QUEUE_FULL"].value == 2
    assert finding.headroom_ratio == 0


def test_without_owners_sockets_stay_apart() -> None:
    """Sockets whose owner is not visible need not be one process's."""
    now = sample(
        [sock(cookie=1, rmem_alloc=RCVBUF), sock(cookie=2, rmem_alloc=RCVBUF, local=Endpoint("127.0.0.1", 54))]
    )
    case = Case(now)
    assert len(by_cause(hit.finding for hit in name_owners(case, judge(case).hits))) == 2


def test_suspects_have_their_state() -> None:
    """Each process is read once, whatever it is suspected of; one that cannot be read has no state."""
    asked: list[set[int]] = []

    def states(pids: Collection[int]) -> dict[int, str]:
        asked.append(set(pids))
        return {7: "stopped"}

    now = sample([sock(cookie=i, rmem_alloc=RCVBUF - 9) for i in range(1, 4)])
    case = Case(now, owners=owners, states=states)
    hits = name_owners(case, judge(case).hits)
    assert {(one.pid, one.state) for hit in hits for one in hit.finding.suspects} == {(7, "stopped")}
    assert {one.state for hit in name_owners(Case(now, owners=owners), hits) for one in hit.finding.suspects} == {
        "stopped"
    }
    name_owners(case.relaxed(0.9), judge(case).hits)
    assert asked == [{7}]
