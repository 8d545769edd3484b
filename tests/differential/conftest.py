"""The reference is the installed ss, of the version that SOCKDIAG_SS_VERSION=6.1 is like."""

from __future__ import annotations

import subprocess

from tests.needs import need, need_namespaces, refuse


def pytest_runtest_setup() -> None:
    """Skip without the reference; in CI fail."""
    need("ss")
    if b"iproute2-6.1" not in subprocess.run(["ss", "-V"], capture_output=True, check=True).stdout:
        refuse("needs ss of iproute2 6.1")
    need_namespaces()
