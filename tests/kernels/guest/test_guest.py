"""The guest is what the tests take it for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def test_release() -> None:
    """The kernel is the one that the run is about, and loads its modules."""
    assert os.uname().release == os.environ["SOCKDIAG_TEST_RELEASE"]
    subprocess.run(["modprobe", "dummy"], check=True)
    assert Path("/sys/module/dummy").exists()


def test_every_table_is_read() -> None:
    """A plain question finds no gap on a stock kernel, whose modules are loaded on demand."""
    done = subprocess.run(
        [sys.executable, "-m", "sockdiag", "list", "--json"], capture_output=True, text=True, check=True
    )
    document = json.loads(done.stdout)
    assert document["gaps"] == []
    assert done.stderr == ""
