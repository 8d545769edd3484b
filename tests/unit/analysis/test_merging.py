"""What was found in several namespaces, added up."""

from __future__ import annotations

from sockdiag.analysis.grouping import NOT_VISIBLE, Grouping, Naming
from sockdiag.analysis.hotspots import HotspotSearch
from sockdiag.analysis.socket_memory import find_holders, merge_holders
from sockdiag.analysis.states import add_counts, group_states, merge_groups
from sockdiag.model.batch import Batch
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Owner, Socket


def udp(inode: int, netns: str, held: int, uid: int = 0) -> Socket:
    return Socket(
        "udp",
        "AF_INET",
        state="CLOSE",
        inode=inode,
        netns=netns,
        uid=uid,
        skmem=SkMem(held, 1000, 0, 1000, 0, 0, 0, 0, 0),
    )


ONE = [udp(1, "a", 100), udp(2, "a", 0, 5), udp(3, "a", 900)]
OTHER = [udp(4, "b", 500), udp(5, "b", 950, 5)]


def test_groups_are_those_of_one_walk() -> None:
    """Merged, they are what a walk over all sockets gives."""
    for by in ("user", "netns"):
        grouping = Grouping([by], Naming())
        parts = [group_states([Batch.of(rows)], grouping) for rows in (ONE, OTHER)]
        whole = group_states([Batch.of(ONE + OTHER)], grouping)
        assert merge_groups(parts) == whole


def test_groups_of_one_name() -> None:
    """Two uids that have one name, and two processes of one container, are one group with all of their sockets."""
    (group,) = group_states([Batch.of(ONE + OTHER)], Grouping(["user"], Naming(lambda _uid: "alice")))
    assert (group.key, group.count, [part.count for part in group.states]) == ("alice", 5, [5])
    owners = {inode: Owner(100 + inode % 2, b"server", 3, container="web") for inode in (1, 2, 4)}
    groups = group_states([Batch.of(ONE + OTHER)], Grouping(["container"], Naming(holder=owners.get)))
    assert [(group.key, group.count) for group in groups] == [("web", 3), (NOT_VISIBLE, 2)]


def test_counts() -> None:
    """Equal keys are added, others kept."""
    one, other = ("tcp", "AF_INET", "LISTEN"), ("udp", "AF_INET", "CLOSE")
    assert add_counts([{one: 1}, {one: 2, other: 5}, {}]) == {one: 3, other: 5}


def test_holders_are_those_of_one_walk() -> None:
    """Sums by group and the largest sockets, as many as were asked for."""
    for by in ("user", "netns", "netid"):
        for limit in (None, 2, 0):
            grouping = Grouping([by], Naming())
            parts = [find_holders([Batch.of(rows)], grouping, limit) for rows in (ONE, OTHER)]
            merged, whole = merge_holders(parts, limit), find_holders([Batch.of(ONE + OTHER)], grouping, limit)
            assert merged.groups == whole.groups
            assert merged.largest == whole.largest
            assert merged.unknown == whole.unknown


def test_worst_of_several() -> None:
    """The fuller one stays."""
    searches = []
    for rows in (ONE, OTHER):
        search = HotspotSearch()
        list(search.watch([Batch.of(rows)]))
        searches.append(search)
    searches[0].join(searches[1])
    searches[1].join(HotspotSearch())
    buffer = searches[0].worst(None).buffer
    assert buffer is not None
    assert (buffer.used, buffer.socket.inode) == (950, 5)
