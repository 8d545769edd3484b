"""Each reader of bytes that others choose: what fuzzing has found, what it begins with, and a few hundred mutations of that."""

from __future__ import annotations

import pytest

from tests.hostile.fuzz import CORPUS, at_random, folder_of
from tests.hostile.targets import TARGETS

FEW = 200


@pytest.mark.parametrize("name", TARGETS)
def test_declared_errors_only(name: str) -> None:
    """A reader returns, or raises an error that it declares; ``make fuzz`` goes further."""
    tried, failing = at_random(name, 1.0, 1, FEW)
    assert failing is None
    assert tried > 0


def test_no_input_is_orphaned() -> None:
    """Every folder of kept inputs belongs to a target."""
    assert {path.name for path in CORPUS.iterdir()} <= {folder_of(name).name for name in TARGETS}
