"""Single system calls that fail, in the places where one once ended in a traceback; ``make faults`` tries them everywhere."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.hostile.faults import counted, traced
from tests.live.world.namespace import PROJECT
from tests.needs import need

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("place", [60, 120, 180])
@pytest.mark.parametrize("fault", ["close:error=EIO", "close:error=EINTR"])
@pytest.mark.parametrize("words", ["ss -xap", "list -o +processes", "check --rule FD_LIMIT"])
def test_one_line_and_a_status(words: str, fault: str, place: int) -> None:
    """A descriptor that cannot be closed is no reason to fail."""
    need("strace")
    inject = f"inject={fault}:when={place}"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-e", inject, sys.executable, "-m", "sockdiag", *words.split()],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    said = done.stderr + done.stdout
    assert not re.search(r"Traceback|Exception ignored|internal error", said), said
    assert done.returncode in ((0, 1, 2, 3) if words.startswith("check") else (0, 1))


@pytest.mark.parametrize(
    "words", [["check", "--rule", "FD_LIMIT", "--interval", "0"], ["limits"], ["ss", "-ta"]], ids=" ".join
)
def test_descriptors_run_out_while_modules_load(words: list[str], tmp_path: Path) -> None:
    """From the first module of its own on, the program reports in a line of its own what Python cannot load."""
    need("strace")
    before, total = counted(words, str(tmp_path))["openat"]
    for place in range(before + 1, min(total, before + 40), 3):
        done = traced(words, "-o", "/dev/null", "-e", f"inject=openat:error=EMFILE:when={place}")
        said = done.stderr + done.stdout
        assert "Traceback" not in said, said
        assert "internal error" not in said
        assert done.returncode in ((0, 1, 2, 3) if words[0] == "check" else (0, 1))
        assert words[0] != "check" or done.stdout.startswith("SOCKDIAG "), said


def test_a_table_comes_from_another_source_than_in_the_baseline(tmp_path: Path) -> None:
    """The kernel refuses one table by netlink, which is then read from /proc: rules that compare its sockets cannot tell."""
    need("strace")
    words = ["check", "--state", f"{tmp_path}/state"]
    traced(words, "-o", "/dev/null")
    for place in range(6, 14):
        done = traced(words, "-o", "/dev/null", "-e", f"inject=sendto:error=ECONNREFUSED:when={place}")
        assert "internal error" not in done.stdout, done.stdout
        assert done.returncode in (0, 1, 2, 3)
