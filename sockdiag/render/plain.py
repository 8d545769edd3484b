"""The model's values as JSON knows them."""

from __future__ import annotations

from sockdiag.model.record import FLAGS, SECRET, Field, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# What stands for a secret.
HIDDEN = "(hidden)"


def plain(value: Any, field: Field | None = None) -> Any:
    r"""Turn a model value into what ``json`` can write, by what its field declares.

    Names are exact: bytes that are not UTF-8 become lone surrogates (``\udcff``), as Python's surrogateescape reads
    them back. Other bytes (keys, unknown attributes) are hexadecimal. Unknown is None.
    """
    if value is None or value is True or value is False:
        return value
    if field is not None and field.kind == SECRET:
        return HIDDEN
    if isinstance(value, Record):
        return {f.name: plain(v, f) for f, v in zip(type(value).FIELDS, value._values(), strict=True)}
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, int):
        if field is not None:
            if field.base == 16:
                return f"{value:x}"
            if field.kind == FLAGS and field.words:
                return flag_words(value, field.words)
        return value
    if isinstance(value, (tuple, list, frozenset)):
        return [
            v.hex() if isinstance(v, bytes) and field is not None and not field.of else plain(v, field) for v in value
        ]
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    return value


def flag_words(mask: int, words: tuple[str, ...]) -> list[str]:
    """Name the bits of a mask; a bit without a name is its value in hexadecimal."""
    names = [word for bit, word in enumerate(words) if mask >> bit & 1]
    rest = mask >> len(words) << len(words)
    return [*names, hex(rest)] if rest else names


def chosen_object(row: Any, columns: Any) -> dict[str, Any]:
    """Build the object of the chosen columns only, nested as the whole one is."""
    found: dict[str, Any] = {}
    for entry in columns:
        *parents, leaf = entry.name.split(".")
        place = found
        for parent in parents:
            inner = place.setdefault(parent, {})
            place = inner if isinstance(inner, dict) else place
        place[leaf] = plain(entry.get(row), entry.field)
    return found
