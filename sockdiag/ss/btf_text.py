"""A value of a BTF type as text, in the notation of C initializers that ss gets from libbpf.

What Debian 12's libbpf 1.1 loses (arrays behind a string, bit fields at the end of a struct) is here, as in newer ones.
"""

from __future__ import annotations

import errno
import sys
from struct import unpack

from sockdiag.kernel.byte_order import ORDER
from sockdiag.sources.system.btf import (
    ARRAY,
    ENUM,
    ENUM64,
    FLOAT,
    FUNC_PROTO,
    FWD,
    INT,
    PTR,
    STRUCT,
    TYPEDEF,
    UNION,
    Btf,
    BtfType,
)

_SIGNED = 1
_BASE = (INT, FLOAT, PTR, ENUM, ENUM64)
_DEEPEST = 32


class _DumpError(Exception):
    # Its argument is the error number that ss prints.
    pass


class ValueText:
    """Print values of the types of one program.

    Args:
        types: the types.
        compact: on one line.
    """

    __slots__ = ("_compact", "_data", "_depth", "_in_array", "_indent", "_parts", "_string", "_types")

    def __init__(self, types: Btf, *, compact: bool) -> None:
        self._types = types
        self._compact = compact
        self._indent = 0 if compact else 2
        self._begin(b"")

    def _begin(self, data: bytes) -> None:
        self._data = data
        self._parts: list[str] = []
        self._depth = 0
        self._in_array = False
        # Elements are characters; they ended at a NUL.
        self._string = [False, False]

    def text(self, number: int, data: bytes) -> tuple[str, int]:
        """Return the text of a value, and 0 or the (negative) error that it ends with."""
        self._begin(data)
        try:
            self._value("", number, 0, 0)
        except _DumpError as error:
            return "".join(self._parts), -int(error.args[0])
        return "".join(self._parts), 0

    def _value(self, name: str, number: int, bit: int, bits: int) -> None:
        """Print the value at a bit offset; *bits* is the size of a bit field, else 0."""
        one = self._types.plain(number)
        at = bit >> 3
        size = (bit % 8 + bits + 7) >> 3 if bits else self._types.size(number)
        if size < 0:
            raise _DumpError(errno.EINVAL)
        if (bits or one.kind in _BASE) and at + size > len(self._data):
            raise _DumpError(errno.E2BIG)
        if self._depth > _DEEPEST:
            raise _DumpError(errno.EINVAL)
        self._prefix()
        if name:
            self._parts.append(f".{name} = ")
        if not self._in_array:
            self._parts.append(f"({self._declared(number)})")
        if one.kind == ARRAY:
            self._array(one, bit)
        elif one.kind in (STRUCT, UNION):
            self._struct(one, bit)
        elif one.kind == INT and not bits:
            self._integer(one, at)
        elif one.kind in (INT, ENUM, ENUM64):
            self._numbered(one, self._bits(bit, bits) if bits else self._number(at, one.size, signed=one.flag), bits)
        elif one.kind == FLOAT:
            self._emit(_float(self._data[at : at + one.size]))
        elif one.kind == PTR:
            self._emit(f"{self._number(at, 8, signed=False):#x}")
        else:
            self._parts.append(f"<unsupported kind:{one.kind}>")
            raise _DumpError(errno.EOPNOTSUPP)

    def _prefix(self) -> None:
        if not self._compact:
            self._parts.append("\t" * (self._indent + self._depth))

    def _newline(self) -> str:
        return "" if self._compact or not self._depth else "\n"

    def _emit(self, text: str) -> None:
        self._parts.append(f"{text}{',' if self._depth else ''}{self._newline()}")

    def _array(self, one: BtfType, bit: int) -> None:
        element = self._types.plain(one.target)
        size = self._types.size(one.target)
        if size <= 0:
            raise _DumpError(errno.EINVAL)
        if element.kind == INT and size == 1:
            self._string[0] = True
        self._depth += 1
        self._parts.append(f"[{self._newline()}")
        outer, self._in_array = self._in_array, True
        ended, self._string[1] = self._string[1], False
        for place in range(one.count):
            if self._string[1]:
                break
            try:
                self._value("", one.target, bit + 8 * size * place, 0)
            except _DumpError:
                # Elements behind the end of the data; those of a string end it.
                break
        self._in_array, self._string[1] = outer, ended
        self._depth -= 1
        self._prefix()
        self._emit("]")

    def _struct(self, one: BtfType, bit: int) -> None:
        self._depth += 1
        self._parts.append(f"{{{self._newline()}")
        outer, self._in_array = self._in_array, False
        for name, number, offset, bits in one.members:
            self._value(name, number, bit + offset, bits)
        self._in_array = outer
        self._depth -= 1
        self._prefix()
        self._emit("}")

    def _integer(self, one: BtfType, at: int) -> None:
        signed = bool(one.encoding & _SIGNED)
        if one.size not in (1, 2, 4, 8, 16):
            raise _DumpError(errno.EINVAL)
        number = self._number(at, one.size, signed=signed and one.size < 16)
        if one.size == 1 and self._string[0]:
            if not number:
                # The NUL itself is not shown, although its place is.
                self._string[1] = True
                return
            if 0x20 <= number < 0x7F:
                self._emit(f"'{chr(number)}'")
                return
        self._emit(f"{number:#x}" if one.size == 16 else str(number))

    def _numbered(self, one: BtfType, number: int, bits: int) -> None:
        if one.kind == INT:
            self._emit(f"{number:#x}")
            return
        if bits and one.flag and number >> (bits - 1) & 1:
            number -= 1 << bits
        suffix = ("LL" if one.flag else "ULL") if one.kind == ENUM64 else ""
        self._emit(one.values.get(number, f"{number}{suffix}"))

    def _number(self, at: int, size: int, *, signed: bool) -> int:
        return int.from_bytes(self._data[at : at + size], sys.byteorder, signed=signed)

    def _bits(self, bit: int, bits: int) -> int:
        if sys.byteorder == "little":
            return int.from_bytes(self._data[bit >> 3 : (bit + bits + 7) >> 3], "little") >> bit % 8 & (1 << bits) - 1
        end = (bit + bits + 7) >> 3
        return int.from_bytes(self._data[bit >> 3 : end], "big") >> 8 * end - bit - bits & (1 << bits) - 1

    def _declared(self, number: int) -> str:
        """Return a type as C declares it, without a name."""
        before, after = self._declarator(number, "", 0)
        return f"{before}{after}"

    def _declarator(self, number: int, inner: str, depth: int) -> tuple[str, str]:
        one = self._types.plain(number, typedefs=False)
        if depth > _DEEPEST:
            return "", ""
        if one.kind == PTR:
            inner = f"*{inner}"
            target = self._types.plain(one.target, typedefs=False)
            if target.kind in (ARRAY, FUNC_PROTO):
                inner = f"({inner})"
            return self._declarator(one.target, inner, depth + 1)
        if one.kind == ARRAY:
            return self._declarator(one.target, f"{inner}[{one.count}]", depth + 1)
        if one.kind == FUNC_PROTO:
            taken = ", ".join(
                [self._declared(target) if target else "..." for _name, target, _bit, _bits in one.members]
            )
            return self._declarator(one.target, f"{inner}({taken or 'void'})", depth + 1)
        gap = " " if inner and inner[0] != "[" else ""
        return f"{self._named(one)}{gap}", inner

    def _named(self, one: BtfType) -> str:
        if one.kind in (STRUCT, UNION, ENUM, ENUM64, FWD):
            word = {STRUCT: "struct", UNION: "union", FWD: "union" if one.flag else "struct"}.get(one.kind, "enum")
            return f"{word} {one.name}" if one.name else word
        return one.name if one.kind in (INT, FLOAT, TYPEDEF) else "void"


def _float(data: bytes) -> str:
    if len(data) in (4, 8):
        return f"{unpack(ORDER + ('f' if len(data) == 4 else 'd'), data)[0]:f}"
    if len(data) == 16 and sys.byteorder == "little":
        # The x87 format: 64 bits of mantissa, its leading 1 among them, and a sign with the exponent.
        mantissa, head = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:10], "little")
        try:
            return f"{(-1.0 if head >> 15 else 1.0) * mantissa * 2.0 ** ((head & 0x7FFF) - 16446):f}"
        except OverflowError:
            return "-inf" if head >> 15 else "inf"
    raise _DumpError(errno.EINVAL)
