"""The columns of /proc/net/stat/nf_conntrack and the sysctls beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import ParseError, SourceUnavailable
from sockdiag.model.conntrack import ConntrackCpu
from sockdiag.sources.proc.net_stat_nf_conntrack import PATH, parse_nf_conntrack_stat, read_nf_conntrack_stat
from sockdiag.sources.system.captured_root import open_root

if TYPE_CHECKING:
    from pathlib import Path

NEW = (
    b"entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error"
    b"  expect_new expect_create expect_delete search_restart\n"
)
ROW = b" ".join(b"%08x" % n for n in range(16, 33)) + b"\n"


def test_row_of_a_new_kernel() -> None:
    """Columns that are printed as 0 and not counted since 5.9 are unknown."""
    table = parse_nf_conntrack_stat(NEW + ROW)
    assert table.count == 16
    assert table.cpus == (
        ConntrackCpu(
            0,
            clashres=17,
            found=18,
            invalid=20,
            chainlength=23,
            insert=24,
            insert_failed=25,
            drop=26,
            early_drop=27,
            icmp_error=28,
            expect_new=29,
            expect_create=30,
            expect_delete=31,
            search_restart=32,
        ),
    )
    assert (table.max, table.buckets) == (None, None)


def test_total() -> None:
    """Counters are added over the CPUs, entries are the same in all rows; a column that is not there has no sum."""
    table = parse_nf_conntrack_stat(NEW + ROW + ROW)
    assert (table.count, table.total("drop"), table.total("searched")) == (16, 52, None)
    assert [cpu.cpu for cpu in table.cpus] == [0, 1]
    assert parse_nf_conntrack_stat(NEW).total("drop") is None


def test_unknown_column_is_kept() -> None:
    """A newer column stands under its own name."""
    (cpu,) = parse_nf_conntrack_stat(b"entries drop brand_new\n1 2 a\n").cpus
    assert cpu == ConntrackCpu(0, drop=2, more=(("brand_new", 10),))


@pytest.mark.parametrize(("line", "column"), [(b"1 2", "line"), (b"1 g 3", "drop"), (b"1 2 3 4", "line")])
def test_malformed(line: bytes, column: str) -> None:
    """A malformed row costs that row."""
    table = parse_nf_conntrack_stat(b"entries drop new\n1 2 3\n" + line + b"\n1 4 5\n")
    assert [(cpu.cpu, cpu.drop) for cpu in table.cpus] == [(0, 2), (2, 4)]
    (error,) = table.errors
    assert (error.path, error.line, error.column) == (PATH, 3, column)


def test_unknown_heading() -> None:
    """Without its heading no column means anything."""
    with pytest.raises(ParseError):
        parse_nf_conntrack_stat(b"00000001 00000002\n")


def test_read(tmp_path: Path) -> None:
    """The size of the table comes from the sysctls; not loaded is unavailable."""
    files = open_root(str(tmp_path))
    with pytest.raises(SourceUnavailable):
        read_nf_conntrack_stat(files)
    for path, body in ((PATH, NEW + ROW), ("/proc/sys/net/netfilter/nf_conntrack_max", b"262144\n")):
        (tmp_path / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path[1:]).write_bytes(body)
    table = read_nf_conntrack_stat(files)
    assert (table.count, table.max, table.buckets) == (16, 262144, None)
