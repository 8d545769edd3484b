"""Random filters of ss, as words, and random expressions of --where."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

HOSTS = (
    "127.0.0.1",
    "127.0.1.2",
    "127/8",
    "127.0/16",
    "10/8",
    "10.0.0.1",
    "10.0.1.0/24",
    "0.0.0.0",
    "0/0",
    "0.0.0.0/0",
    "127.0.0.1:22",
    "127.0.0.1/8:80",
    "*:22",
    ":443",
    "*",
    "any",
    "default:80",
    "[::1]",
    "[::1]:80",
    "[::]",
    "[::/0]",
    "::/0",
    "fd00::/16",
    "[fd00::/16]:443",
    "[fd00::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:0:0/96]",
    "[::ffff:127.0.0.0/104]",
    "7f00:1::/32",
    "inet:127/8",
    "inet6:[::1]",
    "inet6:fd00::/8",
    "inet:*",
    "inet6:*:80",
    "inet:any",
    "inet6:any",
    "inet:0/0",
    "012.0.0.1",
    "0x7f.1",
    "127.0.0.1/255.0.0.0",
    "1.0.0.0/1",
    "128.0.0.0/1",
)
PORTS = (
    "22",
    ":80",
    "0x1bb",
    "026",
    "*",
    ":",
    "0",
    "1023",
    "1024",
    "5000",
    "32768",
    "60999",
    "65535",
    "65536",
    "65558",
    "131072",
    "2147483647",
    "inet:22",
    "inet6:80",
)
DEVICES = ("lo", "fil0", "0", "1", "if7")
MARKS = ("0", "1", "5/1", "0xff", "0xff/0xf", "1/1", "0/0", "0/1", "0xffffffff", "4/4", "-")
AND = (["and"], ["&"], ["&&"], [])
OR = (["or"], ["|"], ["||"])


def ss_words(chance: random.Random, *, devices: bool = True, depth: int = 0) -> list[str]:
    """Return a filter of ss that has no error."""
    roll = chance.random()
    if depth > 3 or roll < 0.4:
        return _predicate(chance, devices=devices)
    if roll < 0.52:
        return [chance.choice(["not", "!"]), *ss_words(chance, devices=devices, depth=4)]
    if roll < 0.68:
        return ["(", *ss_words(chance, devices=devices, depth=depth + 1), ")"]
    left = ss_words(chance, devices=devices, depth=depth + 1)
    return [*left, *chance.choice([*AND, *OR]), *ss_words(chance, devices=devices, depth=depth + 1)]


def _predicate(chance: random.Random, *, devices: bool) -> list[str]:
    kind = chance.choice(["src", "src", "dst", "sport", "sport", "dport", "fwmark", "autobound", "dev"])
    if kind == "dev" and not devices:
        kind = "sport"
    if kind in ("src", "dst"):
        return [kind, *chance.choice([[], ["="], ["=="], ["eq"]]), chance.choice(HOSTS)]
    if kind in ("sport", "dport"):
        operators: Sequence[list[str]] = ([], ["="], ["!="], [">"], ["<"], [">="], ["le"], ["geq"], ["lt"], ["ne"])
        return [kind, *chance.choice(operators), chance.choice(PORTS)]
    if kind == "dev":
        return [kind, *chance.choice([[], ["="], ["!="]]), chance.choice(DEVICES)]
    if kind == "fwmark":
        return [kind, *chance.choice([[], ["="], ["!="]]), chance.choice(MARKS[:-1])]
    return [kind]


def where_text(chance: random.Random, depth: int = 0) -> str:
    """Return a --where expression, of comparisons that the kernel can make and others."""
    roll = chance.random()
    if depth > 3 or roll < 0.35:
        return chance.choice(_WHERE)(chance)
    if roll < 0.5:
        return f"not ({where_text(chance, depth + 1)})"
    joint = chance.choice([" and ", " or "])
    return joint.join(f"({where_text(chance, depth + 1)})" for _ in range(chance.choice([2, 2, 3])))


def _where_host(chance: random.Random) -> str:
    return f"{chance.choice(['src', 'dst', 'src !=', 'local ='])} {chance.choice(HOSTS)}"


def _where_port(chance: random.Random) -> str:
    operator = chance.choice(["=", "!=", ">", "<", ">=", "<="])
    return f"{chance.choice(['sport', 'dport', 'local.port'])} {operator} {chance.choice(PORTS[:17])}"


_WHERE: tuple[Callable[[random.Random], str], ...] = (
    _where_host,
    _where_host,
    _where_port,
    _where_port,
    lambda chance: f"dev {chance.choice(['', '!= '])}{chance.choice(DEVICES)}",
    lambda chance: f"fwmark {chance.choice(['', '!= '])}{chance.choice(MARKS[:-1])}",
    lambda chance: (
        f"state {chance.choice(['', '= ', '!= '])}{chance.choice(['listening', 'established', 'time-wait', 'connected', 'close', 'big'])}"
    ),
    lambda chance: chance.choice(["recv_q > 0", "skmem.rcvbuf > 64K", "fill < 1%", "skmem.drops = 0", "skmem"]),
    lambda chance: chance.choice(["family = inet", "family != inet6", "netid = tcp", "netid != tcp", "uid = 0"]),
    lambda chance: chance.choice(["inode", "timer", "timer.name = keepalive", "mark = unknown", "autobound"]),
)
