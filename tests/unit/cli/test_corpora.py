"""Copied /proc trees of other projects' test data, of kernels from 2.6.32 on: every command gets through them."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.program import invoke
from tests.recorded import CORPORA

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = (
    (),
    ("list", "-o", "+processes,cgroup,rtt"),
    ("list", "--source", "proc"),
    ("states",),
    ("states", "--by", "process"),
    ("states", "--by", "user"),
    ("memory",),
    ("memory", "--by", "port"),
    ("limits",),
    ("protocols",),
)


def net_folders() -> list[Path]:
    """Return the folders of the corpora that are a /proc/net."""
    return sorted(p for p in CORPORA.rglob("net") if p.is_dir() and {"tcp", "unix", "protocols"} & set(names(p)))


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_corpora_are_found() -> None:
    """There are such folders, or no corpora at all."""
    if not CORPORA.is_dir():
        pytest.skip(f"{CORPORA} is absent")
    assert len(net_folders()) >= 3


def tree(tmp_path: Path, net: Path) -> Path:
    """Make a root of a /proc/net: its files, and the processes beside it if it is of a whole /proc."""
    proc = tmp_path / "proc"
    (proc / "net").mkdir(parents=True)
    for file in net.iterdir():
        if file.is_file():
            (proc / "net" / file.name).write_bytes(file.read_bytes())
    for folder in net.parent.glob("[0-9]*") if net.parent.name == "proc" else ():
        (proc / folder.name / "fd").mkdir(parents=True)
        for file in folder.iterdir():
            if file.is_file() and file.name in ("comm", "stat", "status", "cgroup"):
                (proc / folder.name / file.name).write_bytes(file.read_bytes())
        for link in (folder / "fd").glob("*"):
            if link.is_symlink():
                (proc / folder.name / "fd" / link.name).symlink_to(link.readlink())
    return tmp_path


@pytest.mark.parametrize("net", net_folders(), ids=lambda p: str(p.relative_to(CORPORA)))
def test_every_command_reads_it(net: Path, tmp_path: Path) -> None:
    """Text and JSON agree, and nothing but gaps is on standard error."""
    root = ("--root", str(tree(tmp_path, net)))
    for words in COMMANDS:
        text, whole = invoke(*words, *root), invoke(*words, "--json", *root)
        document = json.loads(whole.out)
        assert text.status == whole.status
        assert text.status in ((0, 1) if words[:1] in (("limits",), ("protocols",)) else (0,)), words
        assert all(line.startswith("sockdiag: could not read ") for line in text.err.splitlines()), text.err
        assert document["complete"] == (document["gaps"] == [])
    sockets = json.loads(invoke("list", "--json", "--source", "proc", *root).out)["sockets"]
    counted = json.loads(invoke("states", "--json", "--source", "proc", *root).out)["states"]
    assert sum(row["count"] for row in counted) == len(sockets)
    found = Counter(row["netid"] for row in sockets)
    for table in ("tcp", "udp"):
        assert found[table] <= sum(rows(net / name) for name in (table, f"{table}6"))


def rows(file: Path) -> int:
    return max(0, len(file.read_bytes().splitlines()) - 1) if file.is_file() else 0
