"""Drops that name no socket are given to the one whose counter has moved by as many, and to no other namespace's."""

from __future__ import annotations

from typing import Any

from sockdiag.analysis.trace_events import Happened
from sockdiag.analysis.trace_sockets import TracedSockets
from sockdiag.kernel.tracepoints import UDP_FAIL
from sockdiag.model.address import Endpoint
from sockdiag.model.batch import Batch
from sockdiag.model.query import Query
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Owner, Socket
from sockdiag.survey.trace_drops import DropWitness

HOLDER = Owner(4712, b"receiver", 3)
LOCAL = Endpoint("127.0.0.1", 53)


def bound(drops: int, cookie: int = 77) -> Socket:
    memory = SkMem(*[drops if field.name == "drops" else 0 for field in SkMem.FIELDS])
    return Socket(
        "udp", "AF_INET", state="CLOSE", local=LOCAL, cookie=cookie, inode=cookie, processes=(HOLDER,), skmem=memory
    )


class Table:
    """A system whose only sockets are of UDP."""

    def __init__(self, *sockets: Socket) -> None:
        self.sockets = sockets
        self.host = self

    def apart(self) -> Table:
        return self

    def query(self, _needs: object) -> Query:
        return Query()

    def batches(self, _query: object) -> list[Batch]:
        return [Batch.of(list(self.sockets))]

    def owners(self, _inodes: object) -> tuple[dict[int, Any], tuple[()]]:
        return {}, ()


def dropped(number: int) -> list[Happened]:
    found = []
    for at in range(number):
        one = Happened(UDP_FAIL, "drop", at, 0)
        one.netid, one.local = "udp", LOCAL
        found.append(one)
    return found


def witness(table: Table) -> DropWitness:
    sockets = TracedSockets(lambda _task: (None, None))
    sockets.learn(table.sockets)
    found = DropWitness(table, sockets)  # type: ignore[arg-type]
    found.begin(table.sockets)
    return found


def test_the_counter_tells() -> None:
    """What was counted is explained once: as many drops again are another namespace's."""
    table = Table(bound(5))
    drops = witness(table)
    table.sockets = (bound(8),)
    first, second = dropped(3), dropped(3)
    drops.read()
    drops.decide(first)
    assert {one.known.cookie for one in first if one.known} == {77}
    assert all(one.known and one.known.owner == HOLDER for one in first)
    drops.read()
    drops.decide(second)
    assert all(one.known is None and one.elsewhere for one in second)


def test_doubt_is_left() -> None:
    """Fewer were counted than were reported: some are of this namespace, and nothing tells which."""
    table = Table(bound(0))
    drops = witness(table)
    table.sockets = (bound(1),)
    found = dropped(3)
    drops.read()
    drops.decide(found)
    assert all(one.known is None and not one.elsewhere for one in found)
    assert {len(one.among) for one in found} == {1}


def test_sockets_that_share_a_port() -> None:
    """Of several sockets at one address (SO_REUSEPORT) it is the one that has counted."""
    table = Table(bound(0, 1), bound(0, 2))
    drops = witness(table)
    table.sockets = (bound(0, 1), bound(4, 2))
    found = dropped(4)
    drops.read()
    drops.decide(found)
    assert {one.known.cookie for one in found if one.known} == {2}
    assert len([one for one in found if one.known]) == 4
