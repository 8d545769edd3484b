"""Tests with real parts run Debian's programs; where one is missing they say so."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from tests.needs import need_namespaces, refuse

if TYPE_CHECKING:
    import pytest

# Debian's folder of plugins is on nobody's path.
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin:/lib/systemd:/usr/lib/nagios/plugins"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose programs are missing; in CI fail."""
    wanted = [program for mark in item.iter_markers("needs") for program in mark.args]
    missing = [program for program in wanted if shutil.which(program, path=_PATH) is None]
    if missing:
        refuse(f"needs {', '.join(missing)}")
    if item.get_closest_marker("live"):
        need_namespaces()
