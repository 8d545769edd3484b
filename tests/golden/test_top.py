"""The screens of ``top`` on a recorded system, at three sizes, cell for cell.

``pytest tests/golden --update-golden`` writes the expected files anew; look at what changed before it is kept.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sockdiag.top import tabs
from tests.unit.top.recorded_top import drawn, recorded_screen

EXPECTED = Path(__file__).parent / "top"
SIZES = ((80, 24), (120, 40), (200, 60))
VIEWS = (*tabs.TABS, "finding", "socket", "help")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("view", VIEWS)
def test_screen(
    view: str, size: tuple[int, int], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setitem(os.environ, "TZ", "UTC")
    time.tzset()
    screen = recorded_screen()
    assert screen.look is not None
    screen.look.at = 1_800_000_000.0
    if view in tabs.TABS:
        screen.go(view)
    elif view == "help":
        screen.key("?")
    else:
        screen.go(tabs.PROBLEMS if view == "finding" else tabs.SOCKETS)
        screen.key("enter")
    found = "".join(f"{line.rstrip()}\n" for line in drawn(screen, *size).split("\n"))
    file = EXPECTED / f"{view}-{size[0]}x{size[1]}.txt"
    if request.config.getoption("--update-golden"):
        file.write_text(found)
    assert found == file.read_text()
