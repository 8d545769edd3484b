"""Some rows of a batch, with and without columns."""

from __future__ import annotations

from sockdiag.model.batch import Batch, Column
from sockdiag.model.socket import Socket


def sockets(n: int) -> list[Socket]:
    return [Socket("tcp", "AF_INET", state="LISTEN", inode=i) for i in range(n)]


def columnar(n: int) -> Batch:
    rows = sockets(n)
    column = Column("%d", [list(range(n))])
    return Batch(n, lambda: rows, {"netid": "tcp"}, {"inode": column}, lambda some: [rows[i] for i in some])


def test_at_gives_the_same_as_all_records() -> None:
    """Picked rows equal those of sockets(), with what was put into the batch since."""
    for batch in (Batch.of(sockets(5)), columnar(5)):
        batch.put("uid", [10, 11, 12, 13, 14])
        batch.put_constant("netns", "web")
        whole = list(batch.sockets())
        assert batch.at([3, 0]) == [whole[3], whole[0]]
        assert batch.at([3])[0].uid == 13
        assert batch.at([3])[0].netns == "web"


def test_compressed() -> None:
    """A batch of selected rows has their values and records."""
    for batch in (Batch.of(sockets(4)), columnar(4)):
        some = batch.compressed([True, False, False, True])
        assert some.size == 2
        assert list(some.values("inode")) == [0, 3]
        assert [s.inode for s in some.sockets()] == [0, 3]
