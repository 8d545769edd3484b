"""A spreadsheet that opens CSV computes nothing that somebody chose as a name."""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from tests.program import invoke

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "Num       RefCount Protocol Flags    Type St Inode Path\n"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\t=1", r"\x09=1"),
        ('"=1', "'\"=1"),
        ("a;=1", "a;'=1"),
        ("a=1", "a=1"),
        ("/run/x-y;z", "/run/x-y;z"),
    ],
)
def test_names_are_no_formulas(name: str, shown: str, tmp_path: Path) -> None:
    """Alone in a cell, within one, and after what some spreadsheets split cells at."""
    net = tmp_path / "proc" / "net"
    net.mkdir(parents=True)
    (net / "unix").write_text(
        HEADER + f"0000000000000000: 00000002 00000000 00010000 0001 01  2000 {name}\n", encoding="utf-8"
    )
    done = invoke("list", "--root", str(tmp_path), "--netid=unix", "--csv", "-o", "local,local.address,recv_q,inode")
    row = next(csv.DictReader(StringIO(done.text)))
    assert row["local.address"] == shown
    assert row["local"] == shown
    assert row["inode"] == "2000"
