"""Columns of a table, as the command line chooses them, and the order of its rows."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.errors import UsageError
from sockdiag.model.fields import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, TypeVar

    from sockdiag.cli.spec import Args
    from sockdiag.model.fields import FieldEntry
    from sockdiag.model.record import Record
    from sockdiag.survey.reader import SystemReader

    Row = TypeVar("Row", bound=Record)


def sort_column(
    record: type[Record],
    args: Args,
    survey: SystemReader | None = None,
    extra: Mapping[str, FieldEntry] | None = None,
) -> FieldEntry | None:
    """Return the column that ``--sort`` names, or None.

    Raises:
        UsageError: there is no such column.
    """
    name = args.get(options.SORT)
    return _column(record, name.removeprefix("-"), survey, extra) if name else None


def choose_columns(
    args: Args,
    survey: SystemReader,
    record: type[Record],
    default: Sequence[str] = (),
    extra: Mapping[str, FieldEntry] | None = None,
) -> tuple[list[FieldEntry], bool]:
    """Find the columns that ``--output`` or ``--format`` names.

    Args:
        args: the command line.
        survey: names users.
        record: class of the rows.
        default: names of the columns to show where none are chosen; if empty, every field of the class.
        extra: columns besides the fields of the class, by name.

    Returns:
        The columns, and whether the user chose them (``+COL`` only adds to the default columns). With ``--format`` there is
        one column for each field of the template, in its order.

    Raises:
        UsageError: there is no such column.
    """
    template = args.get(options.TEMPLATE)
    if template is not None:
        from sockdiag.render.template import parse

        if args.get(options.COLUMNS):
            raise UsageError("--format and --output exclude each other: the template names the columns")
        return [_column(record, name, survey, extra) for name in parse(template)[1]], True
    default = default or [field.name for field in record.FIELDS]
    text = args.get(options.COLUMNS) or "+"
    adds = text.startswith("+")
    names = [name.strip() for name in text.removeprefix("+").split(",") if name.strip()]
    found: dict[str, FieldEntry] = {}
    for name in [*default, *names] if adds else names:
        entry = _column(record, name, survey, extra)
        found.setdefault(entry.name, entry)
    if not found:
        raise UsageError("--output names no column: NAME,… replaces the default columns, +NAME adds to them")
    return list(found.values()), not adds


def ordered(
    args: Args,
    survey: SystemReader,
    rows: Iterable[Row],
    record: type[Row],
    extra: Mapping[str, FieldEntry] | None = None,
) -> Iterable[Row]:
    """Apply ``--sort`` and ``--limit`` to records. Unknown values come last in either order."""
    entry = sort_column(record, args, survey, extra)
    if entry is not None:
        known, missing = [], []
        for row in rows:
            value = entry.get(row)
            if value is None:
                missing.append(row)
            else:
                known.append((comparable(value), row))
        known.sort(key=lambda pair: pair[0], reverse=(args.get(options.SORT) or "").startswith("-"))
        rows = [row for _value, row in known] + missing
    limit = args.get(options.LIMIT)
    if limit is not None:
        from itertools import islice
        from sys import maxsize

        rows = list(islice(rows, min(limit, maxsize)))
    return rows


def _column(
    record: type[Record], name: str, survey: SystemReader | None, extra: Mapping[str, FieldEntry] | None
) -> FieldEntry:
    found = extra.get(name.lower()) if extra else None
    if found is not None:
        return found
    return find(record, name) if survey is None else find(record, name, survey.user_name)


def comparable(value: Any) -> Any:
    """Return a value by which rows can be sorted."""
    # The values of a column are of one kind, but names are bytes or text, and a nested record compares by its members.
    if isinstance(value, (int, float)):
        return (0, value, b"")
    if isinstance(value, bytes):
        return (1, 0, value)
    if isinstance(value, str):
        return (1, 0, value.encode("utf-8", "surrogateescape"))
    if isinstance(value, tuple):
        return (2, 0, b"", tuple(comparable(v) for v in value if v is not None))
    return (3, 0, b"")
