"""The published types hold for a program of a user's own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import sockdiag
from tests.program import PROJECT

USAGE = Path(__file__).parents[1] / "typing" / "api_usage.py"


def test_a_typed_program(tmp_path: Path) -> None:
    """mypy --strict accepts right uses of the API and refuses wrong ones, away from the sources."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(USAGE)],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "MYPYPATH": str(PROJECT) if not _installed() else ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (0, "Success: no issues found in 1 source file\n")


def _installed() -> bool:
    # Where the tests run on an installation, that is what a user's mypy sees.
    return PROJECT not in Path(sockdiag.__file__).parents


def test_usage_covers_the_api() -> None:
    """Every public class and function of the API occurs in the typed program or in its examples."""
    text = USAGE.read_text() + "".join(path.read_text() for path in (PROJECT / "examples").glob("*.py"))
    text += (PROJECT / "tests" / "unit" / "test_api.py").read_text()
    used = set(re.findall(r"\w+", text))
    assert {"open_system", "Survey", "Socket", "Finding", "Gap", "Diagnosis", "Sample", "plain", "cell"} <= used
