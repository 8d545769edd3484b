"""Tests with real parts run Debian's programs; where one is missing they say so.

In CI (environment variable CI) a test that cannot run fails: a green run means that all of them ran.
"""

from __future__ import annotations

import os
import shutil

import pytest

# Debian's folder of plugins is on nobody's path.
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin:/lib/systemd:/usr/lib/nagios/plugins"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose programs are missing; in CI fail."""
    wanted = [program for mark in item.iter_markers("needs") for program in mark.args]
    missing = [program for program in wanted if shutil.which(program, path=_PATH) is None]
    if missing:
        reason = f"needs {', '.join(missing)}"
    elif item.get_closest_marker("live") and os.geteuid() != 0:
        reason = "needs root, to make namespaces"
    else:
        return
    if os.environ.get("CI"):
        pytest.fail(f"in CI: {reason}", pytrace=False)
    pytest.skip(reason)
