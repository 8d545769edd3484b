"""A recorded moment whose processes were read earlier says so, and calls no socket unowned for that."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from tests.program import FIXTURES, invoke

if TYPE_CHECKING:
    from pathlib import Path

GAP = "the processes were read 25 s before this moment"


def test_owners_of_younger_sockets_are_unknown(tmp_path: Path) -> None:
    root = tmp_path / "moment"
    shutil.copytree(FIXTURES / "6.18-world", root, symlinks=True)
    words = ("list", "--json", "--netid", "tcp,udp", "-o", "inode,processes", "--root", str(root))
    before = json.loads(invoke(*words).text)
    meta = root / "meta.toml"
    text = "".join(line for line in meta.read_text().splitlines(True) if not line.startswith("monotonic"))
    meta.write_text(f"monotonic = 125.0\nprocesses_monotonic = 100.0\n{text}")
    after = json.loads(invoke(*words).text)
    assert GAP not in [gap["reason"] for gap in before["gaps"]]
    assert GAP in [gap["reason"] for gap in after["gaps"]]
    for now, then in zip(after["sockets"], before["sockets"], strict=True):
        if then["processes"] == [] and then["inode"]:
            assert now["processes"] is None
        else:
            assert now == then
