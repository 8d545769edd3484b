"""Screens as they stand on terminals of three widths, with colour and without, byte for byte.

``pytest tests/golden --update-golden`` writes the expected files anew; look at what changed before it is kept. In the files
with colour, ``\\e`` stands for the escape character.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest

from sockdiag.cli.env import Env
from sockdiag.cli.main import run
from sockdiag.render.escape import width
from tests.program import PROJECT

EXPECTED = Path(__file__).parent / "screens"
WORLD, BUSY = "6.18-world", "reports/6.18-busy"

# Name of the screen -> what is captured, and the command line.
SCREENS = {
    "overview": (BUSY,),
    "doctor": (BUSY, "doctor"),
    "risk": (BUSY, "risk"),
    "listeners": (BUSY, "listeners"),
    "list": (WORLD, "list", "-p", "--sort", "-recv_q", "--limit", "20"),
    "list-unix": (WORLD, "list", "-xp", "--limit", "20"),
    "states": (WORLD, "states"),
    "states-by-process": (WORLD, "states", "--by", "process"),
    "memory": (WORLD, "memory", "--limit", "10"),
    "memory-by-process": (WORLD, "memory", "--by", "process", "--limit", "10"),
}
WIDTHS = (80, 120, 200)
COLOR = re.compile(r"\x1b\[([0-9;]*)m")
# Reset, bold, dim, and the colours that each terminal defines for itself.
ALLOWED = {"", "0", "1", "2", *(str(first + n) for first in (30, 90) for n in range(8))}


class Terminal(Env):
    """Surroundings whose standard output counts as a terminal."""

    @property
    def terminal(self) -> bool:
        """It is one."""
        return True


def screen(words: tuple[str, ...], columns: int, color: str) -> str:
    """Return what a command shows on a terminal, messages last."""
    environ = {"TERM": "xterm", "COLUMNS": str(columns), "SOCKDIAG_PAGER": "", "SOCKDIAG_CONFIG": ""}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        env = Terminal(out=out.fileno(), err=err.fileno(), environ=environ)
        assert run(["sockdiag", *words, "--color", color], env) == 0
        texts = [os.pread(file.fileno(), 1 << 22, 0).decode("utf-8", "surrogateescape") for file in (out, err)]
    return f"{texts[0]}--- standard error\n{texts[1]}" if texts[1] else texts[0]


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("name", SCREENS)
def test_screen(name: str, columns: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The expected screen; colour adds nothing that is not in words, and is one of the terminal's own."""
    fixture, *words = SCREENS[name]
    monkeypatch.chdir(PROJECT)
    # What would show more is another thing for root.
    monkeypatch.setattr("os.geteuid", lambda: 0)
    line = (*words, "--root", f"tests/fixtures/{fixture}")
    plain, colored = screen(line, columns, "never"), screen(line, columns, "always")
    for text, file in ((plain, f"{name}-{columns}.txt"), (colored, f"{name}-{columns}-color.txt")):
        found = text.replace("\x1b", "\\e").encode("utf-8", "surrogateescape")
        if request.config.getoption("--update-golden"):
            EXPECTED.mkdir(exist_ok=True)
            (EXPECTED / file).write_bytes(found)
        assert found == (EXPECTED / file).read_bytes()
    assert COLOR.sub("", colored) == plain
    assert {code for match in COLOR.finditer(colored) for code in match[1].split(";")} <= ALLOWED
    shown = plain.partition("--- standard error")[0].splitlines()
    # A command to paste stays on one line.
    assert [row for row in shown if width(row) > columns and not row.strip().startswith("sockdiag ")] == []


def test_no_expected_screen_is_left_over() -> None:
    """Every expected file belongs to a screen."""
    names = {f"{name}-{columns}{kind}.txt" for name in SCREENS for columns in WIDTHS for kind in ("", "-color")}
    assert set(os.listdir(EXPECTED)) == names
