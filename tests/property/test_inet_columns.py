"""Whatever the attributes, columns cut in bulk say what the clear decoder says, and are JSON of the same bytes."""

from __future__ import annotations

import json
import pickle
from csv import writer
from io import StringIO
from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st

from sockdiag.kernel import inet_diag as k
from sockdiag.model.batch import Batch, all_sockets
from sockdiag.model.fields import catalogue
from sockdiag.model.packed import pack
from sockdiag.render.bulk_json import batch_lines
from sockdiag.render.cells import cell
from sockdiag.render.document import Document, Style, Table
from sockdiag.render.long_table import batch_cells
from sockdiag.render.plain import chosen_object, plain
from sockdiag.render.table import aligned, csv_value, is_number, render_csv, render_table
from sockdiag.sources.netlink import inet_diag
from sockdiag.sources.netlink.inet_attributes import DECODERS
from sockdiag.sources.netlink.inet_columns import Columns
from sockdiag.sources.system.transport import Request
from tests.unit.sources.inet_messages import inet_message

if TYPE_CHECKING:
    from sockdiag.model.socket import Socket

REQUEST = Request("inet_diag_tcp", b"")
TABLES = st.sampled_from(sorted(inet_diag.TABLES))
# Sizes of the attributes that are known, and those about them.
SIZES = st.sampled_from([0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 20, 32, 36, 40, 41])
NUMBERS = st.one_of(st.integers(0, 30), st.sampled_from([0x1234, 0x3FFF]))
# Numbers that no decoder of columns knows yet.
NEW = st.one_of(st.integers(max(DECODERS) + 1, 60), st.just(0x3FFF))
FIELDS = [entry for entry in catalogue() if entry.name not in ("fill", "user")]
CHOSEN = [entry for entry in catalogue() if entry.name in ("netid", "unknown_attributes", "mark", "inet.sockopt")]


ENDS = [entry for entry in catalogue() if entry.name in ("netid", "uid", "state", "recv_q", "local", "peer")]


def provenance() -> Any:
    raise AssertionError("a table and CSV have no envelope")


def nothing(_index: int) -> None:
    return None


@st.composite
def rows_of_attributes(draw: Any, numbers: st.SearchStrategy[int]) -> list[dict[int, bytes]]:
    """Rows that have the same attributes in the same sizes, with contents that may differ."""
    sizes = draw(st.dictionaries(numbers, SIZES, max_size=5))
    content = st.one_of(st.just(b""), st.binary(max_size=41))
    rows = draw(st.integers(1, 4))
    return [{n: draw(content)[:size].ljust(size, b"\0") for n, size in sizes.items()} for _ in range(rows)]


def both(messages: list[bytes], table: str, share: int) -> tuple[list[Batch], list[Socket]]:
    columns = Columns(table, REQUEST, nothing)
    for at in range(0, len(messages), share):
        columns.take(b"".join(messages[at : at + share]))
    batches = list(columns.rest())
    assert not columns.errors
    return batches, [inet_diag.decode(message, table, nothing) for message in messages]


def compare(batches: list[Batch], expected: list[Socket]) -> None:
    for some in (batches, [one if one.columns is None else pack(one) for one in batches]):
        found = list(all_sockets(some))
        assert sorted(found, key=lambda s: s.local.port or 0) == expected
    for batch in [*batches, *(pack(one) for one in batches if one.columns is not None)]:
        records = list(batch.sockets())
        for entry in FIELDS:
            assert list(entry.values(batch)) == [entry.get(socket) for socket in records], entry.name
        for chosen in (None, CHOSEN):
            lines = "".join(batch_lines(batch, chosen))
            objects = [plain(s) if chosen is None else chosen_object(s, chosen) for s in records]
            assert lines == "".join(json.dumps(o, separators=(",", ":")) + "\n" for o in objects)
        for entry in FIELDS:
            assert list(map(str, batch_cells(batch, [entry])[0])) == [
                cell(entry.get(socket), entry.field) for socket in records
            ], entry.name
        for columns in (FIELDS, [FIELDS[0]], ENDS):
            document = Document("list", provenance, table=Table(columns, batches=[batch]), table_key="sockets")
            text = StringIO()
            rows = [[csv_value(entry.get(socket), entry) for entry in columns] for socket in records]
            writer(text, lineterminator="\r\n").writerows([[entry.name for entry in columns], *rows])
            assert "".join(render_csv(document, Style(None, False))) == text.getvalue()
            table = "".join(render_table(document, Style(None, False)))
            shown = [[cell(entry.get(socket), entry.field) for socket in records] for entry in columns]
            right = [is_number(entry) for entry in columns]
            assert table == "".join(aligned([entry.field.header for entry in columns], shown, right))
        arrived = pickle.loads(pickle.dumps(batch))
        assert list(arrived.values("unknown_attributes")) == [socket.unknown_attributes for socket in records]


@given(rows_of_attributes(NUMBERS), TABLES, st.integers(1, 4))
# A record in a record, which is the same in all rows.
@example([{16: bytes(20)}], "dccp", 1)
def test_any_attributes(rows: list[dict[int, bytes]], table: str, share: int) -> None:
    """Known and unknown attributes, of right and of wrong sizes."""
    messages = [inet_message(attributes, sport=1000 + row) for row, attributes in enumerate(rows)]
    compare(*both(messages, table, share))


OCTET, WORD = st.integers(0, 255), st.sampled_from([0, 1, 1 << 31, (1 << 32) - 1])


@given(st.lists(st.tuples(OCTET, OCTET, OCTET, WORD, WORD, WORD), min_size=1, max_size=4), TABLES)
# User ids that a packed column makes anew for each use.
@example([(0, 0, 0, 0, 0, 1), (0, 0, 0, 0, 1 << 31, 0), (0, 0, 0, 0, 0, 1), (0, 0, 0, 0, (1 << 32) - 1, 0)], "tcp")
def test_any_members(rows: list[tuple[int, ...]], table: str) -> None:
    """States, timers and numbers of any value, without attributes: SCTP's timer has one name in both ways."""
    names = ("state", "timer", "retrans", "expires", "uid", "inode")
    messages = [
        inet_message(sport=1000 + row, **dict(zip(names, values, strict=True))) for row, values in enumerate(rows)
    ]
    compare(*both(messages, table, 4))


@given(rows_of_attributes(NEW), st.lists(st.booleans(), min_size=1, max_size=4), st.sampled_from(["tcp", "udp"]))
def test_attributes_of_a_newer_kernel(rows: list[dict[int, bytes]], some: list[bool], table: str) -> None:
    """What a newer kernel adds to all sockets or to some of them stays in columns."""
    known = {k.PROTOCOL: bytes([inet_diag.PROTOCOLS[table]]), k.MARK: bytes(4), k.SOCKOPT: b"\1\0"}
    messages = [
        inet_message({**known, **(attributes if some[row % len(some)] else {})}, sport=1000 + row)
        for row, attributes in enumerate(rows)
    ]
    batches, expected = both(messages, table, 4)
    assert all(batch.columns is not None for batch in batches)
    compare(batches, expected)
