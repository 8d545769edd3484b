"""Options of the test run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --update-golden."""
    parser.addoption(
        "--update-golden", action="store_true", help="write the expected outputs anew, from what comes out"
    )


# How long an example takes is decided by what else the machine does.
settings.register_profile("sockdiag", deadline=None)
settings.load_profile("sockdiag")
