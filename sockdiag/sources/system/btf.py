"""Types in the format of BTF, as the kernel hands them out.

**Source:** Documentation/bpf/btf.rst, include/uapi/linux/btf.h.
"""

from __future__ import annotations

from struct import Struct
from struct import error as struct_error

from sockdiag.errors import ParseError
from sockdiag.kernel.byte_order import ORDER

(
    UNKNOWN,
    INT,
    PTR,
    ARRAY,
    STRUCT,
    UNION,
    ENUM,
    FWD,
    TYPEDEF,
    VOLATILE,
    CONST,
    RESTRICT,
    FUNC,
    FUNC_PROTO,
    VAR,
    DATASEC,
    FLOAT,
    DECL_TAG,
    TYPE_TAG,
    ENUM64,
) = range(20)

# What only changes how a type may be used.
MODIFIERS = (VOLATILE, CONST, RESTRICT, TYPE_TAG)

_MAGIC = 0xEB9F
_HEADER = Struct(f"{ORDER}HBBIIIII")  # magic, version, flags, hdr_len, type_off, type_len, str_off, str_len
_TYPE = Struct(f"{ORDER}III")  # name_off, info, size or type
_WORD = Struct(f"{ORDER}I")
_THREE = Struct(f"{ORDER}III")  # array, member, enum64
_PAIR = Struct(f"{ORDER}II")
_ENUM = Struct(f"{ORDER}Ii")
# Bytes that follow a type: once, and for each of its vlen parts.
_TAILS = {INT: (4, 0), ARRAY: (12, 0), VAR: (4, 0), DECL_TAG: (4, 0)}
_PARTS = {STRUCT: 12, UNION: 12, ENUM: 8, ENUM64: 12, FUNC_PROTO: 8, DATASEC: 12}
# Types of types nest no deeper than the kernel lets them (MAX_RESOLVE_DEPTH).
_DEEPEST = 64


class BtfType:
    """One type.

    Attributes:
        kind: its kind.
        name: its name, "" for none.
        size: bytes; of a kind that has no size of its own 0.
        target: id of the type that it refers to, 0 for void.
        encoding: of an integer, bit 0 for signed.
        count: of an array, the number of its elements.
        members: of a struct or union: name, type, bit offset, and bits of a bit field or 0; of a prototype name and type.
        values: of an enumeration, its values and their names.
        flag: an enumeration is signed, a forward declaration is a union's.
    """

    __slots__ = ("count", "encoding", "flag", "kind", "members", "name", "size", "target", "values")

    def __init__(self, kind: int, name: str, size: int, *, flag: bool) -> None:
        self.kind = kind
        self.name = name
        self.size = self.target = size
        self.flag = flag
        self.encoding = self.count = 0
        self.members: list[tuple[str, int, int, int]] = []
        self.values: dict[int, str] = {}


VOID = BtfType(UNKNOWN, "void", 0, flag=False)


class Btf:
    """The types of one program.

    Args:
        data: what the kernel gave.

    Raises:
        ParseError: it is no BTF.
    """

    __slots__ = ("_strings", "_types")

    def __init__(self, data: bytes) -> None:
        try:
            magic, _version, _flags, header, type_at, type_len, string_at, string_len = _HEADER.unpack_from(data)
            if magic != _MAGIC:
                raise ParseError("bpf(2)", 0, "magic", f"{_MAGIC:#x}", data[:2])
            self._strings = data[header + string_at :][:string_len]
            self._types = [VOID, *self._read(data[header + type_at :][:type_len])]
        except struct_error:
            raise ParseError("bpf(2)", 0, "types", "whole types", data[:24]) from None

    def _read(self, data: bytes) -> list[BtfType]:
        found = []
        at = 0
        while at < len(data):
            name, info, size = _TYPE.unpack_from(data, at)
            kind, count = info >> 24 & 0x1F, info & 0xFFFF
            one = BtfType(kind, self._text(name), size, flag=bool(info >> 31))
            at += _TYPE.size
            self._fill(one, data, at, count)
            at += _TAILS.get(kind, (0, 0))[0] + _PARTS.get(kind, 0) * count
            found.append(one)
        return found

    def _fill(self, one: BtfType, data: bytes, at: int, count: int) -> None:
        if one.kind == INT:
            one.encoding = _WORD.unpack_from(data, at)[0] >> 24 & 0xF
        elif one.kind == ARRAY:
            one.target, _index, one.count = _THREE.unpack_from(data, at)
        elif one.kind in (STRUCT, UNION):
            for place in range(at, at + 12 * count, 12):
                name, target, offset = _THREE.unpack_from(data, place)
                bits = offset >> 24 if one.flag else 0
                one.members.append((self._text(name), target, offset & 0xFFFFFF if one.flag else offset, bits))
        elif one.kind == FUNC_PROTO:
            for place in range(at, at + 8 * count, 8):
                name, target = _PAIR.unpack_from(data, place)
                one.members.append((self._text(name), target, 0, 0))
        elif one.kind == ENUM:
            for place in range(at, at + 8 * count, 8):
                name, value = _ENUM.unpack_from(data, place)
                one.values.setdefault(value if one.flag else value & 0xFFFFFFFF, self._text(name))
        elif one.kind == ENUM64:
            for place in range(at, at + 12 * count, 12):
                name, low, high = _THREE.unpack_from(data, place)
                value = high << 32 | low
                one.values.setdefault(value - (1 << 64) if one.flag and value >> 63 else value, self._text(name))

    def _text(self, at: int) -> str:
        return self._strings[at : self._strings.find(b"\0", at)].decode("latin-1")

    def type(self, number: int) -> BtfType:
        """Return a type; void for one that is not there."""
        return self._types[number] if number < len(self._types) else VOID

    def plain(self, number: int, *, typedefs: bool = True) -> BtfType:
        """Return what is behind modifiers, and behind typedefs."""
        one = self.type(number)
        for _ in range(_DEEPEST):
            if one.kind not in MODIFIERS and not (typedefs and one.kind == TYPEDEF):
                break
            one = self.type(one.target)
        return one

    def size(self, number: int) -> int:
        """Return how many bytes a value of a type takes; -1 where that cannot be told."""
        count = 1
        for _ in range(_DEEPEST):
            one = self.plain(number)
            if one.kind != ARRAY:
                if one.kind == PTR:
                    return 8 * count
                return one.size * count if one.kind in (INT, FLOAT, STRUCT, UNION, ENUM, ENUM64) else -1
            count *= one.count
            number = one.target
        return -1
