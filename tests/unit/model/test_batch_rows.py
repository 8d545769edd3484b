"""Some rows of a batch, with and without columns."""

from __future__ import annotations

from sockdiag.model.address import Endpoint
from sockdiag.model.batch import Batch, Column, identities
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


def test_identities() -> None:
    """The cookie, else the inode, else the ends; an inode is never taken for another socket's cookie."""
    ends = Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 2)
    rows = [
        Socket("tcp", "AF_INET", cookie=7, inode=9),
        Socket("tcp", "AF_INET", inode=7),
        Socket("tcp", "AF_INET", inode=0, local=ends[0], peer=ends[1]),
    ]
    assert list(identities(Batch.of(rows))) == [7, -7, ends]
    bulk = Batch(2, lambda: rows, {}, {"cookie": Column("%d", [[7, 8]]), "inode": Column("%d", [[9, 0]])})
    assert list(identities(bulk)) == [7, 8]
    assert list(identities(columnar(3)))[1:] == [-1, -2]
