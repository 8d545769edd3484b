"""The programs in examples/ run, and print of a capture exactly this.

``pytest tests/golden --update-golden`` writes the expected files anew; look at what changed before it is kept.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.program import FIXTURES, PROJECT

EXAMPLES = PROJECT / "examples"
EXPECTED = Path(__file__).parent / "examples"
BUSY, SOME = "reports/6.18-busy", "6.18-unprivileged"

# Name of the expected file -> program, words, the captures behind them, exit status.
CASES: dict[str, tuple[str, list[str], list[str], int]] = {
    "who_listens.txt": ("who_listens.py", [], [BUSY], 0),
    "alert_on_rule.txt": ("alert_on_rule.py", ["ACCEPT_QUEUE_FULL"], [BUSY], 2),
    "alert_on_rule-unknown.txt": ("alert_on_rule.py", ["ORPHANS"], [BUSY], 3),
    "alert_on_rule-nothing.txt": ("alert_on_rule.py", ["PEER_SILENT"], [BUSY], 0),
    "notebook_table.txt": ("notebook_table.py", [], [BUSY], 0),
    "compare_captures.txt": ("compare_captures.py", [], [SOME, BUSY], 0),
    "export_csv.txt": ("export_csv.py", [], [BUSY], 0),
}


@pytest.mark.parametrize("name", CASES)
def test_example(name: str, pytestconfig: pytest.Config) -> None:
    """Standard output and exit status of each program."""
    program, words, captures, status = CASES[name]
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / program), *words, *(str(FIXTURES / capture) for capture in captures)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    path = EXPECTED / name
    if pytestconfig.getoption("--update-golden"):
        path.write_text(done.stdout)
    assert done.stdout == path.read_text()
    assert done.returncode == status


def test_every_example_runs() -> None:
    """Each program of the folder is played above, and is in its README."""
    programs = {path.name for path in EXAMPLES.glob("*.py")}
    assert programs == {case[0] for case in CASES.values()}
    assert programs == set(re.findall(r"\]\(([a-z_]+\.py)\)", (EXAMPLES / "README.md").read_text()))


@pytest.mark.live
@pytest.mark.parametrize("words", [["who_listens.py"], ["export_csv.py"], ["alert_on_rule.py", "LISTEN_DROP"]])
def test_example_reads_this_host(words: list[str]) -> None:
    """Without a capture each reads the running system."""
    done = subprocess.run(
        [sys.executable, *words], cwd=EXAMPLES, capture_output=True, text=True, check=False, timeout=60
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 2, 3}
    if words[0] == "export_csv.py":
        assert done.stdout.startswith("state,local,peer,")
