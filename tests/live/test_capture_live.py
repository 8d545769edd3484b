"""A capture answers as the running system did: rows that did not change while it was made are in it, to the last value."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.conftest import World
    from tests.live.world.namespace import Namespace

PROGRAM = (sys.executable, "-m", "sockdiag")


def said(namespace: Namespace, *words: str) -> dict[str, Any]:
    """Run a command in the namespace, and return its document."""
    document: dict[str, Any] = json.loads(namespace.run([*PROGRAM, *words]).stdout)
    return document


def of_capture(capture: Path, *words: str) -> dict[str, Any]:
    run = subprocess.run([*PROGRAM, *words, "--root", str(capture)], check=True, capture_output=True, text=True)
    document: dict[str, Any] = json.loads(run.stdout)
    return document


def by(rows: list[dict[str, Any]], *names: str) -> dict[tuple[str, ...], str]:
    """Return rows by what identifies them; two of one identity are left out."""
    found: dict[tuple[str, ...], str] = {}
    for row in rows:
        key = tuple(json.dumps(row[name]) for name in names)
        found[key] = "" if key in found else json.dumps(row)
    return {key: text for key, text in found.items() if text}


class Taken:
    """A capture of the world, and what each command said before and after it."""

    def __init__(self, world: World, folder: Path) -> None:
        self.namespace = world.namespace
        self.path = folder / "case.tar.gz"
        self.before = {words: said(self.namespace, *words) for words in ROWS}
        self.namespace.run([*PROGRAM, "capture", str(self.path), "--interval", "0.3"])
        self.after = {words: said(self.namespace, *words) for words in ROWS}


# Command -> key of its rows, and what identifies one.
ROWS: dict[tuple[str, ...], tuple[str, tuple[str, ...]]] = {
    ("states", "--json"): ("states", ("netid", "family", "state")),
    ("limits", "--json"): ("limits", ("name",)),
}

_taken: list[Taken] = []


@pytest.fixture
def taken(world: World, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """Give the one capture of this module."""
    if not _taken:
        _taken.append(Taken(world, tmp_path_factory.mktemp("taken")))
    return _taken[0]


@pytest.mark.parametrize("words", ROWS, ids=" ".join)
def test_rows_that_stood_still_are_in_the_capture(taken: Taken, words: tuple[str, ...]) -> None:
    key, names = ROWS[words]
    first, then = (by(document[words][key], *names) for document in (taken.before, taken.after))
    still = {name: text for name, text in first.items() if then.get(name) == text}
    captured = by(of_capture(taken.path, *words)[key], *names)
    assert len(still) > len(first) // 2
    assert {name: captured.get(name) for name in still} == still
