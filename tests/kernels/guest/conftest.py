"""Tests that make sense only under a kernel of tests/kernels; elsewhere they are skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kernels.results import ANOTHER_BOOT
from tests.needs import need


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder ``live``."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.live)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip outside a guest, and in one that was booted otherwise than the test needs."""
    booted = os.environ.get("SOCKDIAG_TEST_BOOT")
    if booted is None:
        pytest.skip("needs a guest: make test-kernels")
    marker = item.get_closest_marker("boot")
    wanted = marker.args if marker else ("plain",)
    if booted not in wanted:
        pytest.skip(f"{ANOTHER_BOOT}{' or '.join(wanted)}")
    need("ss", "nsenter")
