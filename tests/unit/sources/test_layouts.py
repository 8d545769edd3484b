"""tests/fixtures/layouts has every layout that kernels from 2.6.32 on gave the files that are read.

The trees are named after a kernel whose layout they have; ``odd`` holds what is damaged, or no kernel's. What is in them the
tests of the parsers tell. Where the samples of other projects are at hand, none of them has a layout that is not here.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from sockdiag.kernel.netlink import NLMSG_DONE
from sockdiag.sources.system.transport import Request, messages
from tests.recorded import CORPORA, LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ODD = LAYOUTS / "odd"

REQUEST = Request("layout", b"")


def test_each_tree_names_its_kernel() -> None:
    for tree in LAYOUTS.iterdir():
        if tree != ODD:
            meta = tomllib.loads((tree / "meta.toml").read_text())
            assert meta.keys() == {"kernel", "layouts"}
            assert meta["kernel"] == tree.name


class Layout(NamedTuple):
    """What a file's form is, apart from its values."""

    kind: str
    heading: tuple[Any, ...]
    # Numbers of columns that its rows have.
    rows: frozenset[int] = frozenset()


# Counters that are there as soon as such a message has come or gone; a file mode that one sample carries.
_MESSAGES = re.compile(r"(In|Out)Type\d+|Icmp6(In|Out)Type\d+|Mode:")


def _mib(lines: list[list[str]]) -> tuple[Any, ...]:
    headings = [words for words in lines if words[1][:1].isalpha()]
    return tuple((words[0], *(word for word in words[1:] if not _MESSAGES.fullmatch(word))) for words in headings)


def _mib6(lines: list[list[str]]) -> tuple[str, ...]:
    return tuple(words[0] for words in lines if not _MESSAGES.fullmatch(words[0]))


def _levels(lines: list[list[str]]) -> tuple[Any, ...]:
    return tuple((words[0], *words[1::2]) for words in lines)


# Kind of file by its name.
KINDS = (
    (r"(proc_)?(net_)?(tcp|udp|raw|udplite)6?|procnetudp|udp_broken|(netstat|proc|procnet)_internal_test/.*", "inet"),
    (r"(net_)?unix|unix_without_inode", "unix"),
    (r"dev_snmp6/.*|snmp6|proc_net_snmp6_.|sctp/snmp", "mib6"),
    (r"snmp|proc_net_snmp_.|test\.rs/sample_01.txt", "mib"),
    (r"netstat|(proc_)?net_netstat_.|test\.rs/sample_02.txt", "mib"),
    (r"(proc_net_)?sockstat6?|net_sockstat_test/.*", "levels"),
    (r"softnet_stat(\.broken)?", "softnet_stat"),
    (r"dev|procnetdev|(proc_)?net_dev(_squeeze|_.)?|208-.*", "dev"),
    (r"protocols|netlink|packet|stat/[ni][pf]_conntrack", "table"),
)


def kind_of(path: Path) -> str:
    parent = re.sub(r"(\.go)?\.d$", "", path.parent.name)
    for pattern, kind in KINDS:
        if re.fullmatch(pattern, path.name) or re.fullmatch(pattern, f"{parent}/{path.name}"):
            return kind
    return ""


def layout(path: Path, kind: str) -> Layout:
    """Return the form of a file."""
    lines = [line.split() for line in path.read_text("latin-1").splitlines() if line.strip()]
    if kind in ("mib", "mib6", "levels"):
        return Layout(kind, {"mib": _mib, "mib6": _mib6, "levels": _levels}[kind](lines))
    if kind == "softnet_stat":
        return Layout(kind, (), frozenset(map(len, lines)))
    heading = (*lines[0], *(lines[1] if kind == "dev" else ()))
    # A path may have blanks, and none is one column less.
    rows = frozenset() if kind in ("unix", "dev") else frozenset(map(len, lines[1:]))
    return Layout(kind, heading, rows)


def shape(row: bytes) -> tuple[int, ...]:
    """Return the attributes of an inet_diag message, each with its length, but for names."""
    place, found = 16 + 72, []
    while place + 4 <= len(row):
        length, number = (
            int.from_bytes(row[place : place + 2], "little"),
            int.from_bytes(row[place + 2 : place + 4], "little"),
        )
        found.append((number, 0 if number == 4 else length))
        place += (length + 3) & ~3
    return tuple(number for pair in sorted(found) for number in pair)


def covered(wanted: Iterable[Layout], ours: list[Layout]) -> list[Layout]:
    """Return the layouts that none of ours has."""
    rows: dict[tuple[Any, ...], set[int]] = {}
    for one in ours:
        rows.setdefault((one.kind, one.heading), set()).update(one.rows)
    return [
        one
        for one in wanted
        if not one.rows <= rows.get((one.kind, one.heading), {-1}) or (one.kind, one.heading) not in rows
    ]


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the samples of other projects are not here (../shared/corpora)")
def test_no_sample_has_another_layout() -> None:
    ours = [layout(path, kind) for path in LAYOUTS.rglob("*") if path.is_file() and (kind := our_kind(path))]
    samples = {path: kind for path in sorted(CORPORA.rglob("*")) if path.is_file() and (kind := kind_of(path))}
    assert len(samples) > 80
    missing = {
        str(path.relative_to(CORPORA)): wanted
        for path, kind in samples.items()
        for wanted in covered([layout(path, kind)], ours)
    }
    assert missing == {}


def our_kind(path: Path) -> str:
    """Return the kind of a fixture: those of ``odd`` are named after what they are meant to be."""
    if path.parent != ODD:
        return kind_of(path)
    name = path.name.partition("-")[0]
    return {"short": "mib"}.get(name) or kind_of(path.with_name(name))


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the samples of other projects are not here (../shared/corpora)")
def test_no_message_has_another_layout() -> None:
    from tests.unit.sources.test_inet_diag_corpora import MLAB, archived, unpacked

    ours = {shape(row) for path in LAYOUTS.rglob("*.nl") for row in dumped(path)}
    theirs = {
        shape(row) for path in (*CORPORA.rglob("inet-dump-*.bin"), *CORPORA.rglob("ss1.dump")) for row in dumped(path)
    }
    for path in MLAB.rglob("*.zst"):
        if path.name == "testdata.zst":
            rows = [row for row in messages(REQUEST, unpacked(path)) if row[4] != NLMSG_DONE]
        else:
            rows = archived(path)
        theirs |= {shape(row) for row in rows}
    assert len(theirs) >= 7
    assert theirs - ours == set()


def dumped(path: Path) -> list[bytes]:
    return [row for row in messages(REQUEST, path.read_bytes()) if row[4] != NLMSG_DONE]
