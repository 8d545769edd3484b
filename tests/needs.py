"""What a test needs of the machine: without it the test is skipped, and in CI, where all is installed, it fails."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import time

import pytest


def need(*programs: str) -> None:
    """Go on if these programs are installed."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        refuse(f"needs {', '.join(missing)}")


def need_namespaces() -> None:
    """Go on if this process may make network and mount namespaces; the root of a container often may not."""
    need("unshare")
    if os.geteuid() != 0:
        refuse("needs root, to make namespaces")
    if not _namespaces():
        refuse("needs CAP_SYS_ADMIN, to make namespaces")


def slowdown() -> float:
    """Return how much longer work takes because other programs use the CPUs; 1 on an idle machine."""
    began, used = time.perf_counter(), time.process_time()
    while time.process_time() - used < 0.1:
        pass
    return max(1.0, (time.perf_counter() - began) / 0.1)


@functools.cache
def _namespaces() -> bool:
    attempt = ["unshare", "--net", "--mount", "--pid", "--fork", "true"]
    return subprocess.run(attempt, stderr=subprocess.DEVNULL, check=False).returncode == 0


def refuse(reason: str) -> None:
    """Skip this test for a reason; fail it in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"in CI: {reason}", pytrace=False)
    pytest.skip(reason)
