"""Commands that run until they are ended."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from sockdiag.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def as_at_the_start() -> Iterator[None]:
    """Leave cycles of objects alone, as each run of the program begins."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("as_at_the_start")
def test_a_recorder_frees_what_it_has_used(tmp_path: Path) -> None:
    """Without the collector a look leaves its cycles behind: `top` grew by 0.4 MB for each second of churn."""
    assert run(["sockdiag", "record", str(tmp_path / "r"), "--every", "0.1", "--count", "1"]) == 0
    assert gc.isenabled()
