"""Values of BTF types as ss 7.1 prints them; what is marked so was printed by it, built with libbpf 1.1."""

from __future__ import annotations

import struct

import pytest

from sockdiag.errors import ParseError
from sockdiag.sources.system.btf import Btf
from sockdiag.ss.btf_text import ValueText
from tests.btf_builder import CONST, PTR, TYPEDEF, UNION, VOLATILE, BtfBuilder


class World:
    """The types of the tests."""

    def __init__(self) -> None:
        b = self.builder = BtfBuilder()
        self.int = b.int("int", 4, signed=True)
        self.char = b.int("char", 1, signed=True)
        self.short = b.int("short", 2, signed=True)
        self.u32 = b.refer(TYPEDEF, b.int("unsigned int", 4), "__u32")
        self.u64 = b.int("unsigned long long", 8)
        self.wide = b.int("__int128", 16, signed=True)
        self.odd = b.int("odd", 3)
        self.color = b.enum("color", [("RED", 0), ("GREEN", 1), ("BIG", 77)])
        self.huge = b.enum64("e64", [("HUGE", 1 << 40), ("LESS", -1)], signed=True)
        self.ints = b.array(self.int, self.u32, 3)
        self.text = b.array(self.char, self.u32, 8)
        self.texts = b.array(self.text, self.u32, 2)
        self.inner = b.struct("inner", 8, [("a", self.int, 0), ("b", self.short, 32)])
        self.inners = b.array(self.inner, self.u32, 2)
        self.double = b.float("double", 8)

    def shown(self, number: int, data: bytes, *, compact: bool = True) -> tuple[str, int]:
        return ValueText(Btf(self.builder.data()), compact=compact).text(number, data)


def test_plain_values() -> None:
    """Recorded."""
    w = World()
    b = w.builder
    cases = [
        (w.int, struct.pack("=i", 42), "(int)42"),
        (w.short, struct.pack("=h", -3), "(short)-3"),
        (w.u32, struct.pack("=I", 3000000000), "(__u32)3000000000"),
        (w.u64, struct.pack("=Q", 1 << 60), "(unsigned long long)1152921504606846976"),
        (w.char, b"A", "(char)65"),
        (w.color, struct.pack("=I", 77), "(enum color)BIG"),
        (w.color, struct.pack("=I", 5), "(enum color)5"),
        (w.huge, struct.pack("=Q", 1 << 40), "(enum e64)HUGE"),
        (w.double, struct.pack("=d", 1.5), "(double)1.500000"),
        (b.refer(CONST, b.refer(VOLATILE, w.int)), struct.pack("=i", 2), "(int)2"),
        (b.refer(PTR, w.int), struct.pack("=Q", 0xFFFF888000001234), "(int *)0xffff888000001234"),
        (b.refer(PTR, 0), bytes(8), "(void *)0x0"),
        (b.refer(PTR, w.inner), struct.pack("=Q", 16), "(struct inner *)0x10"),
        (w.text, b"xyz\0\0\0\0\0", "(char[8])['x','y','z',]"),
        (b.refer(TYPEDEF, w.ints, "arr_t"), struct.pack("=iii", 7, 8, 9), "(arr_t)[7,8,9,]"),
        (w.inner, struct.pack("=ihxx", 9, -9), "(struct inner){.a = (int)9,.b = (short)-9,}"),
    ]
    for number, data, text in cases:
        assert w.shown(number, data) == (text, 0)
    if struct.pack("=H", 1) == b"\1\0":
        wide = (-7).to_bytes(16, "little", signed=True)
        assert w.shown(w.wide, wide) == ("(__int128)0xfffffffffffffffffffffffffffffff9", 0)


def test_a_struct_on_lines_of_its_own() -> None:
    """Recorded, but for what libbpf 1.1 leaves out: the elements of texts and inners, behind the end of a string."""
    w = World()
    b = w.builder
    anonymous = b.struct("", 4, [("f", w.u32, 0), ("g", w.int, 0)], kind=UNION)
    empty = b.array(w.int, w.u32, 0)
    members = [
        ("arr", w.ints, 0),
        ("name", w.text, 96),
        ("in", w.inner, 160),
        ("", anonymous, 224),
        ("texts", w.texts, 256),
        ("inners", w.inners, 384),
        ("e0", empty, 512),
    ]
    big = b.struct("big", 64, members)
    data = struct.pack("=iii", 1, 0, 3) + b"hello\0\0\0" + struct.pack("=ihxx", 9, -9) + struct.pack("=i", -1)
    data += b"ab\0\0\0\0\0\0cdefghij" + struct.pack("=ihxxihxx", 1, 2, 3, 4)
    text = """
        (struct big){
            .arr = (int[3])[
                1,
                0,
                3,
            ],
            .name = (char[8])[
                'h',
                'e',
                'l',
                'l',
                'o',
                            ],
            .in = (struct inner){
                .a = (int)9,
                .b = (short)-9,
            },
            (union){
                .f = (__u32)4294967295,
                .g = (int)-1,
            },
            .texts = (char[2][8])[
                [
                    'a',
                    'b',
                                    ],
                [
                    'c',
                    'd',
                    'e',
                    'f',
                    'g',
                    'h',
                    'i',
                    'j',
                ],
            ],
            .inners = (struct inner[2])[
                {
                    .a = (int)1,
                    .b = (short)2,
                },
                {
                    .a = (int)3,
                    .b = (short)4,
                },
            ],
            .e0 = (int[0])[
            ],
        }"""
    assert w.shown(big, data, compact=False) == (text[1:].replace("    ", "\t"), 0)


@pytest.mark.skipif(struct.pack("=H", 1) != b"\1\0", reason="bits are numbered from the other end")
def test_bit_fields() -> None:
    """Recorded, but for the last one, which libbpf 1.1 takes for longer than the data."""
    w = World()
    members = [("a", w.u32, 3 << 24), ("b", w.u32, 5 << 24 | 3), ("c", w.int, 7 << 24 | 8), ("d", w.u64, 20 << 24 | 20)]
    bits = w.builder.struct("bits", 8, members)
    text = "(struct bits){.a = (__u32)0x6,.b = (__u32)0x17,.c = (int)0x3a,.d = (unsigned long long)0xefcaf,}"
    assert w.shown(bits, struct.pack("=Q", 0xDEADBEEFCAFEBABE)) == (text, 0)


def test_declarations() -> None:
    """As C spells them: an array of pointers, a pointer to an array, a function."""
    w = World()
    b = w.builder
    cases = {
        b.array(b.refer(PTR, w.int), w.u32, 2): "int *[2]",
        b.refer(PTR, w.ints): "int (*)[3]",
        b.refer(PTR, b.refer(PTR, w.char)): "char **",
        b.refer(PTR, b.prototype(w.int, [w.char, b.refer(PTR, 0), 0])): "int (*)(char, void *, ...)",
        b.refer(PTR, b.forward("far")): "struct far *",
    }
    for number, declared in cases.items():
        assert w.shown(number, bytes(16))[0].startswith(f"({declared})")


def test_data_that_ends_early() -> None:
    """Recorded: the number of the error, where it is met."""
    w = World()
    assert w.shown(w.int, b"\1\2") == ("", -7)
    assert w.shown(w.inner, bytes(4)) == ("(struct inner){.a = (int)0,", -7)
    assert w.shown(w.odd, bytes(3)) == ("(odd)", -22)
    assert w.shown(w.ints, struct.pack("=i", 5)) == ("(int[3])[5,]", 0)


def test_damaged_types() -> None:
    """Cut anywhere, or referring to themselves: an error or a text, and never a loop."""
    w = World()
    b = w.builder
    again = b.refer(TYPEDEF, 0, "again")
    data = b.data()
    loop = data.replace(struct.pack("=II", 8 << 24, 0), struct.pack("=II", 8 << 24, again))
    assert loop != data
    assert ValueText(Btf(loop), compact=True).text(again, bytes(8))[1] == -22
    for cut in range(len(data)):
        try:
            ValueText(Btf(data[:cut]), compact=True).text(w.inner, bytes(8))
        except ParseError:
            continue
    assert ValueText(Btf(data), compact=True).text(999, bytes(8))[1] == -22
