"""What a test needs of the machine: without it the test is skipped, and in CI, where all is installed, it fails."""

from __future__ import annotations

import os
import shutil

import pytest


def need(*programs: str) -> None:
    """Go on if these programs are installed."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        refuse(f"needs {', '.join(missing)}")


def refuse(reason: str) -> None:
    """Skip this test for a reason; fail it in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"in CI: {reason}", pytrace=False)
    pytest.skip(reason)
