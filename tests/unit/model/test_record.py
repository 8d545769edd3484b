"""Records and counts are the same where Python lacks the private functions that make them fast."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.program import FIXTURES, PROJECT

WORLD = str(FIXTURES / "6.18-world")

# The functions are missing from the beginning, as in a Python that does not have them.
WITHOUT = """
import _collections, sys
del _collections._tuplegetter, _collections._count_elements
from sockdiag.cli.main import run
from sockdiag.model.batch import count_elements
from sockdiag.model.socket import Socket
assert type(Socket.netid) is property and Socket.netid.__doc__, Socket.netid
assert count_elements.__module__ == "sockdiag.model.batch"
sys.exit(run(sys.argv))
"""


def answer(*program: str, words: list[str]) -> tuple[int, bytes, bytes]:
    line = [sys.executable, *program, *words, "--root", WORLD]
    done = subprocess.run(line, cwd=PROJECT, capture_output=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "words", [["list"], ["list", "--ndjson"], ["states"], ["states", "--by", "process"], ["risk"]], ids=" ".join
)
def test_private_functions_may_be_missing(words: list[str]) -> None:
    """The same bytes come out."""
    assert answer("-c", WITHOUT, words=words) == answer("-m", "sockdiag", words=words)
