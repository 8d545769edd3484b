"""Compare a field of the catalogue with a value, by the field's type, kind and unit."""

from __future__ import annotations

from sockdiag.errors import nearest
from sockdiag.filter.bounds import Bounds, tables_mask
from sockdiag.filter.glob import compile_glob
from sockdiag.filter.leaf import by_knowledge, by_value, remembered
from sockdiag.filter.quantity import parse_quantity
from sockdiag.filter.tree import Compare, Not
from sockdiag.kernel.families import FAMILY_NAMES, OTHER_TABLES
from sockdiag.kernel.inet_diag import TIMER_NAMES
from sockdiag.kernel.sock_diag import TYPE_NAMES
from sockdiag.model.query import TABLES
from sockdiag.model.record import FLAGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from sockdiag.errors import FilterError
    from sockdiag.filter.tree import Node
    from sockdiag.filter.where_tokens import Lexer, Token
    from sockdiag.model.fields import FieldEntry

# The words of a field whose words are few: an operand that is none of them is a mistake.
WORDS: dict[str, tuple[str, ...]] = {
    "netid": TABLES,
    "family": tuple(FAMILY_NAMES.values()),
    "type": tuple(TYPE_NAMES.values()),
    "timer.name": TIMER_NAMES,
    "recv_q_unit": ("bytes", "connections"),
    "source": ("netlink", "proc", "ss", "netstat"),
}
_PREFIXES = ("AF_", "SOCK_")

# The table of each address family that has one of its own.
_FAMILY_TABLES = {family.name: netid for netid, family in OTHER_TABLES.items()}
_IP_FAMILIES = {"AF_INET": 1, "AF_INET6": 2}

_TRUE = ("yes", "true", "1", "on")
_FALSE = ("no", "false", "0", "off")
_ORDERS: dict[str, Callable[[Any], Callable[[Any], bool]]] = {
    "=": lambda wanted: lambda value: value == wanted,
    ">": lambda wanted: lambda value: value > wanted,
    "<": lambda wanted: lambda value: value < wanted,
    ">=": lambda wanted: lambda value: value >= wanted,
    "<=": lambda wanted: lambda value: value <= wanted,
}


def compare_field(lexer: Lexer, field: Token, entry: FieldEntry, op: str, value: Token | None) -> Node:
    """Return the comparison of a field.

    Args:
        lexer: to point at what is wrong.
        field: the word that names it.
        entry: the field.
        op: ``= != > < >= <= ~ !~``, or ``set`` for the field alone.
        value: what it is compared with; None with ``set``.

    Raises:
        FilterError: they do not fit.
    """
    if op == "set" or value is None:
        return _leaf(entry, "set", None, by_knowledge(entry, False, any if entry.many else _is_set))
    if op in ("!=", "!~"):
        return Not(compare_field(lexer, field, entry, {"!=": "=", "!~": "~"}[op], value))
    if op == "=" and value.text == "unknown" and not value.quoted:
        known = (lambda values: None in values) if entry.many and not entry.elements_absent else (lambda _value: False)
        return _leaf(entry, "unknown", None, by_knowledge(entry, True, known))
    test = _test(lexer, field, entry, op, value)
    return _leaf(entry, op, value.text, by_value(entry, test))


def _is_set(value: object) -> bool:
    # A record is there, even if all its members are 0.
    return bool(value)


def _leaf(entry: FieldEntry, op: str, operand: object, leaf: Any) -> Compare:
    if entry.name in ("netid", "family") and op == "=":
        return _table_leaf(entry, str(operand), leaf)
    bounds = None if entry.tables is None else Bounds(tables=tables_mask(entry.tables))
    return Compare(entry.name, op, operand, leaf, bounds=bounds)


def _table_leaf(entry: FieldEntry, operand: str, leaf: Any) -> Compare:
    name = _word(entry.name, operand) or operand
    if entry.name == "netid":
        tables = tables_mask((name,))
        return Compare(
            entry.name,
            "=",
            name,
            leaf,
            bounds=Bounds(tables=tables),
            bounds_not=Bounds(tables=Bounds().tables & ~tables),
        )
    if name in _FAMILY_TABLES:
        tables = tables_mask((_FAMILY_TABLES[name],))
        return Compare(
            entry.name,
            "=",
            name,
            leaf,
            bounds=Bounds(tables=tables),
            bounds_not=Bounds(tables=Bounds().tables & ~tables),
        )
    others = tables_mask(_FAMILY_TABLES.values())
    family = _IP_FAMILIES.get(name, 3)
    return Compare(
        entry.name,
        "=",
        name,
        leaf,
        bounds=Bounds(tables=Bounds().tables & ~others, families=family),
        # Sockets of other tables fail too, whose family does not matter.
        bounds_not=Bounds(families=3 & ~family) if family != 3 else None,
    )


def _word(name: str, text: str) -> str | None:
    # Letter case, "-" for "_", and the kernel's prefix may differ.
    wanted = text.upper().replace("-", "_")
    for word in WORDS[name]:
        upper = word.upper()
        if wanted == upper or any(upper == prefix + wanted for prefix in _PREFIXES):
            return word
    return None


def _test(lexer: Lexer, field: Token, entry: FieldEntry, op: str, value: Token) -> Callable[[Any], bool]:
    kind = entry.annotation.removesuffix(" | None")
    if kind.startswith("tuple[") and kind.endswith(", ...]"):
        inner = _typed_test(lexer, field, entry, op, value, kind[len("tuple[") : -len(", ...]")])
        return lambda values: any(map(inner, values))
    return _typed_test(lexer, field, entry, op, value, kind)


def _typed_test(
    lexer: Lexer, field: Token, entry: FieldEntry, op: str, value: Token, kind: str
) -> Callable[[Any], bool]:
    if kind in ("str", "bytes", "str | bytes"):
        return _text_test(lexer, field, entry, op, value)
    if op == "~":
        raise lexer.error(field, f"{entry.name} is not text, so patterns do not apply; compare it with = != > < >= <=")
    if kind == "bool":
        return _bool_test(lexer, field, entry, op, value)
    if kind in ("int", "float"):
        return _number_test(lexer, field, entry, op, value)
    if entry.field.of is not None:
        raise lexer.error(field, f"{entry.name} is a group of fields; compare one of them: {_members(entry)}")
    raise lexer.error(field, f"{entry.name} cannot be compared")


def _members(entry: FieldEntry) -> str:
    from sockdiag.model.fields import record_class

    names = [f"{entry.name}.{inner.name}" for inner in record_class(entry.field).FIELDS]
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")


def _bool_test(lexer: Lexer, field: Token, entry: FieldEntry, op: str, value: Token) -> Callable[[Any], bool]:
    word = value.text.lower()
    if op != "=":
        raise lexer.error(field, f"{entry.name} is yes or no; compare it with = or !=")
    if word not in _TRUE + _FALSE:
        raise lexer.error(value, f"{entry.name} is yes or no, not '{value.text}'")
    wanted = word in _TRUE
    return lambda known: known is wanted


def _number_test(lexer: Lexer, field: Token, entry: FieldEntry, op: str, value: Token) -> Callable[[Any], bool]:
    declared = entry.field
    if declared.words and not value.text[:1].isdigit():
        return _named_number(lexer, field, entry, op, value)
    if declared.base == 16:
        try:
            return _ORDERS[op](int(value.text, 16))
        except ValueError:
            raise lexer.error(value, f"{entry.name} is a hexadecimal number, not '{value.text}'") from None
    try:
        wanted = parse_quantity(value.text, declared.unit)
    except ValueError as error:
        raise lexer.error(value, f"{entry.name} needs a number: {error}") from None
    return _ORDERS[op](wanted)


def _named_number(lexer: Lexer, field: Token, entry: FieldEntry, op: str, value: Token) -> Callable[[Any], bool]:
    words = entry.field.words
    if op != "=":
        raise lexer.error(field, f"{entry.name} has named values; compare them with = or !=")
    wanted = value.text.upper().replace("-", "_")
    index = next((i for i, word in enumerate(words) if word.upper() == wanted), None)
    if index is None:
        raise not_among(lexer, value, entry.name, words)
    if entry.field.kind == FLAGS:
        bit = 1 << index
        return lambda known: known & bit != 0
    return lambda known: known == index


def not_among(lexer: Lexer, value: Token, name: str, words: Iterable[str]) -> FilterError:
    """Return the error for a value that is none of the words that a field can have, with the nearest one."""
    choices = list(dict.fromkeys(words))
    near = nearest(value.text, choices)
    hint = f"; did you mean '{near}'?" if near else f": it is one of {', '.join(choices)}"
    return lexer.error(value, f"{name} is never '{value.text}'{hint}")


def _text_test(lexer: Lexer, field: Token, entry: FieldEntry, op: str, value: Token) -> Callable[[Any], bool]:
    if op == "~":
        accepts = compile_glob(value.pattern)
        return remembered(lambda known: accepts(shown(known)))
    if op != "=":
        raise lexer.error(field, f"{entry.name} is text; compare it with = != ~ or !~")
    text = value.text
    if entry.name in WORDS:
        word = _word(entry.name, text)
        if word is None:
            raise not_among(lexer, value, entry.name, WORDS[entry.name])
        return lambda known: known == word
    if entry.name == "protocol":
        folded = text.upper().removeprefix("IPPROTO_").removeprefix("NETLINK_")
        return remembered(lambda known: known.upper() == folded)
    return remembered(lambda known: known == text if isinstance(known, str) else shown(known) == text)


def shown(value: str | bytes) -> str:
    """Return a name as text: ``@`` for a NUL, bytes that are no UTF-8 as Python's surrogates."""
    if isinstance(value, bytes):
        return value.replace(b"\0", b"@").decode("utf-8", "surrogateescape")
    return value
