"""Convert the model's values to JSON's types."""

from __future__ import annotations

from sockdiag.model.fields import SOCKET_PARTS
from sockdiag.model.record import FLAGS, SECRET, Field, Record
from sockdiag.model.socket import Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sockdiag.model.fields import FieldEntry


# Placeholder for a secret.
HIDDEN = "(hidden)"


def plain(value: Any, field: Field | None = None, unasked: frozenset[str] = frozenset()) -> Any:
    r"""Convert a model value to a type that ``json`` can write, as its field declares.

    Names are exact: bytes that are not UTF-8 become lone surrogates (``\udcff``), which Python's surrogateescape converts
    back. Other bytes (keys, unknown attributes) are hexadecimal. Unknown is None; a field of a part that was not asked for,
    and that the source did not give unasked, is left out, and so is a part that such a socket does not have.
    """
    if value is None or value is True or value is False:
        return value
    if field is not None and field.kind == SECRET:
        return HIDDEN
    if isinstance(value, Record):
        members = zip(type(value).FIELDS, value._values(), strict=True)
        lacks = parts_lacked(value.netid) if isinstance(value, Socket) else ()
        return {
            f.name: plain(v, f, unasked)
            for f, v in members
            if v is not None or not (f.needs in unasked or f.name in lacks)
        }
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, int):
        if field is not None:
            if field.base == 16:
                return f"{value:x}"
            if field.words:
                return flag_words(value, field.words) if field.kind == FLAGS else number_word(value, field.words)
        return value
    if isinstance(value, (tuple, list, frozenset)):
        return [
            v.hex() if isinstance(v, bytes) and field is not None and not field.of else plain(v, field, unasked)
            for v in value
        ]
    if isinstance(value, dict):
        return {key: plain(v, None, unasked) for key, v in value.items()}
    return value


def parts_lacked(netid: str) -> frozenset[str]:
    """Return the parts of a socket's record that sockets of a table do not have."""
    found = _LACKED.get(netid)
    if found is None:
        found = _LACKED[netid] = frozenset(name for name, tables in SOCKET_PARTS.items() if netid not in tables)
    return found


_LACKED: dict[str, frozenset[str]] = {}


def flag_words(mask: int, words: tuple[str, ...]) -> list[str]:
    """Name the bits of a mask; a bit without a name is shown as its value in hexadecimal."""
    names = [word for bit, word in enumerate(words) if mask >> bit & 1]
    rest = mask >> len(words) << len(words)
    return [*names, hex(rest)] if rest else names


def number_word(number: int, words: tuple[str, ...]) -> str | int:
    """Return the word for a number; a number that a newer kernel has added stays a number."""
    return words[number] if number < len(words) else number


def outermost(columns: Sequence[FieldEntry]) -> list[FieldEntry]:
    """Leave out columns that another one includes: ``local`` includes ``local.port``."""
    names = {entry.name for entry in columns}

    def inside(name: str) -> bool:
        parent = name.rpartition(".")[0]
        return bool(parent) and (parent in names or inside(parent))

    return [entry for entry in columns if not inside(entry.name)]


def chosen_object(row: Any, columns: Sequence[FieldEntry]) -> dict[str, Any]:
    """Build an object of the chosen columns, nested like the whole object; no column may include another."""
    found: dict[str, Any] = {}
    for entry in columns:
        *parents, leaf = entry.name.split(".")
        value = entry.get(row)
        place = found
        for parent in parents[:-1] if entry.many else parents:
            place = place.setdefault(parent, {})
        if not entry.many:
            place[leaf] = plain(value, entry.field)
        elif value is None:
            place.setdefault(parents[-1], None)
        else:
            elements = place.setdefault(parents[-1], [{} for _ in value])
            for element, inner in zip(elements, value, strict=True):
                element[leaf] = plain(inner, entry.field)
    return found
