"""JSON: one document, or one object per line."""

from __future__ import annotations

from json import dumps

from sockdiag.render.plain import chosen_object, outermost, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sockdiag.model.provenance import Provenance
    from sockdiag.render.document import Document, Style


def _compact(value: Any) -> str:
    return dumps(value, separators=(",", ":"))


def rows(document: Document) -> Iterator[str]:
    """Yield pieces of text, each of whole lines, one object per line."""
    table, unasked = document.table, document.unasked
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
    yield from rows(document)


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
        yield f"{_compact(key)}: {_compact(plain(value, None, document.unasked))},\n"
    yield f"{_compact(document.table_key)}: ["
    separator = "\n"
    for piece in rows(document):
        yield separator + piece[:-1].replace("\n", ",\n")
        separator = ",\n"
    yield "\n]\n}\n"
