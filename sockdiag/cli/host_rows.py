"""The answer about one of several hosts, as the process that reads it sends it to the one that writes the whole answer."""

from __future__ import annotations

from json import dumps

from sockdiag.cli import columns, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from sockdiag.cli.invocation import Invocation
    from sockdiag.model.fields import FieldEntry
    from sockdiag.render.document import Document

    Emit = Callable[[str, Any], None]

# Parts of an answer: its columns, rows (each with a sort key, or text of many), and what is known after the last row.
COLUMNS, ROWS, TEXT, REST = "columns", "rows", "text", "rest"
# Rows in one piece.
_PIECE = 500


def send(this: Invocation, document: Document, emit: Emit) -> None:
    """Send a document in parts, in the form in which the whole answer takes it."""
    table, renderer = document.table, this.renderer
    order = _order(this, document)
    lines = renderer is options.SCREEN or renderer.option is options.TABLE or renderer.option is options.CSV
    shown = [(entry.name, entry.field.header, _is_number(entry)) for entry in table.columns]
    emit(COLUMNS, (shown, document.table_key, this.survey.provenance().host.hostname))
    if renderer.option is options.CSV and table.batches is not None and order is None and table.columns:
        from sockdiag.render.long_table import csv_lines
        from sockdiag.render.table import csv_value

        for batch in table.batches:
            for text in csv_lines(batch, table.columns, csv_value):
                emit(TEXT, text)
    elif lines:
        to_cells = _csv_cells if renderer.option is options.CSV else _cells
        for keys, rows in _pieces(document, order):
            emit(ROWS, (keys, list(zip(*to_cells(rows, table.columns), strict=True)) if table.columns else []))
    elif order is None:
        from sockdiag.render.json_text import rows as json_rows

        table.settle()
        for text in json_rows(table, document.unasked):
            emit(TEXT, text)
    else:
        from sockdiag.render.plain import chosen_object, outermost, plain

        chosen = outermost(table.columns) if table.chosen else None
        for keys, rows in _pieces(document, order):
            emit(
                ROWS,
                (
                    keys,
                    [
                        dumps(
                            plain(row, None, document.unasked) if chosen is None else chosen_object(row, chosen),
                            separators=(",", ":"),
                        )
                        for row in rows
                    ],
                ),
            )
    emit(REST, _rest(document))


def _rest(document: Document) -> dict[str, Any]:
    from sockdiag.render.json_text import envelope
    from sockdiag.render.plain import plain

    keys = {key: plain(value, None, document.unasked) for key, value in document.keys.items()}
    return {"head": envelope(document.command, document.provenance()), "keys": keys}


def _order(this: Invocation, document: Document) -> Callable[[Any], Any] | None:
    """Return the function by which the rows of several hosts are ordered; None to leave them in the order of the hosts."""
    sort = this.args.get(options.SORT)
    if sort:
        name = sort.removeprefix("-").lower()
        named = (one for one in document.table.columns if name in (one.name, one.field.header.lower()))
        entry = next(named, None)

        def value(row: Any) -> Any:
            nonlocal entry
            if entry is None:
                entry = columns.sort_column(type(row), this.args, this.survey)
                assert entry is not None
            found = entry.get(row)
            return None if found is None else columns.comparable(found)

        return value
    from sockdiag.model.finding import Finding, badness

    if _of_findings(document):
        return lambda row: badness(row if isinstance(row, Finding) else row.findings[0]) if _has_finding(row) else (9,)
    return None


def _of_findings(document: Document) -> bool:
    return document.command in ("doctor", "risk")


def _has_finding(row: Any) -> bool:
    return bool(getattr(row, "findings", True))


def _pieces(document: Document, order: Callable[[Any], Any] | None) -> Iterator[tuple[list[Any] | None, Any]]:
    """Yield rows in pieces, each a batch or a list of records, with their sort keys."""
    table = document.table
    if table.batches is not None and order is None:
        for batch in table.batches:
            yield None, batch
        return
    piece: list[Any] = []
    for row in table.records():
        piece.append(row)
        if len(piece) == _PIECE:
            yield _keys(piece, order), piece
            piece = []
    if piece:
        yield _keys(piece, order), piece


def _keys(rows: Iterable[Any], order: Callable[[Any], Any] | None) -> list[Any] | None:
    return None if order is None else list(map(order, rows))


def _cells(rows: Any, entries: Sequence[FieldEntry]) -> list[list[str]]:
    from sockdiag.render.cells import cell
    from sockdiag.render.long_table import batch_cells

    if isinstance(rows, list):
        return [[cell(entry.get(row), entry.field) for row in rows] for entry in entries]
    return [list(map(str, column)) for column in batch_cells(rows, entries)]


def _csv_cells(rows: Any, entries: Sequence[FieldEntry]) -> list[list[str]]:
    from sockdiag.render.table import csv_value

    records = rows if isinstance(rows, list) else list(rows.sockets())
    return [[csv_value(entry.get(row), entry) for row in records] for entry in entries]


def _is_number(entry: FieldEntry) -> bool:
    from sockdiag.render.table import is_number

    return is_number(entry)
