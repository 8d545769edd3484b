"""Messages of several layouts in one answer become batches, IPv4 first, and nothing is lost or changed."""

from __future__ import annotations

import json
import socket

import pytest

from sockdiag.errors import SourceTruncated
from sockdiag.kernel import inet_diag as k
from sockdiag.kernel.tcp_states import LISTEN
from sockdiag.model.batch import all_sockets
from sockdiag.model.fields import entries, resolve
from sockdiag.model.packed import pack
from sockdiag.model.tcp_info import TcpInfo
from sockdiag.render.bulk_json import batch_lines
from sockdiag.render.plain import plain
from sockdiag.sources.netlink.inet_columns import Columns
from sockdiag.sources.netlink.inet_diag import decode
from sockdiag.sources.system.transport import Request
from tests.unit.sources.inet_messages import inet_message

REQUEST = Request("inet_diag_tcp+tcp6", b"")
V4, V6 = socket.AF_INET, socket.AF_INET6
MARK = {k.MARK: b"\7\0\0\0"}


def nothing(_index: int) -> None:
    return None


def mixed(rows: int, *, one_length: bool) -> list[bytes]:
    """Build messages of both families and of listeners in turn, of equal or of different lengths."""
    kinds = [(V4, 1), (V6, 1), (V4, LISTEN), (V6, 6), (V4, 8)]
    return [
        inet_message(
            MARK if one_length or family == V6 else {},
            family=family,
            state=state,
            sport=1000 + row,
            inode=row % 7,
            cookie=row | row % 2 << 40,
        )
        for row in range(rows)
        for family, state in [kinds[row % len(kinds)]]
    ]


@pytest.mark.parametrize("one_length", [True, False])
@pytest.mark.parametrize("share", [1, 7, 300], ids=lambda n: f"{n} a datagram")
def test_mixed_answer(one_length: bool, share: int) -> None:
    """Every row comes once and as the clear decoder has it; rows of one family and kind keep their order."""
    answer = mixed(6000, one_length=one_length)
    columns = Columns("tcp", REQUEST, nothing)
    for at in range(0, len(answer), share):
        columns.take(b"".join(answer[at : at + share]))
    batches = list(columns.rest())
    assert not columns.errors
    assert all(batch.columns is not None for batch in batches)
    found = list(all_sockets(batches))
    expected = [decode(message, "tcp", nothing) for message in answer]
    assert sorted(found, key=lambda s: s.local.port) == expected
    families = [s.family for s in found]
    assert families == sorted(families)
    for batch in batches:
        values = [batch.values(name) for name in ("family", "state", "local", "peer", "uid", "inode", "cookie", "mark")]
        rows = [(s.family, s.state, s.local, s.peer, s.uid, s.inode, s.cookie, s.mark) for s in batch.sockets()]
        assert list(zip(*values, strict=True)) == rows
    for family in ("AF_INET", "AF_INET6"):
        for listening in (False, True):
            kind = [s for s in found if s.family == family and (s.state == "LISTEN") is listening]
            assert kind == [s for s in expected if s.family == family and (s.state == "LISTEN") is listening]
    assert list(columns.rest()) == []


@pytest.mark.parametrize("everywhere", [True, False], ids=["on all", "on some"])
@pytest.mark.parametrize("differs", [True, False], ids=["of each", "of all"])
@pytest.mark.parametrize("size", [0, 1, 2, 4, 7, 8, 64])
def test_attribute_of_a_newer_kernel(size: int, differs: bool, everywhere: bool) -> None:
    """What this version does not know is a column of bytes: no table is decoded row by row for it."""

    def payload(row: int) -> bytes:
        return (row * 2654435761 % (1 << 64) if differs else 7).to_bytes(64, "little")[:size]

    answer = [
        inet_message(
            {**MARK, **({99: payload(row), 0x3FFF: b"\1"} if everywhere or row % 3 else {}), k.SOCKOPT: b"\1\0"},
            family=V6 if row % 2 else V4,
            sport=1000 + row,
        )
        for row in range(5000)
    ]
    columns = Columns("tcp", REQUEST, nothing)
    for at in range(0, len(answer), 150):
        columns.take(b"".join(answer[at : at + 150]))
    batches = list(columns.rest())
    assert not columns.errors
    assert all(batch.columns is not None for batch in batches)
    expected = [decode(message, "tcp", nothing) for message in answer]
    found = sorted(all_sockets(batches), key=lambda s: s.local.port)
    assert found == expected
    assert {len(s.unknown_attributes) for s in expected} == ({2} if everywhere else {0, 2})
    for batch in batches:
        records = list(batch.sockets())
        assert list(batch.values("unknown_attributes")) == [s.unknown_attributes for s in records]
        assert list(batch.values("inet")) == [s.inet for s in records]
        lines = "".join(batch_lines(batch, None))
        assert lines == "".join(json.dumps(plain(s), separators=(",", ":")) + "\n" for s in records)


def test_answer_that_ends_within_a_message() -> None:
    """What is malformed is an error, whatever came before it in the datagram."""
    columns = Columns("tcp", REQUEST, nothing)
    with pytest.raises(SourceTruncated):
        columns.take(inet_message() + inet_message(family=V6)[:-4])


@pytest.mark.parametrize("size", [104, 200, 248, 280, 320])
def test_members_of_tcp_info(size: int) -> None:
    """Each member cut from all rows at once is that of the decoded records, whatever the length of the kernel's struct."""
    answer = []
    for row in range(50):
        # Never measured and no limit, then values that need both words of a 64-bit member.
        fill = (
            bytes(size)
            if row == 0
            else b"\xff" * size
            if row == 1
            else bytes((row * 7 + i) & 0xFF for i in range(size))
        )
        state = LISTEN if row % 5 == 4 else 1
        answer.append(inet_message({k.INFO: bytes((state,)) + fill[1:]}, family=V4, state=state, sport=row, cookie=row))
    columns = Columns("tcp", REQUEST, nothing)
    columns.take(b"".join(answer))
    batches = list(columns.rest())
    assert [batch.columns is not None for batch in batches] == [True, True]
    selectors = [row % 3 == 0 for row in range(50)]
    for whole in batches:
        for batch in (whole, whole.compressed(selectors[: whole.size]), whole.detached(), pack(whole)):
            infos = [decode(answer[s.local.port], "tcp", nothing).tcp_info for s in batch.sockets()]
            assert list(batch.values("tcp_info")) == infos
            for entry in entries(TcpInfo):
                name = f"tcp_info.{entry.name}"
                expected = [entry.get(info) for info in infos]
                assert list(batch.values(name)) == expected, name
                found = resolve(name)
                assert found is not None
                assert list(found.values(batch)) == expected, name
        assert whole.detached(["tcp_info"]).values("tcp_info") == [None] * whole.size
        assert whole.detached().at([2, 0]) == [list(whole.sockets())[2], next(whole.sockets())]
