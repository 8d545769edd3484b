"""The deviations from ss that docs/ss-compat.md lists, each with its number there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sockdiag.errors import SourceInterrupted, SourceTruncated
from sockdiag.ss import answers
from sockdiag.ss.main import run

_PROJECT = Path(__file__).parents[3]
_OURS = [sys.executable, "-m", "sockdiag", "ss"]


def environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(_PROJECT), **more}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SourceTruncated("netlink:inet_diag_tcp", "part of the answer was lost (ENOBUFS)", 105), "ENOBUFS"),
        (SourceInterrupted("netlink:inet_diag_tcp", "changed"), "Dump was interrupted and may be inconsistent."),
    ],
)
def test_cut_answers_are_told(
    error: Exception, told: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Part of a table does not look like all of it."""

    class Failing:
        def dump(self, _request: object) -> object:
            raise error

    monkeypatch.setattr(answers, "KernelTransport", Failing)
    assert run(["ss", "-tn4"]) == 0
    assert told in capfd.readouterr().err


@pytest.mark.parametrize("line", ["-tan", "-s", "-h", "-V", "-D - -t"])
def test_safer_5_full_disk(line: str) -> None:
    """SAFER-5."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*_OURS, *line.split()], stdout=full, stderr=subprocess.PIPE, env=environment(), check=False
        )
    assert done.returncode == 1
    assert b"No space left on device" in done.stderr
