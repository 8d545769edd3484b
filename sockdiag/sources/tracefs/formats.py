"""The ``format`` file of a tracepoint: where its fields are, and the names that the kernel prints for their numbers.

Offsets and numbers differ from kernel to kernel; all of them are taken from here.

Source: ``f_show()``, kernel/trace/trace_events.c; ``__print_symbolic()``, include/trace/stages/stage3_trace_output.h.
"""

from __future__ import annotations

from re import compile as regex
from struct import Struct

from sockdiag.errors import ParseError
from sockdiag.kernel.byte_order import ORDER
from sockdiag.model.record import ID, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_FIELD = regex(rb"\tfield:(.+?)(\w+)(\[\d*\])?;\toffset:(\d+);\tsize:(\d+);(?:\tsigned:(\d+);)?\s*$")
_SYMBOLIC = regex(r"__print_symbolic\(\s*REC->(\w+)\s*,(.*?)\}\s*\)")
_PAIR = regex(r'\{\s*(0x[0-9a-fA-F]+|\d+)\w*\s*,\s*"((?:[^"\\]|\\.)*)"\s*')
_LETTERS = {1: "B", 2: "H", 4: "I", 8: "Q"}
# An event is at most a page.
_LARGEST = 1 << 16


class TraceField(Record):
    """One field of a tracepoint."""

    name: str = field("Name.", kind=LABEL)
    offset: int = field("Offset in the event, whose common fields count.", kind=ID)
    size: int = field("Bytes.", kind=ID)
    signed: bool = field("It is a signed number.", kind=LABEL)
    array: bool = field("It is an array, such as an address.", kind=LABEL)


class TraceFormat(Record):
    """The layout of one tracepoint."""

    name: str = field("Name.", kind=LABEL)
    id: int = field("Number that its events begin with.", kind=ID)
    fields: dict[str, TraceField] = field("Fields by name.")
    symbols: dict[str, dict[int, str]] = field("By field, the names of its numbers.")

    def reader(self, names: Sequence[str]) -> EventReader:
        """Return what reads some fields of an event; one that this kernel lacks is read as None."""
        return EventReader(self, names)

    def number(self, name: str, symbol: str) -> int | None:
        """Return the number that a symbol of a field stands for; None where this kernel has none of this name."""
        return next((number for number, text in self.symbols.get(name, {}).items() if text == symbol), None)


class EventReader:
    """Reads the values of some fields at once.

    Attributes:
        absent: places of fields that the tracepoint does not have, for which there is None.
    """

    __slots__ = ("_places", "_struct", "absent", "length")

    def __init__(self, layout: TraceFormat, names: Sequence[str]) -> None:
        present = sorted((layout.fields[name] for name in names if name in layout.fields), key=lambda one: one.offset)
        code, at = [ORDER], 0
        order: dict[str, int] = {}
        for one in present:
            if one.name in order or one.offset < at:
                continue
            code.append(f"{one.offset - at}x")
            letter = None if one.array else _LETTERS.get(one.size)
            code.append(f"{one.size}s" if letter is None else letter.lower() if one.signed else letter)
            order[one.name] = len(order)
            at = one.offset + one.size
        self._struct = Struct("".join(code))
        self.length = at
        self.absent = tuple(name for name in names if name not in order)
        self._places = tuple(order.get(name, len(order)) for name in names)

    def read(self, page: bytes, offset: int) -> tuple[int | bytes | None, ...]:
        """Return the values of the event that begins at an offset, in the order of the names."""
        found = (*self._struct.unpack_from(page, offset), None)
        return tuple([found[place] for place in self._places])


def parse_format(body: bytes, path: str) -> TraceFormat:
    """Parse the format file of a tracepoint.

    Raises:
        ParseError: it has no name, no number or no fields.
    """
    name, number = "", -1
    fields: dict[str, TraceField] = {}
    head, _, fmt = body.partition(b"\nprint fmt:")
    for line in head.split(b"\n"):
        if line.startswith(b"name: "):
            name = line[6:].decode("ascii", "replace").strip()
        elif line.startswith(b"ID: ") and line[4:].strip().isdigit():
            number = int(line[4:])
        else:
            found = _FIELD.match(line)
            if found is None:
                continue
            kind, title, bounds, offset, size, signed = found.groups()
            if int(offset) + int(size) > _LARGEST:
                raise ParseError(path, 0, "offset", f"at most {_LARGEST}", line)
            text = title.decode("ascii")
            fields[text] = TraceField(
                text, int(offset), int(size), signed == b"1", bounds is not None or b"__data_loc" in kind
            )
    if not name or number < 0 or "common_type" not in fields:
        raise ParseError(path, 1, "name, ID, common_type", "a tracepoint's format", body[:80])
    return TraceFormat(name, number, fields, _symbols(fmt.decode("utf-8", "replace")))


def _symbols(fmt: str) -> dict[str, dict[int, str]]:
    found: dict[str, dict[int, str]] = {}
    for name, pairs in _SYMBOLIC.findall(fmt):
        # Kernels before their TRACE_DEFINE_ENUM print names of constants instead of numbers; those give no symbol.
        numbers = {int(number, 0): text for number, text in _PAIR.findall(f"{pairs}}}")}
        if numbers:
            found.setdefault(name, numbers)
    return found
