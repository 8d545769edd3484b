"""The reference is the installed ss, of the version that SOCKDIAG_SS_VERSION=6.1 is like."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest


def pytest_runtest_setup() -> None:
    """Skip without the reference; in CI fail."""
    reason = ""
    if shutil.which("ss") is None:
        reason = "needs ss"
    elif b"iproute2-6.1" not in subprocess.run(["ss", "-V"], capture_output=True, check=True).stdout:
        reason = "needs ss of iproute2 6.1"
    elif os.geteuid() != 0:
        reason = "needs root, to make network namespaces"
    if reason and os.environ.get("CI"):
        pytest.fail(f"differential test in CI: {reason}", pytrace=False)
    if reason:
        pytest.skip(reason)
