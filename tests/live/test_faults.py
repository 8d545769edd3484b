"""Single system calls that fail, in the places where one once ended in a traceback; ``make faults`` tries them everywhere."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.live.world.namespace import PROJECT
from tests.needs import need


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
