"""Long tables: blocks that never get narrower, and the same bytes as a table that is measured as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sockdiag.model.address import Endpoint
from sockdiag.model.batch import Batch
from sockdiag.model.fields import catalogue
from sockdiag.model.query import INET, SKMEM, Query
from sockdiag.model.socket import Socket
from sockdiag.render import long_table
from sockdiag.render.cells import cell
from sockdiag.render.document import Document, Style, Table
from sockdiag.render.table import aligned, is_number, render_csv, render_table
from sockdiag.sources.capture.transport import captured_system
from sockdiag.sources.process.fd import scan_owners
from sockdiag.survey.collection import Collection

if TYPE_CHECKING:
    import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures"
ENTRIES = {entry.name: entry for entry in catalogue()}
DEFAULT = [ENTRIES[name] for name in ("netid", "state", "recv_q", "send_q", "local", "peer")]


def document(batches: list[Batch], names: list[str] | None = None, *, header: bool = True) -> Document:
    columns = DEFAULT if names is None else [ENTRIES[name] for name in names]
    table = Table(columns, batches=batches, header=header)
    return Document("list", lambda: None, table=table, table_key="sockets")  # type: ignore[arg-type, return-value]


def text(batches: list[Batch], names: list[str] | None = None, *, header: bool = True) -> str:
    return "".join(render_table(document(batches, names, header=header), Style(None, False)))


def sockets(*addresses: str) -> Batch:
    return Batch.of([Socket("tcp", "AF_INET", local=Endpoint(address, 7), recv_q=0) for address in addresses])


def test_a_captured_system_is_the_table_of_its_records() -> None:
    query = Query(needs=frozenset((INET, SKMEM)))
    names = ["netid", "state", "recv_q", "local", "local.interface", "peer", "uid", "skmem", "timer", "inet", "cookie"]
    system = captured_system(str(FIXTURES / "6.18-world"))
    batches = list(Collection(system, query, owners=lambda: scan_owners(system.files)).batches())
    assert any(batch.columns is not None for batch in batches)
    rows = [socket for batch in batches for socket in batch.sockets()]
    entries = [ENTRIES[name] for name in names]
    shown = [[cell(entry.get(row), entry.field) for row in rows] for entry in entries]
    whole = "".join(aligned([e.field.header for e in entries], shown, [is_number(e) for e in entries]))
    assert text(batches, names) == whole
    assert text([Batch.of(rows)], names) == whole
    records = "".join(render_csv(document([Batch.of(rows)], names), Style(None, False)))
    assert "".join(render_csv(document(batches, names), Style(None, False))) == records


def test_blocks_keep_their_width_or_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_table, "_BLOCK_ROWS", 2)
    lines = text([sockets("10.0.0.1"), sockets("10.10.10.100"), sockets("10.0.0.2")], ["local", "netid"]).splitlines()
    assert lines == ["LOCAL       NETID", "10.0.0.1:7  tcp", "10.10.10.100:7  tcp", "10.0.0.2:7      tcp"]


def test_no_row_and_no_heading() -> None:
    assert text([], ["netid", "local"]) == "NETID  LOCAL\n"
    assert text([], ["netid", "local"], header=False) == ""


def test_wide_and_blank_cells() -> None:
    """A character that takes two columns, an escape, and a last cell that ends in a blank."""
    rows = [
        Socket("unix", "AF_UNIX", local=Endpoint("/run/\u4e16".encode()), recv_q=1),
        Socket("unix", "AF_UNIX", local=Endpoint(b"/run/\x1b[31m "), recv_q=10000),
        Socket("unix", "AF_UNIX", local=Endpoint(b"\0a"), recv_q=None),
    ]
    for names in (["local", "recv_q"], ["recv_q", "local"]):
        entries = [ENTRIES[name] for name in names]
        shown = [[cell(entry.get(row), entry.field) for row in rows] for entry in entries]
        whole = "".join(aligned([e.field.header for e in entries], shown, [is_number(e) for e in entries]))
        assert text([Batch.of(rows)], names) == whole


def test_csv_quotes_as_the_csv_module_does() -> None:
    names = [b"/a,b", b'/say "no"', b"/x", b"/two\nlines"]
    batch = Batch.of([Socket("unix", "AF_UNIX", local=Endpoint(name)) for name in names])
    lines = "".join(render_csv(document([batch], ["netid", "local"]), Style(None, False))).split("\r\n")
    assert lines[:4] == ["netid,local", 'unix,"/a,b"', 'unix,"/say ""no"""', "unix,/x"]
    alone = "".join(render_csv(document([Batch.of([Socket("tcp", "AF_INET")])], ["uid"]), Style(None, False)))
    assert alone == 'uid\r\n""\r\n'
