"""The reference is the installed ss, 6.1 or 7.1; ours behaves as the one that is found."""

from __future__ import annotations

import subprocess

from tests.needs import need, need_namespaces, refuse


def pytest_runtest_setup() -> None:
    """Skip without the reference; in CI fail."""
    need("ss")
    version = subprocess.run(["ss", "-V"], capture_output=True, check=True).stdout
    if not version.startswith((b"ss utility, iproute2-6.1", b"ss utility, iproute2-7.1")):
        refuse("needs ss of iproute2 6.1 or 7.1")
    need_namespaces()
