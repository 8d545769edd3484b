"""The columns of /proc/net/softnet_stat, which has no heading."""

from __future__ import annotations

import pytest

from sockdiag.model.softnet import SoftnetCpu
from sockdiag.sources.proc.net_softnet_stat import PATH, parse_softnet_stat


def columns(count: int) -> bytes:
    """Make a row whose columns are numbered."""
    return b" ".join(b"%08x" % n for n in range(1, count + 1)) + b"\n"


@pytest.mark.parametrize(
    ("count", "known"),
    [
        (9, (0, True, 1, 2, 3, 9)),
        (10, (0, True, 1, 2, 3, 9, 10)),
        (11, (0, True, 1, 2, 3, 9, 10, 11)),
        (12, (0, True, 1, 2, 3, 9, 10, 11, 12)),
        (13, (13, False, 1, 2, 3, 9, 10, 11, 12)),
        (15, (13, False, 1, 2, 3, 9, 10, 11, 12, 14, 15)),
        (17, (13, False, 1, 2, 3, 9, 10, 11, 12, 14, 15, (16, 17))),
    ],
)
def test_columns_of_every_kernel(count: int, known: tuple[object, ...]) -> None:
    """Columns that a kernel does not have are unknown, newer ones are kept."""
    (row,) = parse_softnet_stat(columns(count))
    assert row == SoftnetCpu(*known)  # type: ignore[arg-type]


def test_offline_cpu() -> None:
    """With a CPU column the line number does not matter; without it it is all there is, and is told as such."""
    body = b"00000001 0 0 0 0 0 0 0 0 0 0 0 %08x\n"
    assert [row.cpu for row in parse_softnet_stat(body % 0 + body % 2)] == [0, 2]
    old = parse_softnet_stat(columns(10) + columns(10))
    assert [(row.cpu, row.cpu_is_position) for row in old] == [(0, True), (1, True)]


@pytest.mark.parametrize(
    ("line", "column"),
    [(b"1 2 3 4 5 6 7 8", "line"), (b"1 x 3 4 5 6 7 8 9", "dropped"), (b"-1 2 3 4 5 6 7 8 9", "processed")],
)
def test_malformed(line: bytes, column: str) -> None:
    """A malformed row costs that row."""
    rows = parse_softnet_stat(columns(9) + line + b"\n" + columns(9))
    assert [row.cpu for row in rows] == [0, 2]
    (error,) = rows.errors
    assert (error.path, error.line, error.column) == (PATH, 2, column)
