"""JSON: one document, or one object per line."""

from __future__ import annotations

from json import dumps

from sockdiag.render.document import Table
from sockdiag.render.plain import chosen_object, outermost, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sockdiag.model.provenance import Provenance
    from sockdiag.render.document import Document, Style


def _compact(value: Any) -> str:
    return dumps(value, separators=(",", ":"))


def rows(table: Table, unasked: frozenset[str]) -> Iterator[str]:
    """Yield pieces of text, each of whole lines, one object per line."""
    columns = outermost(table.columns) if table.chosen else None
    if table.batches is not None:
        from sockdiag.render.bulk_json import batch_lines

        for batch in table.batches:
            yield from batch_lines(batch, columns, unasked)
        return
    for row in table.records():
        yield _compact(plain(row, None, unasked) if columns is None else chosen_object(row, columns)) + "\n"


def render_ndjson(document: Document, _style: Style) -> Iterator[str]:
    """Yield one object per line, without an envelope."""
    yield from rows(document.table, document.unasked)


def envelope(command: str, provenance: Provenance) -> dict[str, Any]:
    """Build the keys at the beginning of every document."""
    from datetime import UTC, datetime

    return {
        "schema": f"sockdiag.{command}/1",
        "generated_at": datetime.fromtimestamp(provenance.at, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z"),
        "host": plain(provenance.host),
        "scope": plain(provenance.scope),
        "complete": provenance.complete,
        "gaps": [plain(gap) for gap in provenance.gaps],
    }


def render_json(document: Document, _style: Style) -> Iterator[str]:
    """Yield one JSON document: one line per key and per row."""
    document.table.settle()
    head = envelope(document.command, document.provenance())
    yield "{\n"
    for key, value in head.items():
        yield f"{_compact(key)}: {_compact(value)},\n"
    for key, value in document.keys.items():
        if isinstance(value, Table):
            yield from _array(key, value, document.unasked)
            yield ",\n"
        else:
            yield f"{_compact(key)}: {_compact(plain(value, None, document.unasked))},\n"
    yield from _array(document.table_key, document.table, document.unasked)
    yield "\n}\n"


def _array(key: str, table: Table, unasked: frozenset[str]) -> Iterator[str]:
    yield f"{_compact(key)}: ["
    separator = "\n"
    for piece in rows(table, unasked):
        yield separator + piece[:-1].replace("\n", ",\n")
        separator = ",\n"
    yield "\n]"
