"""Some rows of a batch, with and without columns."""

from __future__ import annotations

import gc
import json
import pickle
from pathlib import Path
from weakref import ref

import pytest

from sockdiag.model.address import Endpoint
from sockdiag.model.batch import Batch, Column, identities
from sockdiag.model.fields import catalogue
from sockdiag.model.packed import pack, packed
from sockdiag.model.provenance import Namespace
from sockdiag.model.query import CGROUP, INET, SKMEM, Query
from sockdiag.model.socket import Owner, Socket
from sockdiag.render.bulk_json import batch_lines
from sockdiag.sources.capture.transport import captured_system
from sockdiag.sources.process.fd import scan_owners
from sockdiag.survey.collection import Collection

FIXTURES = Path(__file__).parents[2] / "fixtures"
ENTRIES = {entry.name: entry for entry in catalogue()}


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


@pytest.mark.parametrize("fixture", ["6.18-world", "6.18-unprivileged"])
def test_batches_that_went_to_another_process(fixture: str) -> None:
    """A batch that was pickled has the same records, values and lines of JSON, whatever was put into it or left out."""
    system = captured_system(str(FIXTURES / fixture))
    query = Query(needs=frozenset({SKMEM, INET, CGROUP}))
    bulk = 0
    for batch in Collection(system, query, owners=lambda: scan_owners(system.files), netns=Namespace("web")).batches():
        batch.put("processes", [(Owner(row, b"server", 3),) for row in range(batch.size)])
        bulk += batch.columns is not None
        for one in (batch, batch.compressed([row % 3 == 0 for row in range(batch.size)])):
            for arrived in (pickle.loads(pickle.dumps(one)), one if one.columns is None else pack(one)):
                assert list(arrived.sockets()) == list(one.sockets())
                some = [*range(0, one.size, 7), 0]
                assert arrived.at(some) == one.at(some)
                assert list(batch_lines(arrived, None)) == list(batch_lines(one, None))
    assert bulk or fixture != "6.18-world"


def test_large_batches_are_packed() -> None:
    """Of a large batch, equal values are kept once; a small one and one of records are the same objects."""
    few, records, many = columnar(4), Batch.of(sockets(4)), columnar(5000)
    many.put("uid", [1000] * 5000)
    assert list(packed([few, records])) == [few, records]
    (small,) = packed([many])
    assert small is not many
    assert list(small.values("inode")) == list(range(5000))
    assert list(small.values("uid")) == [1000] * 5000
    assert small.at([4999])[0].uid == 1000
    small.put_constant("netns", "web")
    assert "netns" not in many.constants


def test_packed_rows_are_freed_with_their_last_user() -> None:
    """A program that takes samples for days must not wait for the garbage collector."""
    gc.disable()
    try:
        packed_batch = pack(columnar(5000))
        assert packed_batch.at([3])[0].inode == 3
        packed_batch.put("uid", [1000] * 5000)
        assert packed_batch.at([3])[0].uid == 1000
        gone = ref(packed_batch)
        del packed_batch
        assert gone() is None
    finally:
        gc.enable()


def test_packed_values_keep_their_kind() -> None:
    """True is not 1, None is not 0, and numbers of any size keep their value."""
    values = {"send_q": [True, 1], "recv_q": [0, None], "uid": [1 << 33, 5], "mark": [-1, 2], "inode": [1 << 70, 1]}
    batch = Batch(2, list, {}, {name: Column("", [column]) for name, column in values.items()})
    small = pack(batch)
    for name, column in values.items():
        assert list(map(repr, small.values(name))) == list(map(repr, column)), name


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


def test_lines_with_long_constants() -> None:
    """Constant text of any length, with what means something to printf in it, is in every line of every piece."""
    for name in ("", "%", "100%d", "%s" * 40, '50% of\0 a \\ "name" of some length, and nul'):
        rows = [Socket("tcp", "AF_INET", state=name, netns=name, inode=i, uid=i % 3) for i in range(150)]
        columns = {"inode": Column("%d", [range(150)]), "uid": Column("%d", [[i % 3 for i in range(150)]])}
        constants = {f.name: getattr(rows[0], f.name) for f in Socket.FIELDS if f.name not in columns}
        found = "".join(batch_lines(Batch(150, list, constants, columns), None))
        assert found == "".join(batch_lines(Batch.of(rows), None))
        alone = "".join(batch_lines(Batch(150, list, constants, {}), [ENTRIES["state"]]))
        assert alone == (json.dumps({"state": name}, separators=(",", ":")) + "\n") * 150
