"""Tests that make sense only under a kernel of tests/kernels; elsewhere they are skipped."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kernels.results import ANOTHER_BOOT
from tests.needs import need

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_NEWNET = 0x40000000


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


@pytest.fixture(scope="module")
def own_netns() -> Iterator[None]:
    """Move this process to a network namespace of its own, so that no test beside it makes sockets there."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as before:
        assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            assert libc.setns(before.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
